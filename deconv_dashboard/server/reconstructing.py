"""Computes reconstructions and feature maps for the pages: one at a time, newest request first."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

import deconv_core
from deconv_core.errors import CancelledError, DeconvError, ImageError
from deconv_core.images.folder import ImageFolder, SeenImage
from deconv_core.pictures import Reconstruction, Rule
from deconv_core.units import Activation
from deconv_dashboard.queue.page_work import PageWork
from deconv_dashboard.server import resources
from deconv_dashboard.server.late_work import LateWork
from deconv_dashboard.server.locks import Newest
from deconv_dashboard.values import Choice, PictureKey, Pictures

log = logging.getLogger("deconv.dashboard")
if os.environ.get("DECONV_LOG"):
    logging.basicConfig(level=os.environ["DECONV_LOG"].upper())

PAINT_SECONDS = 0.3
_CHUNK = 3
"""Number of reconstructions between two checks for a newer request."""
LATER = LateWork()
"""Writes to the data folder; it stays when any visitor has the caches cleared."""


def begin_request() -> threading.Event:
    """Cancel older work of this session; called once at the top of every page run."""
    newest = st.session_state.setdefault("newest_request", Newest())
    flag: threading.Event = newest.begin()
    st.session_state["request_flag"] = flag
    return flag


def let_them_paint() -> None:
    """Wait a moment before the first chart or table of a session.

    The browser loads megabytes of code for charts and tables, and would do this before it draws the
    pictures that it already has. A newer request ends the wait.
    """
    if not st.session_state.get("charts_loaded"):
        st.session_state["charts_loaded"] = True
        (st.session_state.get("request_flag") or begin_request()).wait(PAINT_SECONDS)


def compute(work: Callable[[threading.Event], Any]) -> Any:
    """Run ``work(cancel)`` alone, while background jobs rest.

    After a newer request, this page run ends without a message.
    """
    cancel = st.session_state.get("request_flag") or begin_request()
    try:
        with resources.turn().taken(cancel), PageWork(resources.registry().home).going_on():
            return work(cancel)
    except CancelledError:
        st.stop()


@dataclass(frozen=True, eq=False)
class _Order:
    """Activations to reconstruct, and everything needed for it.

    Attributes:
        activations: the activations.
        folder: the folder of their images.
        network: a function that loads the network, perhaps slowly.
        scanned: image id -> SHA-256 that the image must have; None accepts any content.
        keys: rank -> key of the reconstruction.
        missing: rank -> why an image cannot be read.
        rule: how rectifications are undone.
    """

    activations: Sequence[Activation]
    folder: ImageFolder
    network: Callable[[], deconv_core.Network]
    scanned: Mapping[str, str] | None
    keys: dict[int, PictureKey]
    missing: dict[int, DeconvError]
    rule: Rule


def watched(
    choice: Choice,
    activations: Sequence[Activation],
    place: str,
    height: int,
    rule: Rule = "deconvnet",
) -> Pictures:
    """Reconstruct activations of the index, and show the progress; cached ones appear at once.

    Args:
        choice: network and dataset.
        activations: the activations.
        place: names the place of the pictures on the page.
        height: height that is reserved for the first pictures at this place, in pixels; 0 for none.
        rule: how rectifications are undone.

    Raises:
        DeconvError: no weights, no folder, or the index belongs to another network.
    """
    return _watched(_order_of_index(choice, activations, rule), place, height)


def at_hand(choice: Choice, activations: Sequence[Activation]) -> bool:
    """True if they, or their tiles, are in memory or in the data folder."""
    keys, store = keys_of(choice, activations).values(), resources.picture_store()
    return all(store.get(key) is not None or resources.is_kept(key) for key in keys)


def keys_of(choice: Choice, activations: Sequence[Activation]) -> dict[int, PictureKey]:
    """Rank -> key of the reconstruction by the deconvnet, of those whose image is there."""
    return _order_of_index(choice, activations, "deconvnet").keys


def watched_in(
    network: deconv_core.Network,
    folder: ImageFolder,
    activations: Sequence[Activation],
    place: str,
    height: int,
    rule: Rule = "deconvnet",
) -> Pictures:
    """Reconstruct activations without an index: any network, any images.

    Raises:
        DeconvError: they cannot be reconstructed.
    """
    order = _order(activations, folder, network.fingerprint, lambda: network, None, rule)
    return _watched(order, place, height)


def _order_of_index(choice: Choice, activations: Sequence[Activation], rule: Rule) -> _Order:
    assert choice.index is not None, "there are activations only with an index"
    return _order(
        activations,
        resources.images_of(choice.dataset),
        choice.index.manifest.fingerprint,
        lambda: matching_network(choice),
        choice.index.content_hashes(found.image_id for found in activations),
        rule,
    )


def _order(
    activations: Sequence[Activation],
    folder: ImageFolder,
    fingerprint: str,
    network: Callable[[], deconv_core.Network],
    scanned: Mapping[str, str] | None,
    rule: Rule,
) -> _Order:
    """Read the current state of the images' files."""
    keys, missing = {}, {}
    for rank, activation in enumerate(activations, 1):
        name = activation.image_id
        try:
            content = folder.content(folder.position(name))
        except ImageError as error:
            missing[rank] = error
        else:
            wanted = "" if scanned is None else scanned.get(name, "")
            keys[rank] = PictureKey(fingerprint, content, activation, wanted, rule)
    return _Order(activations, folder, network, scanned, keys, dict(missing), rule)


