"""Signed pixels to pictures, by a scale that is chosen, symmetric and named.

Zero is always mid-grey (128): where a reconstruction is grey, the activation does not depend on
the picture there. A scale only decides how far from grey a value is drawn.
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
"""Side, in pixels, of the largest tile that is drawn."""
LARGEST_GRID = 200_000_000
"""Pixels of the largest grid that is drawn; it takes three bytes each."""
_PAPER = 255
_PERCENT = "a number above 0 and at most 100"


@dataclass(frozen=True, slots=True)
class Scale:
    """How signed pixels become 8 bits: ``128 + 127 * pixels / limit``, clipped.

    Attributes:
        kind: "shared" (one limit for all tiles), "per tile" (each tile's largest magnitude), or
            "percentile" (a percentile of each tile's magnitudes; larger ones are clipped).
        limit: the magnitude drawn farthest from grey, of a shared scale.
        percent: the percentile that is the limit; 100 clips nothing.
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
        """One scale for all these pictures, and for any other grid it is given to.

        Colours can then be compared between tiles: a pale tile is a weak reconstruction.
        """
        pictures = _listed(pictures)
        largest = [float(np.abs(picture.pixels).max(initial=0.0)) for picture in pictures]
        return cls("shared", limit=max(largest, default=0.0))

    @classmethod
    def per_tile(cls) -> Scale:
        """Each tile on its own scale: shapes are seen best, strengths cannot be compared."""
        return cls("per tile")

    @classmethod
    def percentile(cls, percent: float, pictures: Iterable[Reconstruction] = ()) -> Scale:
        """Scales on which the few strongest pixels are clipped, so that the rest can be seen.

        The percentile is taken over the magnitudes of the pixels that are not exactly zero.

        Args:
            percent: above 0, at most 100.
            pictures: given, they share one scale, as does any other grid it is used for;
                otherwise each tile has its own.

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
            name: "clipped" (one for all, the strongest 1 % of the pixels clipped: the default of
                every page), "shared" (one for all, nothing clipped), "tile" (each tile its own), or
                a percentile such as "99.5" (each tile its own, clipped there).
            pictures: what a scale for all is for.

        Raises:
            DeconvError: another name.
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
        """The scale in words, for below a picture."""
        match self.kind:
            case "shared":
                clipped = f", clipped at {self.percent:g} %" if self.percent < 100 else ""
                return f"grey is 0; one scale for all tiles, ±{self.limit:.3g}{clipped}"
            case "per tile":
                return "grey is 0; each tile on its own scale"
            case _:
                return f"grey is 0; each tile on its own scale, clipped at {self.percent:g} %"

    def limit_of(self, pixels: npt.NDArray[np.float32]) -> float:
        """The magnitude that is drawn farthest from grey, for these pixels."""
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
    """A percentile of the magnitudes above 0; 0 if there are none."""
    above = magnitudes[magnitudes > 0]
    return float(np.percentile(above, percent)) if above.size else 0.0


def check_tile(kind: object, tile_size: object) -> int | None:
    """The ``tile_size`` as a plain number, once the arguments of ``tile`` are known to be right.

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
    """One tile of the receptive field's size, what lies outside the image in mid-grey.

    Content stays at its true place: what was clipped at the top leaves grey at the top.

    Args:
        picture: what to draw.
        kind: the reconstruction or the image patch.
        scale: for reconstructions.
        tile_size: side in pixels, by nearest neighbour; None draws one pixel for one pixel.

    Raises:
        DeconvError: another ``kind``, or a ``tile_size`` outside 1..4096.
    """
    instance("picture", picture, Reconstruction, "reconstruct(network, images, top)[0]")
    instance("scale", scale, Scale, "Scale.shared(pictures)")
    tile_size = check_tile(kind, tile_size)
    window, box = picture.window, picture.box
    canvas = np.full((window.height, window.width, 3), MID_GREY, np.uint8)
    top, left = box.top - window.top, box.left - window.left
    content = scale.to_rgb(picture.pixels) if kind == "reconstruction" else picture.patch
    canvas[top : top + box.height, left : left + box.width] = content
    drawn = Image.fromarray(canvas)
    if tile_size is None:
        return drawn
    return drawn.resize((tile_size, tile_size), Image.Resampling.NEAREST)


def compose_grid(
    pictures: Iterable[Reconstruction],
    kind: Kind = "reconstruction",
    columns: int = 3,
    scale: Scale | None = None,
    tile_size: int | None = None,
) -> Image.Image:
    """Pictures of one layer in a grid, row by row, 2 pixels of white between and around.

    A native grid of three columns has the side ``3 * receptive field + 8``.

    Args:
        pictures: at least one, all of the same receptive field.
        kind: reconstructions or image patches.
        columns: tiles in a row.
        scale: None shares one scale among these pictures.
        tile_size: side of a tile in pixels; None is native.

    Raises:
        DeconvError: no pictures, pictures of several sizes, a grid of more than ``LARGEST_GRID``
            pixels, or a bad argument.
    """
    pictures = _listed(pictures)
    columns = whole_number("columns", columns, 1)
    tile_size = check_tile(kind, tile_size)
    if scale is not None:
        instance("scale", scale, Scale, "Scale.shared(pictures)")
    if not pictures:
        raise DeconvError("there is nothing to draw: the map responds to none of the images")
    sizes = {picture.window.height for picture in pictures}
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
