"""The guided tour: interesting feature maps of the chosen network."""

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
    """One stop of the tour: a feature map, what it responds to, and how this was measured."""

    unit: Unit
    name: str
    title: str
    labels: tuple[str, ...]
    measured: str = ""


PUBLISHED = (
    Stop(Unit("conv2_2", 59), "curves", "Responds to curves", ("people",)),
    Stop(Unit("conv3_4", 166), "O shapes", "Responds to O shapes", ("people",)),
    Stop(Unit("conv4_4", 349), "eyes with nose", "Responds to eyes with a nose", ("dog",)),
    Stop(
        Unit("conv4_4", 171),
        "a dog's nose",
        "Responds to a dog's nose; in people, to eyes and mouth",
        ("dog", "people"),
    ),
)
"""Maps that the author of the original program described, with the weights of the Caffe release and
the labels 'people' and 'dog' of Caltech-256. In other weights these numbers mean other maps."""

BEYOND = Stop(
    Unit("conv3_4", 50),
    "Beyond the top 9",
    "The nine strongest are birds’ eyes. The row From strongest to weakest shows that a plain "
    "surface activates this map almost half as much",
    (),
)
"""A map of the demo network whose strongest images mislead."""


def stops(choice: Choice) -> Sequence[Stop]:
    """The stops for the chosen network and dataset; empty if there is no tour for them."""
    if choice.index is None:
        return ()
    if choice.network.network_id == "demo" and choice.dataset.dataset_id == "demo":
        return _measured()
    return PUBLISHED if is_caffe_vgg19(choice.index.manifest) else ()


def _measured() -> tuple[Stop, ...]:
    try:
        stories = demo_stories()
    except (OSError, ValueError, KeyError):
        return ()
    told = tuple(
        Stop(
            story.unit,
            story.title,
            story.title,
            # A map with one meaning is shown over all images, one with two over both labels.
            story.labels if len(story.labels) > 1 else (),
            _measured_text(story),
        )
        for story in stories
    )
    return (*told, BEYOND)


def _measured_text(story: Story) -> str:
    """How well the map finds its part; for a map with two meanings, the first one."""
    first = f"For the first, in pictures of {story.labels[0]}: " if len(story.labels) > 1 else ""
    precision = f"average precision {story.score:.2f}"
    measured = f"{first}{precision}" if first else precision.capitalize()
    return (
        f"{measured} (chance {story.chance:.3f}), measured on drawings that were not used to find "
        "the map."
    )


def is_caffe_vgg19(manifest: Manifest) -> bool:
    """True for a full-width VGG19 with the preprocessing of the Caffe release."""
    full = [layer.channels for layer in manifest.layers if layer.name in ("conv1_1", "conv5_4")]
    return (
        manifest.preprocessing in ("caffe", "caffe-rgb")
        and full == [64, 512]
        and manifest.network != "random"
    )


def tour(choice: Choice, unit: Unit) -> None:
    """Draw the stops as buttons; at a stop, say what its map responds to."""
    listed = stops(choice)
    if not listed:
        return
    here = [place for place, stop in enumerate(listed) if stop.unit == unit]
    st.session_state["tour"] = here[0] if here else None

    def go() -> None:
        place = st.session_state["tour"]
        stop = listed[here[0] if place is None else place]  # None: the chosen stop pressed again
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
    """Draw the stops as links, for other pages than the Feature map page."""
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
        "map2": None,
        "network2": None,
    }
