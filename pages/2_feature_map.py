"""Feature map: what one map responds to, in all images, in one label, or in two side by side."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.layers import Layer
from deconv_core.output.figures import peak_histogram
from deconv_core.units import Unit
from deconv_dashboard.frame import address, messages, pickers
from deconv_dashboard.frame.address import TABS
from deconv_dashboard.frame.shell import heading, require_index, shell
from deconv_dashboard.frame.tabs import open_tab
from deconv_dashboard.gallery import answers, refining, tour
from deconv_dashboard.gallery.downloads import downloads, file_stem
from deconv_dashboard.gallery.notes_panel import notes_panel
from deconv_dashboard.gallery.tiles import gallery
from deconv_dashboard.gallery.where_it_fired import where_it_fired
from deconv_dashboard.server import reconstructing, resources
from deconv_dashboard.values import Answer, Choice

PAGE = "feature_map"
BARS = "#7d94a8"  # readable in light and dark; the accent colour is for the marks


def toolbar(choice: Choice, index: ActivationIndex, layer: Layer) -> None:
    """Draw the pickers of the map and of the label to compare with."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        pickers.layer_picker(PAGE, index.layers, layer.name)
        pickers.map_picker(PAGE, layer, choice.map)
        st.space("stretch")
        labels = [name for name in index.labels if name and name != choice.label]
        chosen = choice.values.get("label2", "")
        if labels:
            pickers.label_picker(PAGE, "label2", "Compare with", labels, chosen, nothing="Nothing")


def top_of_map(
    choice: Choice, index: ActivationIndex, layer: Layer, unit: Unit, buttons: Place
) -> None:
    """Draw the grids, and below them the open tab."""
    k, second = int(choice.values.get("k", "9")), choice.values.get("label2")
    asked = [choice.label, *([second] if second else [])]
    found = [answers.find(choice, layer.name, unit.channel, k, label) for label in asked]
    messages.fires_in_line(choice, unit, found)
    checking = st.container()
    if any(answer.activations for answer in found):
        found = answers.with_pictures(choice, found)
    if any(answer.pictures.found for answer in found):
        grids(choice, layer, unit, found, buttons)
        reconstructing.let_them_paint()
    name, place = open_tab(choice, TABS[PAGE])
    with place:
        if name == "fired":
            fired(choice, found)
        elif name == "notes":
            notes_panel(choice, unit)
        else:
            numbers(choice, index, unit, found)
    with checking:
        refining.settle(choice, layer.name, unit.channel, k, found)


def fired(choice: Choice, shown: Sequence[Answer]) -> None:
    """Draw where the chosen tile fired in its image."""
    picked = answers.chosen(shown, st.session_state.get("chosen_tile", ""))
    if picked is None:
        st.caption("There is no picture to choose: the map never fires here.")
    else:
        where_it_fired(choice, picked)


def grids(
    choice: Choice, layer: Layer, unit: Unit, shown: Sequence[Answer], buttons: Place
) -> None:
    """Draw reconstructions and patches on one scale; the buttons go into the heading."""
    name = choice.values.get("scale", "clipped")
    scale = answers.scale_for(name, shown)

    def choose(tile: str) -> None:
        st.session_state["chosen_tile"] = f"{unit} {tile}"
        address.visit(PAGE, tab="fired")

    chosen = st.session_state.get("chosen_tile", "")
    gallery(answers.side_by_side(shown, scale, chosen), key="map_top", on_pick=choose)
    messages.missing_note(choice, shown)
    messages.changed_note(choice)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pickers.scale_picker(PAGE, name)
        pickers.count_picker(PAGE, int(choice.values.get("k", "9")))
        pickers.copies_switch(PAGE, choice)
        st.caption(f"Reconstructions: {scale.caption}.", width="content")
    for answer in shown:
        stem = file_stem(choice, layer.name, unit.channel, answer.label)
        words = [choice.title_of(unit), answer.label, choice.dataset.name]
        line = " · ".join(filter(None, words))
        title = f"Download {answer.label or 'all'}" if len(shown) > 1 else "Download"
        with buttons:
            key = f"map_{answer.label}"
            shown_here = answer.pictures.all, stem, layer, scale, key, title, line
            downloads(*shown_here, copies=answer.copies, names=answer.names)


def numbers(choice: Choice, index: ActivationIndex, unit: Unit, shown: Sequence[Answer]) -> None:
    """Draw histogram and table side by side."""
    left, right = st.columns(2, gap="medium")
    everything = [activation for answer in shown for activation in answer.activations]
    with left:
        st.markdown("### Peaks over all images")
        peaks = resources.peaks_of(choice, unit.layer, unit.channel)
        figure = peak_histogram(peaks, everything, unit)
        figure.update_traces(marker_color=BARS, selector={"type": "bar"})
        figure.update_layout(legend={"x": 1, "xanchor": "right"})
        st.plotly_chart(
            figure,
            key="histogram",
            config={"displayModeBar": False},
            alt=f"Histogram of the peaks of {unit}",
        )
        if said := messages.of_all_images(choice):
            st.caption(said)
    with right:
        st.markdown("### Table")
        if everything:
            stem = file_stem(choice, unit.layer, unit.channel, choice.label)
            messages.table(shown, index.layers, stem, "map_table", height=280)
        else:
            st.caption("Nothing to list: the map never fires here.")


choice = shell(PAGE, title="Feature map")
named = choice.title_of(Unit(choice.layer.name, choice.map)) if choice.layer else "Feature map"
buttons = heading(choice, named)
index = require_index(choice)
layer = index.layers[choice.values["layer"]]
unit = Unit(layer.name, choice.map)
pickers.arrow_keys(PAGE, choice)
toolbar(choice, index, layer)
tour.tour(choice, unit)
with messages.explained(choice):
    top_of_map(choice, index, layer, unit, buttons)