def _watched(order: _Order, place: str, height: int) -> Pictures:
    # Both are always drawn, so that the pictures after them keep their place in the page.
    line = st.container(key=f"reconstructing_{place}").empty()
    room = st.empty()
    found = _found_before(order)
    wanted = [rank for rank in order.keys if rank not in found]
    if wanted:
        line.caption(f"Reconstructing {order.activations[0].unit.layer} …")
        # Pictures of the run before stay in their place until the new ones are there.
        drawn = place in _places_drawn() or not height
        waiting = nullcontext() if drawn else room.skeleton(height=height)
        try:
            with waiting:
                compute(lambda cancel: _make(order, wanted, found, line, cancel))
        finally:
            line.empty()
            _keep([(order.keys[rank], found[rank]) for rank in wanted if rank in found])
    _places_drawn().add(place)
    keys = {rank: order.keys[rank] for rank in found}
    return Pictures(dict(sorted(found.items())), order.missing, keys)


def _places_drawn() -> set[str]:
    """The places of the open page with pictures, in this run or in the one before."""
    page = st.session_state.get("address_page")
    known: tuple[object, set[str]] = st.session_state.get("places_drawn", (None, set()))
    if known[0] != page:
        known = st.session_state["places_drawn"] = (page, set())
    return known[1]


def _found_before(order: _Order) -> dict[int, Reconstruction]:
    """Rank -> reconstruction, of those in memory or in the data folder."""
    store, found = resources.picture_store(), {}
    for rank, key in order.keys.items():
        kept = store.get(key)
        if kept is None and (kept := resources.kept_picture(key)) is not None:
            store.put(key, kept)
        if kept is not None:
            found[rank] = kept
    return found


def _keep(made: Sequence[tuple[PictureKey, Reconstruction]]) -> None:
    """Keep reconstructions in the data folder, after the page has painted them."""
    kept = resources.kept_pictures()

    def write() -> None:
        for key, picture in made:
            if (made_from := resources.made_from_of(key)) is not None:
                kept.put(made_from, picture)

    LATER.do(write)


def _make(
    order: _Order,
    wanted: Sequence[int],
    found: dict[int, Reconstruction],
    line: st.delta_generator.DeltaGenerator,
    cancel: threading.Event,
) -> None:
    """Reconstruct the wanted ranks into ``found`` and the store; errors go into ``missing``."""
    network, store, began = order.network(), resources.picture_store(), time.perf_counter()
    log.info("reconstructing %d of %s", len(wanted), order.activations[0].unit)
    for first in range(0, len(wanted), _CHUNK):
        if cancel.is_set():
            raise CancelledError("a newer request came")
        chunk = {rank: order.activations[rank - 1] for rank in wanted[first : first + _CHUNK]}
        for rank, made in _reconstruct_each(network, order, chunk).items():
            if isinstance(made, DeconvError):
                order.missing[rank] = made
            else:
                store.put(order.keys[rank], made)
                found[rank] = made
        done = len(found) + len(order.missing)
        line.caption(f"Reconstructing: {done} of {len(order.activations)}")
    seconds = time.perf_counter() - began
    log.info("done with %d of %s in %.2f s", len(wanted), order.activations[0].unit, seconds)


def _reconstruct_each(
    network: deconv_core.Network, order: _Order, chunk: dict[int, Activation]
) -> dict[int, Reconstruction | DeconvError]:
    """Rank -> the reconstruction, or the error."""
    cache = resources.reconstruction_cache()
    try:
        made = deconv_core.reconstruct(
            *(network, order.folder, list(chunk.values()), cache),
            scanned=order.scanned,
            rule=order.rule,
        )
        return dict(zip(chunk, made, strict=True))
    except DeconvError as error:
        if len(chunk) == 1:
            return dict.fromkeys(chunk, error)
    answers: dict[int, Reconstruction | DeconvError] = {}
    for rank, activation in chunk.items():
        answers |= _reconstruct_each(network, order, {rank: activation})
    return answers


def matching_network(choice: Choice) -> deconv_core.Network:
    """The chosen network, after a check that the index belongs to it and to the dataset's settings.

    Raises:
        IndexMismatchError: the index belongs to another network or to other settings.
        WeightsError: the weights are missing or cannot be used.
    """
    network = resources.network_of(choice)
    if choice.index is not None:
        from deconv_core.exact import check_made_with  # loads torch

        check_made_with(choice.index, network, resources.images_of(choice.dataset))
    return network


def planes(network: deconv_core.Network, seen: SeenImage, layer: str) -> npt.NDArray[np.float32]:
    """All feature maps (C, H, W) of a layer for one image; the last ones are cached.

    Raises:
        DeconvError: the network has no such layer.
    """

    def work(cancel: threading.Event) -> npt.NDArray[np.float32]:
        from deconv_core.reconstruction.whole_image import feature_maps  # loads torch

        del cancel
        store, key = resources.plane_store(), (network.fingerprint, seen.content, layer)
        kept = store.get(key)
        if kept is None:
            kept = feature_maps(network, seen.pixels, layer)
            store.put(key, kept)
        return kept

    found: npt.NDArray[np.float32] = compute(work)
    return found


def strongest_by_layer(network: deconv_core.Network, seen: SeenImage) -> pd.DataFrame:
    """The strongest map of every convolution in one image: layer, channel, value, row, column."""
    found: pd.DataFrame = compute(
        lambda _: resources.strongest(network, network.fingerprint, seen, seen.content)
    )
    return found
