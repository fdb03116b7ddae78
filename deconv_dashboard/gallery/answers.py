"""The top activations of a layer or a feature map, drawn as two grids side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from deconv_core.errors import DeconvError
from deconv_core.index.copies import and_copies, names_text
from deconv_core.index.ranked_peaks import Rank
from deconv_core.layers import Layer
from deconv_core.names import visible
from deconv_core.output.rendering import Scale
from deconv_core.pictures import Reconstruction
from deconv_core.units import Activation, Unit, label_of
from deconv_dashboard import bands
from deconv_dashboard.frame import messages
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.gallery.photograph import asking_for
from deconv_dashboard.gallery.tiles import Panel, Tile
from deconv_dashboard.server import drawn, index_answers, reconstructing
from deconv_dashboard.values import Answer, Choice, PictureKey, Pictures
from deconv_dashboard.wording import activation_text, counted, percentile_text, shortened

PER_TILE = ("percentile", 0.0, 99.0)
"""Key of the scale that belongs to one picture alone. Patches have no scale; they use it as a key.
"""


def find(choice: Choice, layer: str, channel: int | None, k: int, label: str | None) -> Answer:
    """The top activations of the index, without pictures and before a check in float32."""
    settled = index_answers.settled_answers().get(
        index_answers.question(choice, layer, channel, k, label)
    )
    if settled is not None:
        found, approximate = list(settled), not settled.exact
    else:
        found = index_answers.top_of(choice, layer, channel, k, label)
        approximate = choice.approximate and bool(found)
    index = choice.index
    copies = index.copies_behind(found, label, copies=choice.copies) if index else None
    return Answer(label, found, approximate=approximate, copies=copies, names=choice.names)


def of_each_map(choice: Choice, layer: str, k: int, label: str | None) -> Answer:
    """The strongest activations of a layer, where each feature map takes one place."""
    maps = index_answers.maps_of(choice, layer, label)
    alive = maps[~maps["dead"]].sort_values(["max", "channel"], ascending=[False, True])
    units = [Unit(layer, int(channel)) for channel in alive["channel"][:k]]
    best = [found for found in index_answers.best_of_maps(choice, units) if found is not None]
    best.sort(key=lambda found: -found.value)
    index = choice.index
    copies = index.copies_behind(best, label, copies=choice.copies) if index else None
    near = choice.approximate and bool(best)
    return Answer(label, best, approximate=near, copies=copies, names=choice.names)


def columns_of(tiles: int) -> int:
    """Columns of a grid of tiles: 3 for up to nine, else so that the last row is nearly full."""
    if tiles <= 9:
        return 3
    fitting = range(4, 8) if tiles <= 25 else range(6, 11)
    return min(fitting, key=lambda columns: (-tiles % columns, abs(columns**2 - tiles)))


def of_side(side: Choice, k: int, band: str) -> Answer:
    """The top activations of the map of one side of a comparison, or some of a band."""
    if band == bands.TOP:
        found = find(side, side.unit.layer, side.unit.channel, k, side.label)
    else:
        found = in_band(side, side.unit, k, side.label, band)
    return replace(found, side=side.side)


def in_band(choice: Choice, unit: Unit, k: int, label: str | None, band: str) -> Answer:
    """Some activations of a band of a map's distribution, the strongest first."""
    ranked = index_answers.ranked_of(choice, unit, label)
    part = bands.shown_of(band, ranked, k)
    found = part.activations()
    index = choice.index
    copies = index.copies_behind(found, label, copies=choice.copies) if index else None
    near = choice.approximate and bool(found)
    return Answer(
        label, found, approximate=near, copies=copies, names=choice.names, ranks=part.ranks()
    )


def with_pictures(
    choice: Choice, answers: Sequence[Answer], place: str = "top", height: int = 420
) -> list[Answer]:
    """Reconstruct the activations of the answers; shows progress while that takes time.

    Errors (no weights, a missing folder) are shown on the page; the answers then have no pictures.
    """
    wanted = [activation for answer in answers for activation in answer.activations]
    try:
        made = reconstructing.watched(choice, wanted, place, height=height, rule=choice.rule)
    except DeconvError as error:
        messages.trouble(choice, error)
        return list(answers)
    return _shared_out(answers, made)


