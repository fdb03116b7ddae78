"""The tiles of contact sheets: read from the data folder as they were drawn, or drawn and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deconv_core.units import Activation
from deconv_dashboard.data.kept_pictures import DrawnTile
from deconv_dashboard.server import drawn, reconstructing, resources
from deconv_dashboard.values import Choice, PictureKey

_OWN_SCALE = ("percentile", 0.0, 99.0)


def sheet_tiles(
    choice: Choice, activations: Sequence[Activation], place: str, height: int
) -> dict[int, DrawnTile]:
    """Rank (from 1) -> tile, of those whose image is there; shows progress like ``watched``.

    Raises:
        DeconvError: as for ``reconstructing.watched``.
    """
    keys = reconstructing.keys_of(choice, activations)
    found = {rank: resources.kept_tile(key) for rank, key in keys.items()}
    kept = {rank: tile for rank, tile in found.items() if tile is not None}
    others = [rank for rank in range(1, len(activations) + 1) if rank not in kept]
    wanted = [activations[rank - 1] for rank in others]
    made = reconstructing.watched(choice, wanted, place, height)
    new = {}
    for number, picture in made.found.items():
        key = made.keys[number]
        pngs = (
            drawn.tile_png(picture, key, kind, _OWN_SCALE) for kind in ("reconstruction", "patch")
        )
        new[others[number - 1]] = DrawnTile(*pngs)
    if new:
        _keep({keys[rank]: tile for rank, tile in new.items()})
    return kept | new


def _keep(tiles: Mapping[PictureKey, DrawnTile]) -> None:
    """Keep tiles in the data folder, after the page has painted them."""
    kept = resources.kept_pictures()

    def write() -> None:
        for key, tile in tiles.items():
            if (made_from := resources.made_from_of(key)) is not None:
                kept.put_tile(made_from, tile)

    reconstructing.LATER.do(write)
