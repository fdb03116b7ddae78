"""The guided tour: feature maps worth seeing, for the weights that are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from deconv_core.demo import Story, demo_stories
from deconv_core.index.manifest import Manifest
from deconv_core.units import Unit
from deconv_dashboard.data.names import distinct
from deconv_dashboard.frame import address
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.values import Choice


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
            story.title,
            story.title,
            # One part is best seen among everything else; two answers, side by side.
            story.labels if len(story.labels) > 1 else (),
            _told(story),
        )
        for story in told
    )


def _told(story: Story) -> str:
    """How the part was measured; of two answers, the first."""
    whose = f"For the first, in pictures of {story.labels[0]}: " if len(story.labels) > 1 else ""
    precision = f"average precision {story.score:.2f}"
    said = f"{whose}{precision}" if whose else precision.capitalize()
    return (
        f"{said} on drawings that took no part in the search; a map that knows nothing would "
        f"reach {story.chance:.3f}."
    )


def is_caffe_vgg19(manifest: Manifest) -> bool:
    """True for VGG19 of full width with the Caffe release's preprocessing."""
    full = [layer.channels for layer in manifest.layers if layer.name in ("conv1_1", "conv5_4")]
    return (
        manifest.preprocessing in ("caffe", "caffe-rgb")
        and full == [64, 512]
        and manifest.network != "random"
    )


def tour(choice: Choice, unit: Unit) -> None:
    """Where the tour goes; at one of its stops, what there is to see."""
    listed = stops(choice)
    if not listed:
        return
    here = [place for place, stop in enumerate(listed) if stop.unit == unit]
    st.session_state["tour"] = here[0] if here else None

    def go() -> None:
        place = st.session_state["tour"]
        stop = listed[here[0] if place is None else place]  # the chosen one, pressed again
        address.visit("feature_map", **_changes(choice, stop))

    labels = distinct(
        range(len(listed)),
        lambda place: escape(listed[place].name),
        lambda place: [escape(str(listed[place].unit))],
    )
    st.pills(
        "Tour",
        list(labels),
        format_func=labels.__getitem__,
        key="tour",
        on_change=go,
        label_visibility="collapsed",
    )
    if here:
        stop = listed[here[0]]
        st.markdown(f":material/tour: **{escape(stop.title)}.** :small[{stop.measured}]")


def tour_links(choice: Choice, most: int = 9) -> None:
    """The stops as links, for a page that is not itself one of them."""
    for stop in stops(choice)[:most]:
        st.page_link(
            address.PAGE_FILES["feature_map"],
            label=stop.name,
            query_params=address.link_to(**_changes(choice, stop)),
            help=f"{stop.unit}",
        )


def _changes(choice: Choice, stop: Stop) -> dict[str, object]:
    """The query parameters of a stop."""
    known = choice.index.labels if choice.index else {}
    labels = [label for label in stop.labels if label in known]
    return {
        "layer": stop.unit.layer,
        "map": stop.unit.channel,
        "label": labels[0] if labels else None,
        "label2": labels[1] if len(labels) > 1 else None,
    }