def with_pictures_of(sides: Sequence[Choice], answers: Sequence[Answer]) -> list[Answer]:
    """``with_pictures`` for the answers of the sides of a comparison, perhaps of two networks."""
    if len({side.index_path for side in sides}) == 1:
        return with_pictures(sides[0], answers)
    first = with_pictures(sides[0], answers[:1])
    if answers[0].activations and not (first[0].pictures.found or first[0].pictures.missing):
        return [*first, *answers[1:]]  # what went wrong is said once
    return first + with_pictures(sides[1], answers[1:], "top_of_second", height=0)


def _shared_out(answers: Sequence[Answer], made: Pictures) -> list[Answer]:
    """Give each answer its part of the pictures; ranks start at 1 in each answer."""
    parts, before = [], 0
    for answer in answers:
        ranks = range(before + 1, before + len(answer.activations) + 1)
        found_ranks = [rank for rank in ranks if rank in made.found]
        found = {r - before: made.found[r] for r in found_ranks}
        missing = {r - before: made.missing[r] for r in ranks if r in made.missing}
        keys = {r - before: made.keys[r] for r in found_ranks}
        parts.append(replace(answer, pictures=Pictures(found, missing, keys)))
        before += len(answer.activations)
    return parts


def scale_for(name: str, answers: Sequence[Answer]) -> Scale:
    """One scale for all these answers."""
    return Scale.named(name, [picture for answer in answers for picture in answer.pictures.all])


def scales_for(name: str, answers: Sequence[Answer]) -> list[Scale]:
    """The scale of each answer: one for two labels, and one each for two maps or two networks.

    Reconstructions of two maps differ in strength as their activations do.
    """
    if any(answer.side for answer in answers):
        return [scale_for(name, [answer]) for answer in answers]
    return [scale_for(name, answers)] * len(answers)


def scales_in_words(answers: Sequence[Answer], scales: Sequence[Scale]) -> str:
    """The caption of the scale, or of each scale."""
    said = [scale.caption for scale in scales]
    if len(set(said)) == 1:
        return said[0]
    return "; ".join(f"{one.called}: {text}" for one, text in zip(answers, said, strict=True))


def scale_key(scale: Scale) -> tuple[str, float, float]:
    """A scale as a small key for a cache."""
    return scale.kind, scale.limit, scale.percent


def panels(
    answer: Answer,
    layers: Mapping[str, Layer],
    scale: Scale | None,
    *,
    names_map: bool,
    names_file: bool = True,
    chosen: int = 0,
    value: Callable[[int, Activation], str],
    href: Callable[[Activation], str] = lambda _: "",
) -> tuple[Panel, Panel]:
    """The reconstruction grid and the patch grid of an answer.

    Args:
        answer: the answer to draw.
        layers: the layers of its network.
        scale: the scale of the reconstructions; None if ``answer.tiles`` holds all tiles.
        names_map: True names the feature map in captions (a layer's answer has several).
        names_file: True names the file in captions; False names it only if there is no label.
        chosen: rank of the tile with a frame; 0 for none.
        value: (rank, activation) -> the text that a click on the tile sends.
        href: activation -> address of the tile's link.
    """
    columns = columns_of(len(answer.activations))
    tiles_of: dict[str, list[Tile]] = {"reconstruction": [], "patch": []}
    for rank, activation in enumerate(answer.activations, 1):
        picture = answer.pictures.found.get(rank)
        for kind, tiles in tiles_of.items():
            here = _place_text(rank, answer.ranks.get(activation.image_id))
            title, text = (
                _below_reconstruction(here, activation, answer, names_map)
                if kind == "reconstruction"
                else _below_patch(here, activation, names_file)
            )
            key = answer.pictures.keys.get(rank)
            png = answer.tiles.get((kind, rank)) or _png(picture, key, kind, scale)
            copies = answer.copies_of(activation) if kind == "patch" else ()
            tiles.append(
                Tile(
                    png,
                    _alt(kind, activation),
                    title,
                    text if png else "image gone or changed",
                    value(rank, activation),
                    href(activation),
                    rank == chosen,
                    copies=and_copies(len(copies)),
                    names=names_text([visible(image_id) for image_id in copies]),
                    photograph=asking_for(activation, layers[activation.unit.layer]),
                )
            )
    of = f", {answer.called}" if answer.called else ""
    return (
        Panel(f"Reconstructions{of}", tiles_of["reconstruction"], columns=columns),
        Panel(f"Image patches{of}", tiles_of["patch"], columns=columns, kind="patch"),
    )


