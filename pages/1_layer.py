"""Layer: the strongest activations of a whole layer, and all its feature maps."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from deconv_core.index.activation_index import TOP
from deconv_core.layers import Layer
from deconv_dashboard.frame import messages, pickers
from deconv_dashboard.frame.address import TABS
from deconv_dashboard.frame.shell import heading, require_index, shell
from deconv_dashboard.frame.tabs import open_tab
from deconv_dashboard.gallery import answers, contact_sheet, refining
from deconv_dashboard.gallery.correlations_panel import correlations_panel
from deconv_dashboard.gallery.downloads import downloads, file_stem
from deconv_dashboard.gallery.named_maps import named_maps
from deconv_dashboard.gallery.photograph import photographs
from deconv_dashboard.gallery.prepare_panel import prepare_panel
from deconv_dashboard.gallery.tiles import gallery
from deconv_dashboard.server import reconstructing
from deconv_dashboard.values import Answer, Choice
from deconv_dashboard.wording import field_text

PAGE = "layer"


def top_of_layer(choice: Choice, layer: Layer, buttons: Place) -> None:
    """Draw the two grids, their captions and the table."""
    counts = "For each image the strongest of {} feature maps counts."
    if choice.maps_once:
        counts = "Each of {} feature maps counts once, with its strongest image."
    st.caption(
        f"{counts.format(layer.channels)} Receptive field: {field_text(layer)}. Click a picture to "
        "open its feature map."
    )
    if choice.maps_once:
        answer = answers.of_each_map(choice, layer.name, TOP, choice.label)
    else:
        answer = answers.find(choice, layer.name, None, TOP, choice.label)
        answers.fires_in(choice, answer, TOP)
    (answer,) = answers.with_pictures(choice, [answer])
    if answer.pictures.found:
        grids(choice, layer, answer, buttons)
    if not choice.maps_once:
        refining.settle(choice, layer.name, None, TOP, [answer])
    if answer.activations:
        reconstructing.let_them_paint()
        with st.expander("Table", icon=":material/table_rows:"):
            stem = file_stem(choice, layer.name, None, choice.label)
            messages.table([choice], [answer], stem, "layer_table", made=choice.made)


def grids(choice: Choice, layer: Layer, answer: Answer, buttons: Place) -> None:
    """Draw reconstructions beside patches; the download buttons go into the heading."""
    name = choice.values.get("scale", "clipped")
    scale = answers.scale_for(name, [answer])
    panels = answers.panels(
        answer,
        choice.layers,
        scale,
        names_map=True,
        value=lambda _, activation: str(activation.unit.channel),
        href=lambda activation: contact_sheet.map_href(activation.unit.channel),
    )
    opened = gallery(panels, key="layer_top")
    if opened is not None:
        contact_sheet.open_map(int(opened))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pickers.once_picker(PAGE, choice.values.get("once", ""))
        pickers.scale_picker(PAGE, name)
        pickers.copies_switch(PAGE, choice)
        st.caption(f"Reconstructions: {scale.caption}.", width="content")
    messages.missing_note(choice, [answer])
    messages.changed_note(choice)
    stem = file_stem(choice, layer.name, None, choice.label)
    words = " · ".join(filter(None, [layer.name, choice.label, choice.dataset.name]))
    with buttons:
        downloads(
            *(answer.pictures.all, stem, layer, scale, choice.made, "layer_top"),
            heading=words,
            copies=answer.copies,
            names=answer.names,
        )


choice = shell(PAGE, title="Layer")
name = choice.layer.name if choice.layer else "Layer"
said = f"the {TOP} {'strongest maps' if choice.maps_once else 'images that activate it most'}"
buttons = heading(choice, f"{name}: {said}" if choice.layer else name)
index = require_index(choice)
layer = index.layers[choice.values["layer"]]
pickers.layer_strip(PAGE, index.layers, layer.name)
pickers.arrow_keys(PAGE, choice)
photographs(choice)
with messages.explained(choice):
    top_of_layer(choice, layer, buttons)
name, place = open_tab(choice, TABS[PAGE])
with place, messages.explained(choice):
    if name == "correlations":
        correlations_panel(choice, layer)
    elif name == "named":
        named_maps(choice)
    else:
        messages.dead_maps_note(index, layer.name)
        contact_sheet.all_maps(choice, index, layer)
        prepare_panel(choice, index, layer)
