"""Reconstructions and feature maps for the pages: one at a time, the newest request first."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.compute import Newest
from deconv_core.decoding import Pixels
from deconv_core.errors import CancelledError, DeconvError
from deconv_core.images import ImageFolder
from deconv_core.units import Activation

if TYPE_CHECKING:
    from dashboard.choice import Choice
    from deconv_core.network import Network
    from deconv_core.reconstruction import Reconstruction

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


@dataclass(frozen=True)
class Pictures:
    """Reconstructions of a list of activations.

    Attributes:
        found: rank (from 1) -> reconstruction.
        missing: rank -> why there is none (the image is gone or was changed).
    """

    found: dict[int, Reconstruction]
    missing: dict[int, str]

    @property
    def all(self) -> list[Reconstruction]:
        """Those found, in order."""
        return list(self.found.values())


def key_of(choice: Choice, activation: Activation) -> str:
    """Names one reconstruction on this server."""
    index = choice.index
    made = index.manifest.fingerprint if index else choice.network.network_id
    place = f"{activation.unit}@{activation.row},{activation.column}"
    return f"{made}:{choice.dataset.dataset_id}:{activation.image_id}:{place}:{activation.value!r}"


def reconstructions(
    choice: Choice,
    activations: Sequence[Activation],
    progress: Callable[[int, int], None] | None = None,
    images: ImageFolder | None = None,
) -> Pictures:
    """Reconstruct activations, those that are kept at once.

    Args:
        choice: network and dataset.
        activations: what to reconstruct.
        progress: called with (finished, in all) when something has to be computed.
        images: in place of the dataset's.

    Raises:
        DeconvError: no weights, no folder, or the index belongs to another network.
    """
    keys = [key_of(choice, activation) for activation in activations]
    store = resources.picture_store()
    found = {rank: kept for rank, key in enumerate(keys, 1) if (kept := store.get(key))}
    missing: dict[int, str] = {}
    wanted = [rank for rank in range(1, len(keys) + 1) if rank not in found]
    if wanted:
        folder = resources.images_of(choice.dataset) if images is None else images

        def work(cancel: threading.Event) -> None:
            network = matching_network(choice)
            began = time.perf_counter()
            log.info("reconstructing %d of %s", len(wanted), activations[0].unit)
            for first in range(0, len(wanted), _CHUNK):
                if cancel.is_set():
                    raise CancelledError("a newer request came")
                chunk = {rank: activations[rank - 1] for rank in wanted[first : first + _CHUNK]}
                for rank, made in _reconstruct_each(network, folder, chunk).items():
                    if isinstance(made, str):
                        missing[rank] = made
                    else:
                        store.put(keys[rank - 1], made)
                        found[rank] = made
                if progress is not None:
                    progress(len(found) + len(missing), len(keys))
            seconds = time.perf_counter() - began
            log.info("done with %d of %s in %.2f s", len(wanted), activations[0].unit, seconds)

        compute(work)
    return Pictures(dict(sorted(found.items())), missing)


def watched(
    choice: Choice,
    activations: Sequence[Activation],
    height: int,
    images: ImageFolder | None = None,
) -> Pictures:
    """The same; while that takes time, an empty place and how far it is.

    Args:
        choice: network and dataset.
        activations: what to reconstruct.
        height: of the place, in pixels.
        images: in place of the dataset's.

    Raises:
        DeconvError: as :func:`reconstructions`.
    """
    line = st.empty()  # always there: what follows keeps its place in the page
    if all_kept(choice, activations):
        return reconstructions(choice, activations, images=images)
    line.caption(f"Reconstructing {activations[0].unit.layer} …")
    try:
        with st.skeleton(height=height):
            return reconstructions(
                choice,
                activations,
                lambda done, total: _say(line, done, total),
                images=images,
            )
    finally:
        line.empty()


def _say(line: st.delta_generator.DeltaGenerator, done: int, total: int) -> None:
    line.caption(f"Reconstructing: {done} of {total}")


def matching_network(choice: Choice) -> Network:
    """The chosen network, if the index was made with it.

    Raises:
        DeconvError: it was made with other weights, or these are missing.
    """
    network = resources.network_of(choice)
    if choice.index is not None and choice.index.manifest.fingerprint != network.fingerprint:
        raise DeconvError(
            f"the index of {choice.dataset.name} was made with other weights than "
            f"{choice.network.name} has now; scan again on Start"
        )
    return network


def _reconstruct_each(
    network: Network, folder: ImageFolder, chunk: dict[int, Activation]
) -> dict[int, Reconstruction | str]:
    """One answer a rank: the reconstruction, or why there is none."""
    from deconv_core.reconstruction import reconstruct

    cache = resources.reconstruction_cache()
    try:
        made = reconstruct(network, folder, list(chunk.values()), cache)
        return dict(zip(chunk, made, strict=True))
    except DeconvError as error:
        if len(chunk) == 1:
            return dict.fromkeys(chunk, str(error))
    answers: dict[int, Reconstruction | str] = {}
    for rank, activation in chunk.items():
        answers |= _reconstruct_each(network, folder, {rank: activation})
    return answers


def all_kept(choice: Choice, activations: Sequence[Activation]) -> bool:
    """True if no reconstruction has to be computed."""
    store = resources.picture_store()
    return all(store.get(key_of(choice, activation)) for activation in activations)


def planes(choice: Choice, key: str, pixels: Pixels, layer: str) -> npt.NDArray[np.float32]:
    """All feature maps (C, H, W) of a layer for one image; the last few are kept.

    Args:
        choice: the network.
        key: names the image.
        pixels: of the image.
        layer: which layer.
    """

    def work(cancel: threading.Event) -> npt.NDArray[np.float32]:
        import torch

        from deconv_core.deconvnet import convnet_pass

        del cancel
        kept, network = resources.plane_store(), resources.network_of(choice)
        name = f"{network.fingerprint}:{key}:{layer}"
        if name not in kept:
            inputs = network.normalise(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None])
            kept[name] = convnet_pass(network, inputs, layer).feature_maps[0].numpy()
            while len(kept) > 8:
                kept.popitem(last=False)
        kept.move_to_end(name)
        return kept[name]

    found: npt.NDArray[np.float32] = compute(work)
    return found


def strongest_by_layer(choice: Choice, key: str, pixels: Pixels) -> pd.DataFrame:
    """The strongest map of every convolution in one image: layer, channel, value, row, column."""

    def work(cancel: threading.Event) -> pd.DataFrame:
        del cancel
        network = resources.network_of(choice)
        return resources.strongest(network, pixels, f"{network.fingerprint}:{key}")

    found: pd.DataFrame = compute(work)
    return found
