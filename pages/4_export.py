"""Export: layers and feature maps into one zip with pictures, tables and an offline page."""

from dataclasses import replace

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.output.selection import Selection, parse_units, strongest_maps
from deconv_core.pictures import Rule
from deconv_core.units import Unit
from deconv_dashboard import bands
from deconv_dashboard.data.names import distinct
from deconv_dashboard.frame import messages, pickers
from deconv_dashboard.frame.address import RULES, SCALES
from deconv_dashboard.frame.moved import folder_missing, weights_missing
from deconv_dashboard.frame.shell import escape, heading, require_index, say_if_read_only, shell
from deconv_dashboard.frame.troubles import say_trouble
from deconv_dashboard.gallery.export_panel import contents, export_list
from deconv_dashboard.jobs.exports import file_name, start_export
from deconv_dashboard.values import Choice
from deconv_dashboard.wording import counted

MOST = 1000
SIZES = {0: "Native", 64: "64 pixels", 128: "128 pixels", 224: "224 pixels"}


def which_maps(
    choice: Choice, index: ActivationIndex, label: str | None
) -> tuple[list[Unit], list[str], str]:
    """Ask what to export; returns feature maps, whole layers, and the fault of a typed list."""
    how = st.segmented_control(
        "Which feature maps",
        ["strongest", "typed"],
        default="strongest",
        required=True,
        format_func={"strongest": "Strongest of each layer", "typed": "A list"}.__getitem__,
        key="export_how",
    )
    here = choice.layer.name if choice.layer else next(iter(index.layers))
    if how == "typed":
        text = st.text_area(
            "Feature maps",
            value=f"{here}/{choice.map}",
            key="export_typed",
            help="Type addresses, separated by commas or line breaks: conv4_4/171, or a range: "
            "conv3_1/0-5.",
        )
        try:
            return parse_units(text, index.layers), [], ""
        except DeconvError as error:
            return [], [], str(error)
    layers = st.multiselect("Layers", list(index.layers), default=[here], key="export_layers")
    left, right = st.columns(2, vertical_alignment="bottom")
    count = left.number_input("Maps of each layer", 0, 512, 9, key="export_count")
    whole = right.checkbox("Top activations of the layer too", value=True, key="export_whole")
    units = [unit for layer in layers for unit in strongest_maps(index, layer, int(count), label)]
    return units, layers if whole else [], ""


def how_drawn(choice: Choice, index: ActivationIndex) -> Selection:
    """Ask how to draw; returns the settings as a selection without maps."""
    left, right = st.columns(2)
    names = distinct(
        ["", *(name for name in index.labels if name)], lambda name: name or "All images"
    )
    chosen = left.selectbox(
        "Images",
        list(names),
        index=list(names).index(choice.label or ""),
        format_func=names.__getitem__,
        key="export_label",
    )
    k = right.number_input("Activations of each map", 1, 100, 9, key="export_k")
    scale = left.selectbox(
        "Scale", list(SCALES), format_func=SCALES.__getitem__, key="export_scale"
    )
    side = right.selectbox(
        "Size of a tile",
        list(SIZES),
        format_func=SIZES.__getitem__,
        key="export_size",
        help="Native: a tile is as large as the receptive field, one pixel for one pixel.",
    )
    parts = [name for name in bands.BANDS if name == bands.TOP or bands.percentiles(name)]
    part = right.selectbox(
        "Part of the distribution",
        parts,
        format_func=bands.BANDS.__getitem__,
        key="export_band",
        help="Top: the strongest activations of each map. 75 %, 50 %, 25 %: activations around "
        "this percentile, evenly spaced by rank. Whole layers always show the top.",
    )
    rule: Rule = left.selectbox(
        "Rule", list(RULES), format_func=RULES.__getitem__, key="export_rule"
    )
    tiles = st.checkbox("Each tile as a separate file too", value=True, key="export_tiles")
    specificity = st.checkbox(
        "Measure how much of each picture is about its map",
        key="export_specificity",
        help="Writes specificity.csv beside the pictures: similarity to pictures of 15 other maps "
        "and of random networks, and deletion. Takes up to 10 seconds a picture.",
    )
    once = True
    if choice.has_copies:
        once = st.checkbox(
            "Count copies once",
            value=not choice.copies,
            key="export_once",
            help=pickers.COPIES_HELP,
        )
    return Selection(
        k=int(k),
        label=chosen or None,
        scale=scale,
        tile_size=side or None,
        single_tiles=tiles,
        copies=not once,
        band=bands.percentiles(part),
        rule=rule,
        specificity=specificity,
    )


def build_button(
    choice: Choice, index: ActivationIndex, selection: Selection, trouble: str
) -> None:
    """Say how much the zip will hold, and draw the button that builds it."""
    total = len(selection.units) + len(selection.layers)
    if trouble:
        st.error(escape(f"{trouble[:1].upper()}{trouble[1:]}."), icon=":material/error:")
    elif total > MOST:
        st.error(
            f"{total:,} maps and layers are chosen; at most {MOST:,} fit one export. Choose fewer "
            "layers, or fewer maps of each.",
            icon=":material/error:",
        )
    elif not choice.registry.ready(choice.network):
        weights_missing(choice.registry, choice.network)
        total = 0
    elif not choice.dataset.root.is_dir():
        folder_missing(choice.registry, choice.dataset)
        total = 0
    pressed = st.button(
        "Build the zip",
        key="export_build",
        type="primary",
        icon=":material/folder_zip:",
        disabled=bool(trouble) or not 0 < total <= MOST,
    )
    maps = counted(len(selection.units), "feature map")
    whole = counted(len(selection.layers), "whole layer")
    st.caption(f"{maps}, {whole}.")
    if pressed:
        try:
            chosen = choice.registry, choice.dataset, choice.network
            start_export(*chosen, selection, index.layers)
        except DeconvError as error:
            say_trouble(error, "export_start", "The export did not start")


choice = shell("export", title="Export")
heading(choice, "Export")
index = require_index(choice)
settings, built = st.columns([5, 6], gap="large")
selection = Selection()
with settings, messages.explained(choice):
    above = st.container()
    drawn = how_drawn(choice, index)
    with above:
        units, layers, trouble = which_maps(choice, index, drawn.label)
    within = {*layers, *(unit.layer for unit in units)}
    names = {str(u): note.name for u, note in choice.named.items() if u.layer in within}
    selection = replace(drawn, units=tuple(units), layers=tuple(layers), names=names)
    say_if_read_only(choice.registry.home)
    build_button(choice, index, selection, trouble)
with built:
    export_list(choice.registry)
    name = file_name(choice.dataset.name, choice.network.name, selection)
    contents(selection, name, len(index.labels))
