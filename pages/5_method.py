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
**Up, the convnet.** An image of 224 × 224 pixels goes through the layers. Every feature map is a
plane that says, place by place, how much its pattern is there. Each pooling keeps the largest of
four neighbours and remembers where it was: the *switches*.

**One activation.** In the map of interest only the strongest activation is kept, with its own
value. Everything else in the layer is set to zero.

**Down, the deconvnet.** The same layers are walked back. *Unpooling* puts each value where the
switch says it came from. *Rectification* keeps what is positive. *Filtering* uses the same weights,
transposed, without bias. What arrives at the input is the **reconstruction**: a signed picture of
what led to this one activation.

**Top 9.** Every image is scanned once. For each map its largest activation in each image is
stored, with its place. The nine images with the largest are shown; an image never appears twice.
For a whole layer, each image counts with its strongest map.

After M. Zeiler and R. Fergus, *Visualizing and Understanding Convolutional Networks* (ECCV 2014).
"""
    )
with drawing:
    st.image(
        method_drawing(dark=st.context.theme.type == "dark"),
        width=580,
        alt="The convnet goes up on the left, the deconvnet down on the right; switches connect "
        "each pooling with its unpooling.",
    )

st.markdown("### How to read the pictures")
grey, window = st.columns(2, gap="large")
with grey:
    st.markdown(
        """
**Grey is zero.** A reconstruction is signed: brighter and darker than mid-grey are more and less of
a colour. Grey places do not take part. With the *shared* scale a pale tile is a weak
reconstruction; *per tile* shows each shape at its best, and strengths cannot be compared. Both clip
the strongest 1 % of the pixels, so that the rest can be seen; *unclipped* does not.
"""
    )
with window:
    st.markdown(
        """
**A tile is a receptive field**: exactly the pixels that one location of the layer can see. Where
it reaches past the image, the tile is grey, and the content stays at its true place. Images are
resized to 224 × 224 without keeping their proportions, unless the dataset says otherwise.
"""
    )

if choice.index is not None:
    made = choice.index.manifest
    used, why = made.preprocessing, made.preprocessing_reason
else:
    expected = expected_by(choice.network.source, choice.network.preprocessing)
    used, why = expected.name, expected.reason
st.markdown(
    f"**What {escape(choice.network.name)} is given.** Preprocessing: "
    f"{escape(preprocessing_text(used, why))}. With another one than the weights were trained "
    "with, every picture and number is wrong, and nothing else tells."
)

st.markdown("### What they cannot tell")
st.markdown(
    """
- In deep layers the picture owes more to the image, through the switches, than to the map: maps
  with other weights give similar outlines (Mahendran & Vedaldi 2016, *Salient Deconvolutional
  Networks*).
- The rectification on the way down favours edges whatever the network has learnt; even random
  weights partly recover the image (Nie, Zhang & Patel 2018, *A Theoretical Explanation for
  Perplexing Behaviors of Backpropagation-based Visualizations*). Compare with *VGG19, random
  weights*.
- Nine images show the top of a distribution. Look at the histogram before naming a map. (Files of
  equal content take one place among the nine; the histogram counts each of them.)
- A map can answer to several unrelated things, and one thing can be spread over many maps.
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
        "In pixels of the 224 × 224 input. Location c sees the pixels from c · stride + offset, "
        "receptive field many. Activations are taken after the rectification (ReLU)."
    )
