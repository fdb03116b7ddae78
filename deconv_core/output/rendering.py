"""Draws signed pixels as pictures, with a symmetric scale that has a name.

Zero is always mid-grey (128): where a reconstruction is grey, the image does not contribute to the
activation. A scale decides how far from grey a value is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from deconv_core.arguments import instance, listed, real_number, shown, text, whole_number
from deconv_core.errors import DeconvError
from deconv_core.images.decoding import Pixels
from deconv_core.pictures import Reconstruction

Kind = Literal["reconstruction", "patch"]

MID_GREY = 128
GAP = 2
"""Pixels between tiles and around a native grid."""
LARGEST_TILE = 4096
"""Side of the largest tile in pixels."""
LARGEST_GRID = 200_000_000
"""Largest number of pixels of a grid; each takes three bytes."""
_PAPER = 255
_PERCENT = "a number above 0 and at most 100"


@dataclass(frozen=True, slots=True)
class Scale:
    """How signed pixels become 8 bits: ``128 + 127 * pixels / limit``, clipped.

    Attributes:
        kind: "shared" (one limit for all tiles), "per tile" (each tile's largest magnitude), or
            "percentile" (a percentile of each tile's magnitudes; larger ones are clipped).
        limit: the magnitude that is drawn as the full colour; for a shared scale only.
        percent: the percentile of the magnitudes that is the limit; 100 clips nothing.
    """

    kind: Literal["shared", "per tile", "percentile"]
    limit: float = 0.0
    percent: float = 100.0

    def __post_init__(self) -> None:
        if self.kind not in ("shared", "per tile", "percentile"):
            known = "'shared', 'per tile' or 'percentile'"
            raise DeconvError(f"the kind of a scale is {shown(self.kind)}; choose {known}")
        if not isinstance(self.limit, float | int) or not self.limit >= 0:
            raise DeconvError(f"limit is {shown(self.limit)}; give a number of at least 0")
        if not 0 < real_number("the percentile", self.percent, _PERCENT) <= 100:
            raise DeconvError(f"the percentile is {self.percent}; give {_PERCENT}")

    @classmethod
    def shared(cls, pictures: Iterable[Reconstruction]) -> Scale:
        """One scale for all these pictures; it can be used for other grids too.

        Colours can be compared between tiles: a pale tile is a weak reconstruction.
        """
        pictures = _listed(pictures)
        largest = [float(np.abs(picture.pixels).max(initial=0.0)) for picture in pictures]
        return cls("shared", limit=max(largest, default=0.0))

    @classmethod
    def per_tile(cls) -> Scale:
        """Each tile has its own scale: this shows shapes best, but strengths cannot be compared."""
        return cls("per tile")

    @classmethod
    def percentile(cls, percent: float, pictures: Iterable[Reconstruction] = ()) -> Scale:
        """A scale that clips the few strongest pixels, so that the rest is visible.

        The percentile is taken over the magnitudes of all pixels that are not exactly zero.

        Args:
            percent: above 0, at most 100.
            pictures: with pictures, all tiles share one scale, also in other grids; without any,
                each tile has its own scale.

        Raises:
            DeconvError: ``percent`` is outside its range.
        """
        own = cls("percentile", percent=percent)
        pictures = _listed(pictures)
        if not pictures:
            return own
        magnitudes = np.concatenate([np.abs(picture.pixels).ravel() for picture in pictures])
        return cls("shared", limit=_percentile(magnitudes, percent), percent=percent)

    @classmethod
    def named(cls, name: str, pictures: Iterable[Reconstruction]) -> Scale:
        """A scale by the name that links, commands and exports use.

        Args:
            name: "clipped" (one scale for all, the strongest 1 % of the pixels clipped; the default
                of every page), "shared" (one scale for all, nothing clipped), "tile" (each tile has
                its own scale), or a percentile such as "99.5" (each tile has its own scale, clipped
                at this percentile).
            pictures: the pictures that share one scale.

        Raises:
            DeconvError: the name is not known.
        """
        text("the scale", name, "a text: clipped, shared, tile, or a percentile such as 99.5")
        match name:
            case "clipped":
                return cls.percentile(99, pictures)
            case "shared":
                return cls.shared(pictures)
            case "tile":
                return cls.per_tile()
        try:
            percent = float(name)
        except ValueError:
            raise DeconvError(
                f"the scale {name!r} is not known; choose clipped, shared, tile, or a percentile "
                "such as 99.5"
            ) from None
        return cls.percentile(percent)

    @property
    def caption(self) -> str:
        """The scale in words, for the caption of a picture."""
        match self.kind:
            case "shared":
                clipped = f", {self._clipped}" if self.percent < 100 else ""
                return f"grey is 0; same colour scale in all tiles (±{self.limit:.3g}{clipped})"
            case "per tile":
                return "grey is 0; each tile on its own scale"
            case _:
                return f"grey is 0; each tile on its own scale ({self._clipped})"

    @property
    def _clipped(self) -> str:
        return f"strongest {100 - self.percent:g} % clipped"

    def limit_of(self, pixels: npt.NDArray[np.float32]) -> float:
        """The magnitude that is drawn as the full colour, for these pixels."""
        if self.kind == "shared":
            return self.limit
        return _percentile(np.abs(pixels), self.percent)

    def to_rgb(self, pixels: npt.NDArray[np.float32]) -> Pixels:
        """Turn signed pixels (3, H, W) into uint8 RGB (H, W, 3)."""
        limit = self.limit_of(pixels)
        relative = pixels.astype(np.float64) / limit if limit > 0 else np.zeros(pixels.shape)
        drawn = MID_GREY + 127.0 * np.clip(relative, -1.0, 1.0)
        return np.rint(drawn).astype(np.uint8).transpose(1, 2, 0)


def _percentile(magnitudes: npt.NDArray[np.float32], percent: float) -> float:
    """A percentile of the magnitudes above 0; 0 without any."""
    above = magnitudes[magnitudes > 0]
    return float(np.percentile(above, percent)) if above.size else 0.0


def check_tile(kind: object, tile_size: object) -> int | None:
    """Check the arguments ``kind`` and ``tile_size`` of ``tile``; returns ``tile_size`` as an int.

    Raises:
        DeconvError: another ``kind``, or a ``tile_size`` outside 1..4096.
    """
    if kind not in ("reconstruction", "patch"):
        raise DeconvError(f"kind={kind!r} is not known; choose 'reconstruction' or 'patch'")
    if tile_size is None:
        return None
    side = whole_number("tile_size", tile_size, None)
    if not 1 <= side <= LARGEST_TILE:
        raise DeconvError(f"tile_size is {shown(side)} pixels; choose 1 to {LARGEST_TILE}")
    return side


def _listed(pictures: Iterable[Reconstruction]) -> list[Reconstruction]:
    return listed("pictures", pictures, (Reconstruction,), "reconstruct(network, images, top)")


def tile(
    picture: Reconstruction, kind: Kind, scale: Scale, tile_size: int | None = None
) -> Image.Image:
    """One square tile as large as the receptive field, mid-grey outside the image.

    Content stays at its true place: a part that is clipped at the top is grey at the top. A
    receptive field that is not square lies in the middle; one that is much larger than the image is
    drawn as the image.

    Args:
        picture: the picture to draw.
        kind: "reconstruction" or "patch".
        scale: the scale of reconstructions.
        tile_size: side in pixels, resized by nearest neighbour; None does not resize.

    Raises:
        DeconvError: another ``kind``, or a ``tile_size`` outside 1..4096.
    """
    instance("picture", picture, Reconstruction, "reconstruct(network, images, top)[0]")
    instance("scale", scale, Scale, "Scale.shared(pictures)")
    tile_size = check_tile(kind, tile_size)
    frame, box = picture.frame, picture.box
    side = side_of(picture)
    canvas = np.full((side, side, 3), MID_GREY, np.uint8)
    top = box.top - frame.top + (side - frame.height) // 2
    left = box.left - frame.left + (side - frame.width) // 2
    content = scale.to_rgb(picture.pixels) if kind == "reconstruction" else picture.patch
    canvas[top : top + box.height, left : left + box.width] = content
    drawn = Image.fromarray(canvas)
    if tile_size is None:
        return drawn
    return drawn.resize((tile_size, tile_size), Image.Resampling.NEAREST)


def side_of(picture: Reconstruction) -> int:
    """Side of a tile in pixels: the longer one of its frame."""
    return max(picture.frame.height, picture.frame.width)


def compose_grid(
    pictures: Iterable[Reconstruction],
    kind: Kind = "reconstruction",
    columns: int = 3,
    scale: Scale | None = None,
    tile_size: int | None = None,
) -> Image.Image:
    """Pictures in a grid, row by row, with 2 white pixels between and around them.

    A native grid of three columns has the side ``3 * receptive field + 8``.

    Args:
        pictures: at least one; without ``tile_size`` all of one receptive field.
        kind: "reconstruction" or "patch".
        columns: tiles in a row.
        scale: the scale; None shares one scale among these pictures.
        tile_size: side of a tile in pixels; None uses the receptive field.

    Raises:
        DeconvError: there are no pictures, or pictures of several sizes, the grid has more than
            ``LARGEST_GRID`` pixels, or an argument is wrong.
    """
    pictures = _listed(pictures)
    columns = whole_number("columns", columns, 1)
    tile_size = check_tile(kind, tile_size)
    if scale is not None:
        instance("scale", scale, Scale, "Scale.shared(pictures)")
    if not pictures:
        raise DeconvError("there is nothing to draw: no image activates the map")
    sizes = set(map(side_of, pictures))
    if len(sizes) > 1 and tile_size is None:
        raise DeconvError(
            f"tiles of {sorted(sizes)} pixels do not fit one native grid; give tile_size"
        )
    scale = Scale.shared(pictures) if scale is None else scale
    side = tile_size or sizes.pop()
    rows = -(-len(pictures) // columns)
    width, height = (GAP + count * (side + GAP) for count in (columns, rows))
    if width * height > LARGEST_GRID:
        raise DeconvError(
            f"a grid of {len(pictures):,} tiles of {side} pixels in rows of {columns:,} has "
            f"{width:,} x {height:,} pixels; at most {LARGEST_GRID:,} in all are drawn: give a "
            "smaller tile_size, fewer pictures or other columns"
        )
    canvas = Image.new("RGB", (width, height), (_PAPER,) * 3)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        corner = (GAP + column * (side + GAP), GAP + row * (side + GAP))
        canvas.paste(tile(picture, kind, scale, tile_size), corner)
    return canvas