def _below_reconstruction(
    place: str, activation: Activation, answer: Answer, names_map: bool
) -> tuple[str, str]:
    value = activation_text(activation.value, approximate=answer.approximate)
    if not names_map:
        return place, value
    name = answer.names.get(str(activation.unit), "")
    called = f" · {shortened(visible(name), 24)}" if name else ""
    return f"{place} · map {activation.unit.channel}", f"{value}{called}"


def _place_text(rank: int, place: Rank | None) -> str:
    """The rank below a tile: that of the answer, or for a band rank and percentile of all."""
    return f"{place.rank:,} · {percentile_text(place.percentile)}" if place else str(rank)


def _below_patch(place: str, activation: Activation, names_file: bool) -> tuple[str, str]:
    label = label_of(activation.image_id)
    return (
        f"{place} · {shortened(label, 20)}" if label else place,
        shortened(activation.image_id.rpartition("/")[2]) if names_file or not label else "",
    )


def _alt(kind: str, activation: Activation) -> str:
    what = "Reconstruction" if kind == "reconstruction" else "Image patch"
    return f"{what}: feature map {activation.unit.channel} of {activation.unit.layer} in " + (
        activation.image_id
    )


def _png(
    picture: Reconstruction | None, key: PictureKey | None, kind: str, scale: Scale | None
) -> bytes:
    if picture is None or key is None or scale is None:
        return b""
    used = scale_key(scale) if kind == "reconstruction" else PER_TILE
    return drawn.tile_png(picture, key, kind, used)


def fires_in(choice: Choice, answer: Answer, k: int) -> None:
    """Say how many images activate a map, if they are fewer than k."""
    index = choice.index
    if index is None:
        return
    total = index.counted(answer.label, copies=answer.copies is None)
    within = f" with label {escape(answer.label)}" if answer.label else ""
    noun = "image" if answer.copies is None else "different image"
    count = len(answer.activations)
    if count == 0:
        st.info(messages.never_fires(total, noun, within), icon=":material/block:")
    elif count < k:
        st.caption(f"Fires in {count} of {counted(total, noun)}{within}. All are shown.")


def side_by_side(
    sides: Sequence[Choice], shown: Sequence[Answer], scales: Sequence[Scale], chosen: int
) -> list[Panel]:
    """The panels of one or two answers: each reconstruction grid, then its patch grid.

    Args:
        sides: the sides that are shown.
        shown: their answers.
        scales: the scale of the reconstructions of each answer.
        chosen: place of the tile with a frame, among the tiles of all answers, from 1.
    """
    drawn_panels: list[Panel] = []
    before, chosen = 0, _place(shown, chosen)
    for side, answer, scale in zip(sides, shown, scales, strict=True):
        drawn_panels += panels(
            answer,
            side.layers,
            scale,
            names_map=False,
            chosen=chosen - before,
            value=lambda rank, _, before=before: str(before + rank),  # type: ignore[misc]
        )
        before += len(answer.activations)
    return drawn_panels


def _place(shown: Sequence[Answer], chosen: int) -> int:
    """The chosen place; the first if there are fewer tiles."""
    return chosen if chosen <= sum(len(answer.activations) for answer in shown) else 1


@dataclass(frozen=True)
class Picked:
    """The chosen tile, its rank as Markdown, and the copies that its image stands for.

    ``side`` is the number of its answer, 0 or 1.
    """

    rank: str
    activation: Activation
    picture: Reconstruction | None
    key: PictureKey | None
    copies: tuple[str, ...] = ()
    side: int = 0


def chosen(shown: Sequence[Answer], place: int) -> Picked | None:
    """The tile at a place among the tiles of all answers; the first one if there are fewer."""
    left = _place(shown, place)
    for side, answer in enumerate(shown):
        if left <= len(answer.activations):
            return replace(_picked(answer, left, named=len(shown) > 1), side=side)
        left -= len(answer.activations)
    return None


def _picked(answer: Answer, rank: int, *, named: bool) -> Picked:
    activation = answer.activations[rank - 1]
    made, copies = answer.pictures, answer.copies_of(activation)
    place = answer.ranks.get(activation.image_id)
    said = f"{place.rank:,} of {place.total:,}" if place else str(rank)
    if named and answer.called:
        said = f"{said}, {escape(answer.called)}"
    return Picked(said, activation, made.found.get(rank), made.keys.get(rank), copies)
