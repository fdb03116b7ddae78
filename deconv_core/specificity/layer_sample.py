"""A layer at a glance: how specific the pictures of a seeded sample of its maps are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from deconv_core.arguments import callbacks, whole_number
from deconv_core.errors import CancelledError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.pictures import Reconstruction
from deconv_core.progress import CancelFlag, Progress, or_bar
from deconv_core.reconstruction.cache import ReconstructionCache
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.specificity.layer_table import (
    PAIR,
    PAIRS,
    SAMPLE_OTHERS,
    made_from,
    pair_of,
    read_layer_table,
    write_layer_table,
)
from deconv_core.specificity.measurement import measure
from deconv_core.specificity.table import specificity_table
from deconv_core.units import Activation


def sampled_pairs(
    index: ActivationIndex, layer: str, count: int = PAIRS, seed: int = 0
) -> list[Activation]:
    """Maps in random order, each with one of its nine strongest images; dead maps are passed over.

    A layer with fewer maps gives one pair for each.
    """
    generator = np.random.default_rng(seed)
    chosen: list[Activation] = []
    for channel in generator.permutation(index.layers[layer].channels).tolist():
        if len(chosen) == count:
            break
        if strongest := index.top(layer, channel):
            chosen.append(strongest[int(generator.integers(len(strongest)))])
    return chosen


def measure_layers(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    layers: Sequence[str],
    path: Path | None = None,
    *,
    pairs: int = PAIRS,
    others: int = SAMPLE_OTHERS,
    seed: int = 0,
    progress: Progress | Literal[False] | None = None,
    cancel: CancelFlag | None = None,
) -> pd.DataFrame:
    """Measure the pictures of ``sampled_pairs`` of some layers.

    Args:
        network: the network of the index.
        images: the images of the index.
        index: the index.
        layers: the layers.
        path: a CSV file to continue and to write after each picture; rows of other layers stay.
        pairs: how many pictures of each layer.
        others: with how many other maps of the layer each is compared.
        seed: of every choice.
        progress: called with (pictures measured, in all); None and False as for ``reconstruct``.
        cancel: set it to stop; what is measured stays in the file.

    Returns:
        The rows of these layers: ``specificity_table`` with the columns ``made_from`` and
        ``content`` (hash of the image) in front.

    Raises:
        DeconvError: there is no such layer, an argument is not allowed, or an image cannot be read
            or is not the one that was scanned.
        OSError: the file cannot be written.
        CancelledError: ``cancel`` was set.
    """
    callbacks(progress, cancel)
    report = or_bar(progress, "measuring", " pictures")
    whole_number("pairs", pairs, 1), whole_number("others", others, 1), whole_number("seed", seed)
    for layer in layers:
        network.layer(layer)
    key = made_from(index, others, seed)
    table = read_layer_table(path, index, key) if path else pd.DataFrame(columns=PAIR)
    known = dict(zip(table[PAIR].itertuples(False, None), table.to_dict("records"), strict=True))
    chosen = [found for layer in layers for found in sampled_pairs(index, layer, pairs, seed)]
    content = index.content_hashes(dict.fromkeys(found.image_id for found in chosen))
    asked = [pair_of(found, content[found.image_id]) for found in chosen]
    cache = ReconstructionCache()
    for number, (found, pair) in enumerate(zip(chosen, asked, strict=True)):
        if pair not in known:
            if cancel is not None and cancel.is_set():
                raise CancelledError(f"stopped after {number} of {len(asked)} pictures")
            (picture,) = reconstruct(network, images, [found], cache, False, cancel, content)
            made = measure_pictures(network, images, [picture], cache, cancel, others, seed)
            (row,) = made.to_dict("records")
            known[pair] = {"made_from": key, "content": content[found.image_id], **row}
            if path is not None:
                write_layer_table(path, pd.DataFrame(known.values()))
        if report is not None:
            report(number + 1, len(asked))
    return pd.DataFrame([known[pair] for pair in asked])


def measure_pictures(
    network: Network,
    images: ImageFolder,
    pictures: Iterable[Reconstruction],
    cache: ReconstructionCache,
    cancel: CancelFlag | None = None,
    others: int = SAMPLE_OTHERS,
    seed: int = 0,
) -> pd.DataFrame:
    """The ``specificity_table`` of some pictures, without curves of the other rules.

    Raises:
        ImageError: an image cannot be read.
        CancelledError: ``cancel`` was set.
    """
    measured = []
    for picture in pictures:
        position = images.position(picture.activation.image_id)
        pixels = cache.pixels(images, position, network.input_size)
        settings = network, picture, pixels, cancel
        *_, complete = measure(*settings, others=others, other_rules=False, seed=seed)
        measured.append(complete)
    return specificity_table(measured)
