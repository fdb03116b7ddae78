"""The guided tour: feature maps worth seeing, for the weights that are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard import address
from dashboard.shell import Choice, escape
from deconv_core.demo import demo_stories
from deconv_core.index_files import Manifest
from deconv_core.units import Unit


@dataclass(frozen=True)
class Stop:
    """One stop of the tour: a map, what to see in it, and how that is known."""

    unit: Unit
    name: str
    title: str
    labels: tuple[str, ...]
    measured: str = ""


PUBLISHED = (
    Stop(Unit("conv2_2", 59), "curves", "Answers to curves", ("people",)),
    Stop(Unit("conv3_4", 166), "O shapes", "Answers to O shapes", ("people",)),
    Stop(Unit("conv4_4", 349), "eyes with nose", "Answers to eyes with a nose", ("dog",)),
    Stop(
        Unit("conv4_4", 171),
        "a dog's nose",
        "Answers to a dog's nose; in people, to eyes and mouth",
        ("dog", "people"),
    ),
)
"""Seen by the author of the original program in Caltech-256 'people' and 'dog', in the weights of
the Caffe release. In other weights these numbers mean other things."""


def stops(choice: Choice) -> Sequence[Stop]:
    """The tour for what is loaded; empty if nobody told one."""
    if choice.index is None:
        return ()
    if choice.network.network_id == "demo" and choice.dataset.dataset_id == "demo":
        return _measured()
    return PUBLISHED if is_caffe_vgg19(choice.index.manifest) else ()


def _measured() -> tuple[Stop, ...]:
    try:
        told = demo_stories()
    except (OSError, ValueError, KeyError):
        return ()
    return tuple(
        Stop(
            story.unit,
            story.title.partition(";")[0],
            story.title,
            # One part is best seen among everything else; two answers, side by side.
            story.labels if len(story.labels) > 1 else (),
            f"Measured on drawings that took no part in the search: average precision "
            f"{story.score:.2f}, where a map that knows nothing would reach {story.chance:.3f}.",
        )
        for story in told
    )


def is_caffe_vgg19(manifest: Manifest) -> bool:
    """True for VGG19 of full width with the Caffe release's preprocessing."""
    full = [layer.channels for layer in manifest.layers if layer.name in ("conv1_1", "conv5_4")]
    return manifest.preprocessing == "caffe" and full == [64, 512] and manifest.network != "random"


def tour(choice: Choice, unit: Unit) -> None:
    """Where the tour goes; at one of its stops, what there is to see."""
    listed = stops(choice)
    if not listed:
        return
    here = [place for place, stop in enumerate(listed) if stop.unit == unit]
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.caption("Tour", width="content")
        for place, stop in enumerate(listed):
            st.page_link(
                address.PAGE_FILES["feature_map"],
                label=f"**{stop.name}**" if place in here else stop.name,
                icon=":material/radio_button_checked:" if place in here else ":material/circle:",
                query_params=_link(choice, stop),
                help=f"{stop.unit}",
            )
    if here:
        stop = listed[here[0]]
        st.info(f"**{escape(stop.title)}.** {stop.measured}", icon=":material/tour:")


def _link(choice: Choice, stop: Stop) -> dict[str, str]:
    known = choice.index.labels if choice.index else {}
    labels = [label for label in stop.labels if label in known]
    return address.link_to(
        layer=stop.unit.layer,
        map=stop.unit.channel,
        label=labels[0] if labels else None,
        label2=labels[1] if len(labels) > 1 else None,
    )
