"""Feature map: what one map responds to, in all images, in one label, or in two side by side."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.layers import Layer
from deconv_core.pictures import RULE_NAMES
from deconv_core.units import Unit
from deconv_dashboard import bands
from deconv_dashboard.frame import messages, pickers
from deconv_dashboard.frame.address import TABS
from deconv_dashboard.frame.shell import escape, heading, require_index, shell
from deconv_dashboard.frame.tabs import open_tab
from deconv_dashboard.gallery import answers, comparison, refining, tour
from deconv_dashboard.gallery.about_panel import about_panel
from deconv_dashboard.gallery.chosen_tile import choose_tile, of_chosen
from deconv_dashboard.gallery.comparison_sheet import download_both
from deconv_dashboard.gallery.distribution import distribution
from deconv_dashboard.gallery.downloads import downloads, file_stem
from deconv_dashboard.gallery.groups_panel import groups_panel
from deconv_dashboard.gallery.labels_panel import labels_panel
from deconv_dashboard.gallery.notes_panel import notes_panel
from deconv_dashboard.gallery.rules_panel import rules_panel
from deconv_dashboard.gallery.similar_panel import similar_panel
from deconv_dashboard.gallery.spread_row import silent_images, spread_row
from deconv_dashboard.gallery.tiles import gallery
from deconv_dashboard.gallery.where_it_fired import where_it_fired
from deconv_dashboard.server import reconstructing
from deconv_dashboard.values import Answer, Choice

PAGE = "feature_map"


def toolbar(choice: Choice, index: ActivationIndex, layer: Layer) -> None:
    """Draw the pickers of the map, of the label, and of the label to compare with."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        pickers.layer_picker(PAGE, index.layers, layer.name)
        pickers.map_picker(PAGE, layer, choice.map)
        st.space("stretch")
        here, second = choice.label or "", choice.values.get("label2", "")
        labels = [name for name in index.labels if name]
        others = [name for name in labels if name != here]
        with st.container(horizontal=True, gap="small", width="content"):
            if labels:
                pickers.label_picker(PAGE, "label", "Label", labels, here, "All labels")
            if others:
                pickers.label_picker(PAGE, "label2", "Compare with", others, second, "Nothing")


def top_of_map(
    choice: Choice, index: ActivationIndex, layer: Layer, unit: Unit, buttons: Place
) -> None:
    """Draw the grids, and below them the open tab."""
    k, second = int(choice.values.get("k", "9")), choice.values.get("label2")
    band = choice.values.get("band", bands.TOP)
    asked = [choice.label, *([second] if second else [])]
    if band == bands.TOP:
        found = [answers.find(choice, layer.name, unit.channel, k, label) for label in asked]
    else:
        found = [answers.in_band(choice, unit, k, label, band) for label in asked]
    messages.fires_in_line(choice, unit, asked)
    compared = comparison.compared(choice, unit)
    if compared is not None:
        st.markdown(escape(compared.sentence))
    messages.band_lines(choice, unit, asked, band, k)
    checking = st.container()
    if any(answer.activations for answer in found):
        found = answers.with_pictures(choice, found)
    if any(answer.pictures.found for answer in found):
        grids(choice, layer, unit, found, band, buttons)
        if compared is not None:
            with buttons:
                download_both(choice, compared, found, layer, unit, band)
    if band == bands.SILENT:
        for label in asked:
            silent_images(choice, unit, label, k)
    display(choice, k, band, found)
    for label in asked:
        spread_row(choice, unit, label)
    reconstructing.let_them_paint()
    tab(choice, index, unit, found, compared)
    if band == bands.TOP:
        with checking:
            refining.settle(choice, layer.name, unit.channel, k, found)


def tab(
    choice: Choice,
    index: ActivationIndex,
    unit: Unit,
    shown: Sequence[Answer],
    compared: comparison.Comparison | None,
) -> None:
    """Draw the open tab."""
    picked = answers.chosen(shown, choice.rank)
    tabs = {
        "numbers": lambda: distribution(choice, index, unit, shown, compared),
        "fired": lambda: of_chosen(choice, picked, where_it_fired),
        "about": lambda: of_chosen(choice, picked, about_panel),
        "rules": lambda: of_chosen(choice, picked, rules_panel),
        "labels": lambda: labels_panel(choice, index, unit),
        "similar": lambda: similar_panel(choice, unit),
        "groups": lambda: groups_panel(choice, unit),
        "notes": lambda: notes_panel(choice, unit),
    }
    name, place = open_tab(choice, TABS[PAGE])
    with place:
        tabs[name]()


def grids(
    choice: Choice, layer: Layer, unit: Unit, shown: Sequence[Answer], band: str, buttons: Place
) -> None:
    """Draw reconstructions and patches on one scale; the buttons go into the heading."""
    scale = answers.scale_for(choice.values.get("scale", "clipped"), shown)

    gallery(
        answers.side_by_side(shown, scale, choice.rank),
        key="map_top",
        on_pick=lambda place: choose_tile(choice, int(place)),
    )
    messages.missing_note(choice, shown)
    messages.changed_note(choice)
    for answer in shown:
        stem = file_stem(choice, layer.name, unit.channel, answer.label, band)
        part = "" if band == bands.TOP else bands.BANDS.get(band, f"peaks {band}")
        rule = "" if choice.rule == "deconvnet" else RULE_NAMES[choice.rule]
        words = [choice.title_of(unit), answer.label, part, rule, choice.dataset.name]
        line = " · ".join(filter(None, words))
        title = f"Download {answer.label or 'all'}" if len(shown) > 1 else "Download"
        with buttons:
            key = f"map_{answer.label}"
            downloads(
                *(answer.pictures.all, stem, layer, scale, choice.made, key, title, line),
                copies=answer.copies,
                names=answer.names,
                ranks=answer.ranks,
            )


def display(choice: Choice, k: int, band: str, shown: Sequence[Answer]) -> None:
    """Draw what a person can change about the grids, and the scale in words."""
    name = choice.values.get("scale", "clipped")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        pickers.scale_picker(PAGE, name)
        pickers.rule_picker(PAGE, choice.rule)
        pickers.band_picker(PAGE, band)
        pickers.count_picker(PAGE, k)
        pickers.copies_switch(PAGE, choice)
        if any(answer.pictures.found for answer in shown):
            scale = answers.scale_for(name, shown)
            rule = RULE_NAMES[choice.rule]
            st.caption(f"Reconstructions ({rule}): {scale.caption}.", width="content")


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
