"""``measure``: how specific a picture is, part by part as it becomes known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from deconv_core.arguments import callbacks, instance, shown, whole_number
from deconv_core.errors import CancelledError, DeconvError
from deconv_core.images.decoding import Pixels
from deconv_core.network.network import Network
from deconv_core.pictures import RULES, Reconstruction, Rule
from deconv_core.progress import CancelFlag
from deconv_core.specificity.deletion import (
    FEWEST_PIXELS,
    PERCENT_OF_OTHERS,
    REPLACEMENTS,
    Replacement,
    curves,
    random_ranks,
    ranks,
    replacement_of,
)
from deconv_core.specificity.edges import edges
from deconv_core.specificity.location import Floats, Location
from deconv_core.specificity.other_maps import OTHER_MAPS, other_maps
from deconv_core.specificity.random_networks import RANDOM_NETWORKS, random_network
from deconv_core.specificity.similarity import Similarity, similarities
from deconv_core.specificity.specificity import Deletion, Specificity

_TOGETHER = 8
"""Other maps whose curves are computed together: then there is news, and cancel is asked."""


def measure(
    network: Network,
    picture: Reconstruction,
    pixels: Pixels,
    cancel: CancelFlag | None = None,
    *,
    others: int = OTHER_MAPS,
    other_rules: bool = True,
    replacement: Replacement = "blur",
    seed: int = 0,
) -> Iterator[Specificity]:
    """Measure how specific a picture is for its map.

    Args:
        network: what it was made with.
        picture: from ``reconstruct``, by any rule.
        pixels: its whole image as the network sees it, uint8 (height, width, 3).
        cancel: set it to stop.
        others: with how many other maps of the layer it is compared.
        other_rules: False leaves out the deletion curves of the pictures by the other rules.
        replacement: what pixels are replaced by: "blur", "grey" or "mean".
        seed: of the choice of maps, the random networks and the random order.

    Yields:
        What is known so far, more each time: similarities to edges and to ever more other maps'
        pictures, then to random networks' pictures, then deletion, with ever more other maps. The
        last one is complete. Fields of less than 100 pixels have no deletion.

    Raises:
        DeconvError: an argument is not allowed, or the picture is of another image or network.
        CancelledError: ``cancel`` was set.
    """
    location = _checked(network, picture, pixels, replacement)
    callbacks(None, cancel)
    whole_number("others", others, 1), whole_number("seed", seed)
    unit = picture.activation.unit
    chosen = other_maps(unit, location.layer.channels, others, seed)
    (steep,) = similarities(picture.pixels, edges(picture.patch)[None])
    known = Specificity(picture, chosen, edges=steep.spearman)
    pictures = np.empty((len(chosen), *picture.pixels.shape), np.float32)
    for first in range(0, len(chosen), _TOGETHER):
        _check_cancel(cancel)
        part = slice(first, first + _TOGETHER)
        pictures[part] = location.pictures(chosen[part], picture.rule)
        alike = similarities(picture.pixels, pictures[part])
        known = _with_extremes(replace(known, other_maps=(*known.other_maps, *alike)), pictures)
        yield known
    for number in range(RANDOM_NETWORKS):
        _check_cancel(cancel)
        drawn = random_network(network, unit.layer, seed * RANDOM_NETWORKS + number)
        there = _similarity_there(drawn, picture, location)
        known = replace(known, random_networks=(*known.random_networks, there))
    yield known
    if location.box.height * location.box.width < FEWEST_PIXELS:
        return
    by = replacement_of(pixels, replacement)
    _check_cancel(cancel)
    rules = [rule for rule in RULES if other_rules and rule != picture.rule]
    deletion = _without_others(location, picture, rules, by, seed)
    yield replace(known, deletion=deletion)
    for first in range(0, len(chosen), _TOGETHER):
        _check_cancel(cancel)
        orders = [ranks(other) for other in pictures[first : first + _TOGETHER]]
        found = curves(location, unit.channel, orders, by, PERCENT_OF_OTHERS)
        deletion = replace(deletion, others=(*deletion.others, *found))
        yield replace(known, deletion=deletion)


def _checked(
    network: Network, picture: Reconstruction, pixels: Pixels, replacement: str
) -> Location:
    """The picture's location, if the image and the network are those of the picture."""
    instance("network", network, Network, "load_network('demo')")
    instance("picture", picture, Reconstruction, "one that reconstruct made")
    instance("pixels", pixels, np.ndarray, "images.decode(0).pixels")
    if replacement not in REPLACEMENTS:
        allowed = ", ".join(REPLACEMENTS)
        raise DeconvError(f"the replacement is {shown(replacement)}; choose one of {allowed}")
    found, box = picture.activation, picture.box
    patch = pixels[box.top : box.bottom, box.left : box.right]
    if pixels.shape[:2] != network.input_size or not np.array_equal(patch, picture.patch):
        raise DeconvError("the picture was made of another image than these pixels")
    location = Location.of(network, found.unit.layer, pixels, (found.row, found.column))
    if not location.activations[found.unit.channel] > 0:
        raise DeconvError(
            f"{found.unit} of this network does not respond where the picture was made"
        )
    return location


def _with_extremes(known: Specificity, pictures: Floats) -> Specificity:
    """What is known, with the most and the least similar of the pictures compared so far."""
    if known.extremes is None:
        return known
    shown = tuple(pictures[place].copy() for place in known.extremes)
    return replace(known, extreme_pictures=shown)


def _similarity_there(network: Network, picture: Reconstruction, location: Location) -> Similarity:
    """The similarity to the picture of the same map in another network, from the same place."""
    channel = picture.activation.unit.channel
    there = Location.of(network, location.layer.name, location.pixels, location.place)
    (found,) = similarities(picture.pixels, there.pictures([channel], picture.rule))
    return found


def _without_others(
    location: Location, picture: Reconstruction, rules: Sequence[Rule], by: Pixels, seed: int
) -> Deletion:
    """The curves of a picture, of random order and of the pictures by other rules."""
    channel = picture.activation.unit.channel
    others = [location.pictures([channel], rule)[0] for rule in rules]
    orders = [ranks(picture.pixels), random_ranks(location.box, seed), *map(ranks, others)]
    own, random, *ruled = curves(location, channel, orders, by)
    return Deletion(own, random, dict(zip(rules, ruled, strict=True)))


def _check_cancel(cancel: CancelFlag | None) -> None:
    if cancel is not None and cancel.is_set():
        raise CancelledError("stopped")
