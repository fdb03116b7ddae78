"""How much of a picture is about its map: measured on request, for the chosen tile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from deconv_core.errors import DeconvError
from deconv_core.images.decoding import Pixels
from deconv_core.output.specificity_figures import deletion_curves, similarity_dots
from deconv_core.pictures import RULE_NAMES, Reconstruction
from deconv_dashboard.frame import messages
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.gallery import answers
from deconv_dashboard.gallery.tiles import Panel, Tile, gallery
from deconv_dashboard.server import drawn, reconstructing, resources
from deconv_dashboard.values import Choice, PictureKey

if TYPE_CHECKING:
    from deconv_core.specificity.specificity import Deletion, Specificity

_PLAIN = {"displayModeBar": False}


def about_panel(choice: Choice, picked: answers.Picked) -> None:
    """Draw the measurements of the chosen tile's picture, or the button that makes them."""
    st.markdown(f"## About this picture: rank {picked.rank}")
    st.caption(
        f"{escape(picked.activation.image_id)} · how much of this picture is about its map, and "
        "how much about the image? It is compared with pictures of other maps and of random "
        "networks from the same place, and with the edges of the patch. Then pixels are replaced "
        "in the order of each picture. There is no accepted threshold; these are positions in a "
        "distribution."
    )
    if picked.picture is None or picked.key is None:
        st.caption("There is no picture to measure.")
        return
    kept = resources.specificities()
    found, row, place = kept.get(picked.key), st.empty(), st.empty()
    if found is None:
        with row.container(horizontal=True, vertical_alignment="center"):
            pressed = st.button("Measure", icon=":material/monitoring:", key="measure")
            said = st.empty()
        if not pressed:
            said.caption("Takes some seconds. Anything that you click meanwhile cancels it.")
            return
        said.caption("Measuring …")
        try:
            found = _measured(choice, picked.picture, place, said)
        except DeconvError as error:
            messages.trouble(choice, error)
            return
        kept.put(picked.key, found)
        row.empty()
    _draw(place, found, picked.key)


def _measured(choice: Choice, picture: Reconstruction, place: Place, said: Place) -> Specificity:
    """Measure a picture, and draw what is known so far."""
    seen = resources.scanned_image(choice, picture.activation.image_id)
    network = reconstructing.matching_network(choice)

    def work(cancel: threading.Event) -> Specificity:
        return _step_by_step(network, picture, seen.pixels, cancel, place, said)

    found: Specificity = reconstructing.compute(work)
    return found


def _step_by_step(
    network: object,
    picture: Reconstruction,
    pixels: Pixels,
    cancel: threading.Event,
    place: Place,
    said: Place,
) -> Specificity:
    from deconv_core.specificity.measurement import measure  # loads torch

    known: Specificity | None = None
    for known in measure(network, picture, pixels, cancel):  # type: ignore[arg-type]
        maps = len(known.channels)
        if known.deletion is not None:
            said.caption(f"Measuring: deletion, {len(known.deletion.others)} of {maps} maps")
            continue
        if known.random_networks:
            said.caption("Measuring: deletion")
        else:
            said.caption(f"Measuring: {len(known.other_maps)} of {maps} other maps")
        _draw(place, known, None)
    assert known is not None, "the first part comes at once"
    return known


def _draw(place: Place, found: Specificity, key: PictureKey | None) -> None:
    with place.container():
        left, right = st.columns(2, gap="medium")
        with left:
            _similarities(found, key)
        with right:
            if found.deletion is not None:
                _deletion(found, found.deletion, key)
            elif key is not None:
                st.markdown("**Deletion**")
                st.caption(
                    "The receptive field has less than 100 pixels, so it cannot be replaced in "
                    "steps of one percent."
                )


def _similarities(found: Specificity, key: PictureKey | None) -> None:
    st.markdown("**Similar pictures from the same place**")
    spearman = [one.spearman for one in found.other_maps]
    rows: list[tuple[str, Sequence[float]]] = [
        (f"{len(spearman)} other maps: shapes", spearman),
        ("other maps: signed", [one.cosine for one in found.other_maps]),
    ]
    if found.random_networks:
        rows += [
            ("random networks: shapes", [one.spearman for one in found.random_networks]),
            ("random networks: signed", [one.cosine for one in found.random_networks]),
        ]
    if found.edges is not None:
        rows.append(("edges of the patch", [found.edges]))
    st.plotly_chart(
        similarity_dots(rows),
        key=f"similarities {key is None} {len(rows)} {len(spearman)}",
        config=_PLAIN,
        alt="Similarity of this picture to others from the same place",
    )
    st.caption(
        "Shapes: Spearman's correlation of the absolute values. Signed: cosine of the signed "
        "values. 1 is an equal picture. Lines: medians."
    )
    if key is not None and found.extremes is not None:
        _extremes(found, found.extremes)


def _extremes(found: Specificity, extremes: tuple[int, int]) -> None:
    own, unit = found.picture, found.picture.activation.unit
    tiles = [Tile(drawn.own_scale_png(own), f"This picture of {unit}", f"this map, {unit.channel}")]
    for place, pixels, what in zip(
        extremes, found.extreme_pictures, ("most", "least"), strict=True
    ):
        channel, alike = found.channels[place], found.other_maps[place].spearman
        tiles.append(
            Tile(
                drawn.own_scale_png(own, pixels),
                f"Picture of map {channel} from the same place",
                f"{what} similar: map {channel}",
                f"{alike:.2f}",
            )
        )
    gallery([Panel("", tiles, columns=3)], key="extremes", panel_columns=1)


def _deletion(found: Specificity, made: Deletion, key: PictureKey | None) -> None:
    from deconv_core.specificity.deletion import PERCENT, PERCENT_OF_OTHERS  # loads torch

    st.markdown("**Deletion**")
    named = [("random order", made.random)]
    named += [(RULE_NAMES[rule], curve) for rule, curve in made.rules.items()]  # type: ignore[index]
    st.plotly_chart(
        deletion_curves(PERCENT, made.own, PERCENT_OF_OTHERS, made.others, named),
        key=f"deletion {key is None} {len(made.others)}",
        config=_PLAIN,
        alt="The activation that is left as pixels are replaced",
    )
    st.caption(f"{found.sentence} Pixels are replaced by a blur of the image.")
