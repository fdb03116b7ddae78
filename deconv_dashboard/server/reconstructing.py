"""Reconstructions and feature maps for the pages: one at a time, the newest request first."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from deconv_core.errors import CancelledError, DeconvError, ImageError
from deconv_core.images.folder import ImageFolder
from deconv_core.units import Activation
from deconv_dashboard.server import resources
from deconv_dashboard.server.locks import Newest
from deconv_dashboard.values import PictureKey, Pictures

if TYPE_CHECKING:
    from deconv_core.network.network import Network
    from deconv_core.reconstruction.cache import SeenImage
    from deconv_core.reconstruction.reconstruct import Reconstruction
    from deconv_dashboard.values import Choice

log = logging.getLogger("deconv.dashboard")
if os.environ.get("DECONV_LOG"):
    logging.basicConfig(level=os.environ["DECONV_LOG"].upper())

PAINT_SECONDS = 0.3
_CHUNK = 3
"""Reconstructions between two looks at whether somebody still wants them."""


def begin_request() -> threading.Event:
    """Called once at the top of every page run: older work of this session is given up."""
    newest = st.session_state.setdefault("newest_request", Newest())
    flag: threading.Event = newest.begin()
    st.session_state["request_flag"] = flag
    return flag


def let_them_paint() -> None:
    """Once in a session, wait a moment before the first chart or table.

    The browser has to load megabytes of code for those, and would do so before it paints the
    pictures that it already has. A newer request ends the wait.
    """
    if not st.session_state.get("charts_loaded"):
        st.session_state["charts_loaded"] = True
        (st.session_state.get("request_flag") or begin_request()).wait(PAINT_SECONDS)


def compute(work: Callable[[threading.Event], Any]) -> Any:
    """Run ``work(cancel)`` alone; if a newer request came, end this page run silently."""
    cancel = st.session_state.get("request_flag") or begin_request()
    try:
        with resources.turn().taken(cancel):
            return work(cancel)
    except CancelledError:
        st.stop()


@dataclass(frozen=True, eq=False)
class _Order:
    """Activations to reconstruct, with all that it takes.

    Attributes:
        activations: what.
        folder: where their images are.
        network: gives the network; it may be slow.
        scanned: SHA-256 that the images have to have; None takes them as they are.
        keys: rank -> what the picture is made from.
        missing: rank -> why an image cannot be read.
    """

    activations: Sequence[Activation]
    folder: ImageFolder
    network: Callable[[], Network]
    scanned: Mapping[str, str] | None
    keys: dict[int, PictureKey]
    missing: dict[int, DeconvError]


def watched(choice: Choice, activations: Sequence[Activation], height: int) -> Pictures:
    """Reconstruct activations of the index; while that takes time, says how far it is.

    Those that are kept are there at once.

    Args:
        choice: network and dataset.
        activations: what to reconstruct.
        height: of the place that is kept for them, in pixels.

    Raises:
        DeconvError: no weights, no folder, or the index belongs to another network.
    """
    assert choice.index is not None, "activations of an index come from one"
    order = _order(
        activations,
        resources.images_of(choice.dataset),
        choice.index.manifest.fingerprint,
        lambda: matching_network(choice),
        choice.index.content_hashes(found.image_id for found in activations),
    )
    return _watched(order, height)


def watched_in(
    network: Network, folder: ImageFolder, activations: Sequence[Activation], height: int
) -> Pictures:
    """The same for activations that no index has: of any network, in any images.

    Raises:
        DeconvError: they cannot be reconstructed.
    """
    order = _order(activations, folder, network.fingerprint, lambda: network, None)
    return _watched(order, height)


def _order(
    activations: Sequence[Activation],
    folder: ImageFolder,
    fingerprint: str,
    network: Callable[[], Network],
    scanned: Mapping[str, str] | None,
) -> _Order:
    """Look at the images' files as they are now."""
    keys, missing = {}, {}
    for rank, activation in enumerate(activations, 1):
        name = activation.image_id
        try:
            content = folder.content(folder.position(name))
        except ImageError as error:
            missing[rank] = error
        else:
            wanted = "" if scanned is None else scanned.get(name, "")
            keys[rank] = PictureKey(fingerprint, content, activation, wanted)
    return _Order(activations, folder, network, scanned, keys, dict(missing))


def _watched(order: _Order, height: int) -> Pictures:
    line = st.empty()  # always there: what follows keeps its place in the page
    store = resources.picture_store()
    found = {rank: kept for rank, key in order.keys.items() if (kept := store.get(key))}
    wanted = [rank for rank in order.keys if rank not in found]
    if wanted:
        line.caption(f"Reconstructing {order.activations[0].unit.layer} …")
        try:
            with st.skeleton(height=height):
                compute(lambda cancel: _make(order, wanted, found, line, cancel))
        finally:
            line.empty()
    keys = {rank: order.keys[rank] for rank in found}
    return Pictures(dict(sorted(found.items())), order.missing, keys)


def _make(
    order: _Order,
    wanted: Sequence[int],
    found: dict[int, Reconstruction],
    line: st.delta_generator.DeltaGenerator,
    cancel: threading.Event,
) -> None:
    """Reconstruct what is wanted into ``found`` and the store; what cannot be is missing."""
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
    network: Network, order: _Order, chunk: dict[int, Activation]
) -> dict[int, Reconstruction | DeconvError]:
    """One answer a rank: the reconstruction, or why there is none."""
    from deconv_core.reconstruction.reconstruct import reconstruct

    cache = resources.reconstruction_cache()
    try:
        made = reconstruct(
            network, order.folder, list(chunk.values()), cache, scanned=order.scanned
        )
        return dict(zip(chunk, made, strict=True))
    except DeconvError as error:
        if len(chunk) == 1:
            return dict.fromkeys(chunk, error)
    answers: dict[int, Reconstruction | DeconvError] = {}
    for rank, activation in chunk.items():
        answers |= _reconstruct_each(network, order, {rank: activation})
    return answers


def matching_network(choice: Choice) -> Network:
    """The chosen network, if the index was made with it and from images read as they are now.

    Raises:
        IndexMismatchError: it was not.
        WeightsError: these are missing, or cannot be used.
    """
    network = resources.network_of(choice)
    if choice.index is not None:
        from deconv_core.exact import check_made_with

        check_made_with(choice.index, network, resources.images_of(choice.dataset))
    return network


def planes(network: Network, seen: SeenImage, layer: str) -> npt.NDArray[np.float32]:
    """All feature maps (C, H, W) of a layer for one image; those of the last few are kept.

    Raises:
        DeconvError: the network has no such layer.
    """

    def work(cancel: threading.Event) -> npt.NDArray[np.float32]:
        import torch

        from deconv_core.deconvnet import convnet_pass

        del cancel
        store, key = resources.plane_store(), (network.fingerprint, seen.content, layer)
        kept = store.get(key)
        if kept is None:
            inputs = network.normalise(torch.from_numpy(seen.pixels.copy()).permute(2, 0, 1)[None])
            kept = convnet_pass(network, inputs, layer).feature_maps[0].numpy()
            store.put(key, kept)
        return kept

    found: npt.NDArray[np.float32] = compute(work)
    return found


def strongest_by_layer(network: Network, seen: SeenImage) -> pd.DataFrame:
    """The strongest map of every convolution in one image: layer, channel, value, row, column."""
    found: pd.DataFrame = compute(
        lambda cancel: resources.strongest(network, network.fingerprint, seen, seen.content)
    )
    return found
