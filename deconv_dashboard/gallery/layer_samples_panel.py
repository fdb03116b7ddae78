"""How specific the pictures of a network are, from layer to layer; a section of the Method page."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import pandas as pd
import streamlit as st

from deconv_core.demo import demo_index, demo_specificity
from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.output.specificity_figures import layer_boxes
from deconv_core.specificity.layer_table import PAIRS, incomplete_layers, read_layer_table
from deconv_core.specificity.table import LayerSpecificity, layer_specificities
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.frame.job_rows import watched
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.gallery.job_start import JobStart
from deconv_dashboard.jobs.layer_samples import sample_path, sampling_state, start_sampling
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.values import Choice

_PLAIN = {"displayModeBar": False}
_JOB = JobStart("sampling", "The measurement")


def sampled(choice: Choice) -> pd.DataFrame:
    """The pictures measured so far, in the order of the layers; empty if there are none."""
    index = choice.index
    if index is None:
        return pd.DataFrame()
    files = [sample_path(choice.registry, choice.dataset, choice.network)]
    if choice.registry.index_path(choice.dataset, choice.network) == demo_index():
        files.append(demo_specificity())
    try:
        tables = [read_layer_table(file, index) for file in files]
    except DeconvError:  # the index is damaged; ``layer_samples`` says so
        return pd.DataFrame()
    found = pd.concat([table for table in tables if len(table)] or tables[:1])
    found = found.drop_duplicates(["layer", "channel", "content", "row", "column"])
    places = {layer: place for place, layer in enumerate(index.layers)}
    return found.sort_values("layer", key=lambda names: names.map(places), kind="stable")


def in_words(found: pd.DataFrame) -> str:
    """The main numbers of the first and the last layer with deletion; "" if there are none."""
    layers = [one for one in layer_specificities(found) if not math.isnan(one.beaten)]
    some = layers if len(layers) < 2 else [layers[0], layers[-1]]
    return " ".join(_said(one) for one in some)


def _said(one: LayerSpecificity) -> str:
    return (
        f"At {escape(one.layer)} the similarity to other maps' pictures is {one.spearman:.2f}, and "
        f"a map's own picture lowers the activation faster than {one.beaten:.0%} of them."
    ).replace("%", " %")


def layer_samples(
    choice: Choice, index: ActivationIndex, found: pd.DataFrame, unusable: Collection[str]
) -> None:
    """Draw the figures, the table, and what measures more layers, except the unusable ones."""
    if len(found):
        _figures(choice, found)
    rest = [name for name in incomplete_layers(found, index) if name not in unusable]
    registry, dataset, network = choice.registry, choice.dataset, choice.network
    watched(
        lambda: sampling_state(registry, dataset, network),
        lambda state: _measuring(choice, rest, state),
        jobs=lambda state: [state],
    )


def _figures(choice: Choice, found: pd.DataFrame) -> None:
    alike, deletion = st.columns(2, gap="large")
    by_layer = list(found.groupby("layer", sort=False))
    values = {
        name: {str(layer): rows[name].tolist() for layer, rows in by_layer}
        for name in ("spearman", "random_networks")
    }
    beaten = {
        str(layer): (rows["beaten"] / rows["other_maps"]).dropna().tolist()
        for layer, rows in by_layer
    }
    with alike:
        st.markdown("**Similar pictures from the same place**")
        st.plotly_chart(
            layer_boxes(
                [
                    ("other maps", values["spearman"]),
                    ("random networks", values["random_networks"]),
                ],
                "Spearman's correlation",
                chance=None,
            ),
            key="sampled_alike",
            config=_PLAIN,
            alt="Similarity of pictures to those of other maps and random networks, by layer",
        )
        st.caption("1: the same outlines, whichever map. One dot is one picture.")
    with deletion:
        st.markdown("**Deletion**")
        st.plotly_chart(
            layer_boxes([("", beaten)], "other maps' pictures that lower it less", chance=0.5),
            key="sampled_deletion",
            config=_PLAIN,
            alt="Share of other maps' pictures that lower the activation less, by layer",
        )
        st.caption(
            "Dashed: chance, if a picture said nothing about its own map. Receptive fields of less "
            "than 100 pixels are too small."
        )
    with st.expander("Table of the measured pictures"):
        data_table(
            found.drop(columns="made_from"), "specificity", "specificity_table", made=choice.made
        )


def _measuring(choice: Choice, rest: Sequence[str], state: JobState) -> None:
    """Draw the running measurement, or the choice of layers and the button that starts one."""
    if not _JOB.possible(choice, state) or not rest:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect("Layers to measure", rest, key="sampled_layers", width=420)
        st.button(
            "Measure",
            key="sample",
            icon=":material/monitoring:",
            on_click=_JOB.attempt,
            args=(lambda: start_sampling(choice.registry, choice.dataset, choice.network, chosen),),
            disabled=not chosen,
        )
    st.caption(
        f"{PAIRS} pictures of each layer are measured in the background. This takes minutes; what "
        "is measured is kept."
    )
