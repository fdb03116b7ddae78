"""Method: how the pictures are made, what grey means, and what they cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.layers import Layer
from deconv_core.network.preprocessing import expected_by
from deconv_dashboard.depths import named_like_vgg
from deconv_dashboard.frame import messages
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.frame.shell import escape, heading, shell
from deconv_dashboard.gallery.layer_samples_panel import in_words, layer_samples, sampled
from deconv_dashboard.gallery.method_drawing import method_drawing
from deconv_dashboard.gallery.network_drawing import (
    block_drawing,
    network_drawing,
    notes_on,
    parts_of,
    parts_of_layers,
)
from deconv_dashboard.server import resources
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import native_side, preprocessing_text

if TYPE_CHECKING:
    from deconv_core import Network  # loads torch

_SHORT = 24  # rows; a longer table scrolls


def loaded(choice: Choice) -> tuple[Network | None, DeconvError | None]:
    """The network, or why it cannot be loaded."""
    try:
        return resources.network_of(choice), None
    except DeconvError as error:
        return None, error


def drawings(network: Network | None, layers: Mapping[str, Layer], size: tuple[int, int]) -> None:
    """Draw the way up and the way down: of networks like VGG in general, of others by stages."""
    dark = st.context.theme.type == "dark"
    if named_like_vgg(layers):
        st.image(
            method_drawing(dark=dark),
            width=580,
            alt="The convnet goes up on the left, the deconvnet goes down on the right. Switches "
            "connect each pooling with its unpooling.",
        )
        return
    parts = parts_of(network.graph) if network else parts_of_layers(layers.values())
    st.image(
        network_drawing(parts, size, dark=dark),
        width=580,
        alt="The stages of the network, from the image below to the last maps above, with the way "
        "down beside each.",
    )
    kinds = {kind for part in parts for kind in part.steps}
    if block := block_drawing(kinds, dark=dark):
        st.image(block, width=580, alt="A block whose branches meet, on the way up and down.")


def layer_table(layers: Mapping[str, Layer], unusable: Mapping[str, str]) -> None:
    """Draw the layers with their receptive fields, and those that have no deconvnet."""
    rows: list[tuple[object, ...]] = []
    for layer in layers.values():
        if layer.name in unusable:
            continue
        field = layer.receptive_field
        across = field.across or (field.size, field.stride, field.offset)
        down = (field.size, field.stride, field.offset)
        numbers = [both(*pair) for pair in zip(down, across, strict=True)]
        if field.sees_all:
            numbers = ["the whole image", "", ""]
        size = f"{layer.height} × {layer.width}"
        rows.append((layer.name, layer.channels, size, *numbers, 3 * native_side(layer) + 8))
    if any(isinstance(value, str) for row in rows for value in row[3:6]):
        rows = [(*row[:3], *map(str, row[3:6]), row[6]) for row in rows]  # one type a column
    names = ["layer", "maps", "map size", "receptive field", "stride", "offset", "native grid"]
    data_table(
        pd.DataFrame(rows, columns=names),
        "layers",
        "method_layers",
        height="content" if len(rows) <= _SHORT else 500,
        width=900,
        alt="Layers with their receptive fields",
    )
    for step in dict.fromkeys(unusable.values()):
        behind = [name for name, blocked in unusable.items() if blocked == step]
        st.caption(
            f"Without reconstructions: {escape(', '.join(behind))}. They lie behind the step "
            f"{escape(step)}, which has no deconvnet."
        )


def both(down: int, across: int) -> int | str:
    """A number along the rows and along the columns; one if they agree."""
    return down if down == across else f"{down} × {across}"


choice = shell("method", title="Method")
heading(choice, "How a reconstruction is made")
network, trouble = loaded(choice)
layers = dict(choice.layers or (network.layers if network else {}))
size = resources.input_size_of(choice)
like_vgg = named_like_vgg(layers)
pooling = (
    "Each pooling keeps the largest of four neighbours."
    if like_vgg
    else "Each max pooling keeps the largest value of each window."
)
words, drawing = st.columns([5, 6], gap="large")
with words:
    st.markdown(
        f"""
**Up, the convnet.** An image of {size[0]} × {size[1]} pixels goes through the layers. A feature
map is a plane of numbers. Each number says how strongly the map's pattern is
present at that location. {pooling} It also records where that value was: the *switches*.

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
    drawings(network, layers, size)
if network is not None and not like_vgg and (notes := notes_on(network.graph.nodes)):
    st.markdown("## The steps of this network")
    st.markdown("\n".join(f"- {note}" for note in notes))

st.markdown("## How to read the pictures")
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
        f"""
**A tile is a receptive field**: exactly the pixels that one location of the layer can see. Where
the receptive field reaches past the image border, the tile is grey. The content stays at its true
place. A receptive field much larger than the image is drawn as the image. Images are stretched to
{size[0]} × {size[1]} pixels, unless the dataset uses a centre crop.
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

found = sampled(choice)
said = in_words(found)
numbers = f" In these images: {said} Chance is 50 %. All layers are below." if said else ""
at_random = "*VGG19, random weights*" if like_vgg else "random weights of the same network"
st.markdown("## What they cannot tell")
st.markdown(
    f"""
- In deep layers the picture depends more on the image, through the switches, than on the feature
  map. Maps with other weights give similar outlines (Mahendran & Vedaldi 2016, *Salient
  Deconvolutional Networks*).
- The rectification on the way down favours edges, whatever the network has learnt. Even random
  weights partly recover the image (Nie, Zhang & Patel 2018, *A Theoretical Explanation for
  Perplexing Behaviors of Backpropagation-based Visualizations*). *Compare with*
  on the Feature map page shows what another network finds in the same images, for example
  {at_random}.
- *About this picture* on the Feature map page measures both for one picture: how similar pictures
  of other maps and of random networks are, and how fast the activation falls when pixels are
  replaced in the order of the picture.{numbers}
- Nine images show only the top of a distribution. Before you name a map, look at the row from
  strongest to weakest and at other parts of the distribution. (Files of equal content take one
  place among the nine. The histogram counts each file.)
- *Labels* measures how well the peaks of a map tell the images of a label from all others (area
  under the ROC curve, with a 95 % interval). It knows only the labels of your folders, and it does
  not say which part of the image the map looks at.
- *Similar maps* and *Correlations* compare on which images maps fire. They cannot tell whether two
  maps look for the same thing there.
- *Groups* says if the strongest images of a map fall into separate groups. A map with one group can
  still respond to several unrelated things, and one thing can be spread over many maps.
"""
)

if choice.index is not None:
    st.markdown("## How specific the pictures are, layer by layer")
    with messages.explained(choice):
        layer_samples(choice, choice.index, found, network.unusable if network else ())

st.markdown(f"## The layers of {escape(choice.network.name)}")
if trouble is not None and not layers:
    messages.trouble(choice, trouble)
if layers:
    layer_table(layers, network.unusable if network else {})
    st.caption(
        f"Receptive field, stride, offset and grid are in pixels of the {size[0]} × {size[1]} "
        "input. Location c sees as many pixels as the receptive field has, from pixel "
        "c · stride + offset on. Activations are taken after the rectification (ReLU)."
    )
