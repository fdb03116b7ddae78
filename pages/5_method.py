"""Method: how the pictures are made, what grey means, and what they cannot tell."""

import pandas as pd
import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.network.preprocessing import expected_by
from deconv_dashboard.frame import messages
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.frame.shell import escape, heading, shell
from deconv_dashboard.gallery.method_drawing import method_drawing
from deconv_dashboard.server import resources
from deconv_dashboard.wording import preprocessing_text

choice = shell("method", title="Method")
heading(choice, "How a reconstruction is made")
words, drawing = st.columns([5, 6], gap="large")
with words:
    st.markdown(
        """
**Up, the convnet.** An image of 224 × 224 pixels goes through the layers. A feature map is a plane
of numbers. Each number says how strongly the map's pattern is present at that location. Each
pooling keeps the largest of four neighbours. It also records where that value was: the *switches*.

**One activation.** The deconvnet keeps only the strongest activation of one feature map, with its
value. It sets everything else in the layer to zero.

**Down, the deconvnet.** The activation goes back through the same layers. *Unpooling* puts each
value where the switch says it came from. *Rectification* keeps positive values and sets the others
to zero. *Filtering* uses the same weights, transposed, without bias. The result at the input is the
**reconstruction**: a signed picture of what led to this one activation.

**Top 9.** The scan reads every image once. For each feature map it stores the largest activation in
each image, and its location. A page shows the nine images with the largest activations; an image
never appears twice. For a whole layer, the strongest map of each image counts.

After M. Zeiler and R. Fergus, *Visualizing and Understanding Convolutional Networks* (ECCV 2014).
"""
    )
with drawing:
    st.image(
        method_drawing(dark=st.context.theme.type == "dark"),
        width=580,
        alt="The convnet goes up on the left, the deconvnet goes down on the right. Switches "
        "connect each pooling with its unpooling.",
    )

st.markdown("### How to read the pictures")
grey, window = st.columns(2, gap="large")
with grey:
    st.markdown(
        """
**Grey is zero.** A reconstruction is signed. Brighter than mid-grey means more of a colour, darker
means less. Grey pixels do not contribute. On the *shared* scale, a pale tile is a weak
reconstruction. *Per tile* shows each shape best, but strengths cannot be compared between tiles.
Both clip the strongest 1 % of the pixels, so that the rest is visible. *Unclipped* is the shared
scale without clipping.
"""
    )
with window:
    st.markdown(
        """
**A tile is a receptive field**: exactly the pixels that one location of the layer can see. Where
the receptive field reaches past the image border, the tile is grey. The content stays at its true
place. Images are stretched to 224 × 224 pixels, unless the dataset cuts out the middle.
"""
    )

if choice.index is not None:
    made = choice.index.manifest
    used, why = made.preprocessing, made.preprocessing_reason
else:
    expected = expected_by(choice.network.source, choice.network.preprocessing)
    used, why = expected.name, expected.reason
st.markdown(
    f"**The input of {escape(choice.network.name)}.** Preprocessing: "
    f"{escape(preprocessing_text(used, why))}. If the weights were trained with a different "
    "preprocessing, every picture and number is wrong, and no error message says so."
)

st.markdown("### What they cannot tell")
st.markdown(
    """
- In deep layers the picture depends more on the image, through the switches, than on the feature
  map. Maps with other weights give similar outlines (Mahendran & Vedaldi 2016, *Salient
  Deconvolutional Networks*).
- The rectification on the way down favours edges, whatever the network has learnt. Even random
  weights partly recover the image (Nie, Zhang & Patel 2018, *A Theoretical Explanation for
  Perplexing Behaviors of Backpropagation-based Visualizations*). Compare with *VGG19, random
  weights*.
- Nine images show only the top of a distribution. Look at the histogram before you name a map.
  (Files of equal content take one place among the nine. The histogram counts each file.)
- A map can respond to several unrelated things, and one thing can be spread over many maps.
"""
)

st.markdown(f"### The layers of {escape(choice.network.name)}")
layers = dict(choice.layers)
if not layers:
    try:
        layers = dict(resources.network_of(choice).layers)
    except DeconvError as error:
        messages.trouble(choice, error)
rows = [
    (
        layer.name,
        layer.channels,
        f"{layer.height} × {layer.width}",
        layer.receptive_field.size,
        layer.receptive_field.stride,
        layer.receptive_field.offset,
        3 * layer.receptive_field.size + 8,
    )
    for layer in layers.values()
]
if rows:
    names = ["layer", "maps", "map size", "receptive field", "stride", "offset", "native grid"]
    data_table(
        pd.DataFrame(rows, columns=names),
        "layers",
        "method_layers",
        height="content",
        width=900,
        alt="Layers with their receptive fields",
    )
    st.caption(
        "Receptive field, stride, offset and grid are in pixels of the 224 × 224 input. Location c "
        "sees as many pixels as the receptive field has, from pixel c · stride + offset on. "
        "Activations are taken after the rectification (ReLU)."
    )
