"""The three rules beside each other, for the chosen tile."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.pictures import RULE_NAMES, RULES, Reconstruction
from deconv_dashboard.frame import messages
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.gallery import answers
from deconv_dashboard.gallery.tiles import Panel, Tile, gallery
from deconv_dashboard.server import drawn, reconstructing
from deconv_dashboard.values import Choice


def rules_panel(choice: Choice, picked: answers.Picked) -> None:
    """Draw the reconstructions of one activation by each rule, and how alike they are."""
    st.markdown(f"## The three rules: rank {picked.rank}")
    activation = picked.activation
    st.caption(
        f"{escape(activation.image_id)} · each picture on its own scale. Deconvnet: negative "
        "values become 0 on the way down. Gradient: values become 0 where the rectification was "
        "closed on the way up. Guided: both. Click another picture above to compare its rules."
    )
    tiles, pictures = [], []
    try:
        for rule in RULES:
            made = reconstructing.watched(
                choice, [activation], f"rule_{rule}", height=240, rule=rule
            )
            pictures += made.all
            tiles += [
                Tile(
                    drawn.tile_png(picture, made.keys[1], "reconstruction", answers.PER_TILE),
                    f"Reconstruction by the rule {rule}: {activation.unit}",
                    RULE_NAMES[rule].capitalize(),
                )
                for picture in made.all
            ]
    except DeconvError as error:
        messages.trouble(choice, error)
        return
    gallery([Panel("", tiles, columns=3)], key="rules", panel_columns=1)
    if len(pictures) == len(RULES):
        st.caption(_alike_text(pictures))


def _alike_text(pictures: Sequence[Reconstruction]) -> str:
    pairs = [
        f"{first.rule} and {second.rule} {alike(first, second):.2f}"
        for first, second in itertools.combinations(pictures, 2)
    ]
    return f"Correlation of the absolute values: {', '.join(pairs)}."


def alike(first: Reconstruction, second: Reconstruction) -> float:
    """Pearson's correlation of the absolute values of two pictures; 0 if one does not vary."""
    one, other = (np.abs(picture.pixels).ravel().astype(float) for picture in (first, second))
    if not one.std() or not other.std():
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
