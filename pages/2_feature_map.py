"""Feature map: what one map responds to, alone or beside another label, map or network."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.layers import Layer
from deconv_core.output.rendering import Scale
from deconv_core.pictures import RULE_NAMES
from deconv_core.units import Unit
from deconv_dashboard import bands
from deconv_dashboard.frame import messages, pickers
from deconv_dashboard.frame.address import TABS
from deconv_dashboard.frame.compare_pickers import compare_picker, second_pickers
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
from deconv_dashboard.gallery.photograph import photographs
from deconv_dashboard.gallery.rules_panel import rules_panel
from deconv_dashboard.gallery.similar_panel import similar_panel
from deconv_dashboard.gallery.spread_row import silent_images, spread_row
from deconv_dashboard.gallery.tiles import gallery
from deconv_dashboard.gallery.where_it_fired import where_it_fired
from deconv_dashboard.server import reconstructing
from deconv_dashboard.values import Answer, Choice

PAGE = "feature_map"


def toolbar(choice: Choice, index: ActivationIndex, layer: Layer) -> None:
    """Draw the pickers of the map, of the label, and of what to compare with."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        pickers.layer_picker(PAGE, index.layers, layer.name)
        pickers.map_picker(PAGE, layer, choice.map)
        st.space("stretch")
        here = choice.label or ""
        labels = [name for name in index.labels if name]
        with st.container(horizontal=True, gap="small", width="content"):
            if labels:
                pickers.label_picker(PAGE, "label", "Label", labels, here, "All labels")
            compare_picker(choice, [name for name in labels if name != here])
    second_pickers(choice)


def top_of_map(choice: Choice, buttons: Place) -> None:
    """Draw the grids, and below them the open tab."""
    k, band = int(choice.values.get("k", "9")), choice.values.get("band", bands.TOP)
    found = [answers.of_side(side, k, band) for side in choice.sides]
    messages.fires_in_line(choice.sides)
    compared = comparison.compared(choice)
    if compared is not None:
        st.markdown(escape(compared.sentence))
    messages.band_lines(choice.sides, band, k)
    checking = st.container()
    if any(answer.activations for answer in found):
        found = answers.with_pictures_of(choice.sides, found)
    scales = answers.scales_for(choice.values.get("scale", "clipped"), found)
    if any(answer.pictures.found for answer in found):
        grids(choice, found, scales, band, buttons)
        if compared is not None:
            with buttons:
                download_both(choice, compared, found, scales, band)
    if band == bands.SILENT:
        for side in choice.sides:
            silent_images(side, k)
    display(choice, k, band, found, scales)
    for side in choice.sides:
        spread_row(side)
    reconstructing.let_them_paint()
    tab(choice, found, compared)
    if band == bands.TOP:
        with checking:
            for side, answer in zip(choice.sides, found, strict=True):
                refining.settle(side, side.unit.layer, side.map, k, [answer])


def tab(choice: Choice, shown: Sequence[Answer], compared: comparison.Comparison | None) -> None:
    """Draw the open tab."""
    picked, unit = answers.chosen(shown, choice.rank), choice.unit
    side = choice.sides[picked.side if picked else 0]
    tabs = {
        "numbers": lambda: distribution(choice, shown, compared),
        "fired": lambda: of_chosen(side, picked, where_it_fired),
        "about": lambda: of_chosen(side, picked, about_panel),
        "rules": lambda: of_chosen(side, picked, rules_panel),
        "labels": lambda: labels_panel(choice, unit),
        "similar": lambda: similar_panel(choice, unit),
        "groups": lambda: groups_panel(choice, unit),
        "notes": lambda: notes_panel(choice, unit),
    }
    name, place = open_tab(choice, TABS[PAGE])
    with place:
        tabs[name]()


def grids(
    choice: Choice, shown: Sequence[Answer], scales: Sequence[Scale], band: str, buttons: Place
) -> None:
    """Draw reconstructions and patches; the buttons go into the heading."""
    gallery(
        answers.side_by_side(choice.sides, shown, scales, choice.rank),
        key="map_top",
        on_pick=lambda place: choose_tile(choice, int(place)),
    )
    missing = (side for side, one in zip(choice.sides, shown, strict=True) if one.pictures.missing)
    messages.missing_note(next(missing, choice), shown)
    messages.changed_note(choice)
    for side, answer, scale in zip(choice.sides, shown, scales, strict=True):
        with buttons:
            download_one(side, answer, scale, band, several=len(shown) > 1)


def download_one(side: Choice, answer: Answer, scale: Scale, band: str, *, several: bool) -> None:
    """Draw the downloads of one answer."""
    layer, unit = side.layers[side.unit.layer], side.unit
    part = "" if band == bands.TOP else bands.BANDS.get(band, f"peaks {band}")
    rule = "" if side.rule == "deconvnet" else RULE_NAMES[side.rule]
    words = [side.title_of(unit), answer.label, part, rule, side.dataset.name]
    downloads(
        answer.pictures.all,
        file_stem(side, layer.name, unit.channel, answer.label, band),
        layer,
        scale,
        side.made,
        f"map_{answer.called}",
        f"Pictures of {answer.called or 'all images'}" if several else "Download",
        " · ".join(filter(None, words)),
        copies=answer.copies,
        names=answer.names,
        ranks=answer.ranks,
    )


def display(
    choice: Choice, k: int, band: str, shown: Sequence[Answer], scales: Sequence[Scale]
) -> None:
    """Draw what a person can change about the grids, and the scale in words."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        pickers.scale_picker(PAGE, choice.values.get("scale", "clipped"))
        pickers.rule_picker(PAGE, choice.rule)
        pickers.band_picker(PAGE, band)
        pickers.count_picker(PAGE, k)
        pickers.copies_switch(PAGE, choice)
        if any(answer.pictures.found for answer in shown):
            rule, said = RULE_NAMES[choice.rule], answers.scales_in_words(shown, scales)
            st.caption(f"Reconstructions ({rule}): {escape(said)}.", width="content")


choice = shell(PAGE, title="Feature map")
named = choice.title_of(Unit(choice.layer.name, choice.map)) if choice.layer else "Feature map"
buttons = heading(choice, named)
index = require_index(choice)
layer = index.layers[choice.values["layer"]]
unit = Unit(layer.name, choice.map)
pickers.arrow_keys(PAGE, choice)
photographs(choice)
toolbar(choice, index, layer)
tour.tour(choice, unit)
with messages.explained(choice):
    top_of_map(choice, buttons)
