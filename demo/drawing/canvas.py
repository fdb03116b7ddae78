"""A canvas: paints a picture, and records the part that each visible pixel belongs to.

Everything is painted at twice the size and reduced at the end, so edges are soft. The canvas also
paints a map of part numbers with the same outlines. So an outline that covers a part in the picture
also covers it in the mask.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from .chance import Chance
from .palette import Colour, light, shadow
from .shapes import Frame, Points, brush, ellipse

SIZE = 224
FINE = 2
_BALL = np.stack(np.meshgrid(np.linspace(-1, 1, 48), np.linspace(-1, 1, 48)))


class Canvas:
    """Paints outlines, strokes, shades and shadows; remembers the parts."""

    def __init__(self, chance: Chance, ground: Colour) -> None:
        self.chance = chance
        self.ground = ground
        self.light_from = (chance.about(0, 0.8), -chance.between(0.35, 0.9))
        self._image = Image.new("RGB", (SIZE * FINE, SIZE * FINE), ground)
        self._parts = Image.new("L", self._image.size, 0)
        self._names: list[str] = []
        self._renew_pens()

    def fill(
        self,
        frame: Frame,
        outline: Points,
        colour: Colour,
        part: str | None = None,
        shade: float = 0.0,
    ) -> None:
        """Paint the inside of an outline; `shade` models it from light to shadow (0 to 1)."""
        corners = (frame.place(outline) * FINE).ravel().tolist()
        self._pen.polygon(corners, fill=colour)
        self._part_pen.polygon(corners, fill=self._number(part))
        if shade:
            self._model(corners, colour, shade)

    def stroke(
        self,
        frame: Frame,
        line: Points,
        width: float,
        colour: Colour,
        part: str | None = None,
        ends: tuple[float, float] = (0.3, 0.3),
    ) -> None:
        """One brush stroke along a line, in the frame's units, thinner at its ends."""
        self.fill(frame, brush(line, width, *ends), colour, part)

    def bar(
        self, frame: Frame, line: Points, width: float, colour: Colour, part: str | None = None
    ) -> None:
        """A line of even width with round joints, as a tube or a wire."""
        corners = (frame.place(line) * FINE).ravel().tolist()
        pixels = max(1, round(width * frame.unit * FINE))
        self._pen.line(corners, fill=colour, width=pixels, joint="curve")
        self._part_pen.line(corners, fill=self._number(part), width=pixels, joint="curve")
        if pixels > 3:
            for x, y in (line[0], line[-1]):
                self.fill(
                    frame,
                    ellipse(x, y, width / 2 / abs(frame.stretch), width / 2, count=12),
                    colour,
                    part,
                )

    def dot(
        self,
        frame: Frame,
        x: float,
        y: float,
        radius: float,
        colour: Colour,
        part: str | None = None,
    ) -> None:
        """A small disc."""
        self.fill(frame, ellipse(x, y, radius, radius, count=20), colour, part)

    def glow(
        self, frame: Frame, outline: Points, colour: Colour, strength: float, blur: float
    ) -> None:
        """A soft stain of colour (a shadow, a blush, a shine); it hides no part."""
        small = Image.new("L", (SIZE // 2, SIZE // 2), 0)
        corners = (frame.place(outline) / 2).ravel().tolist()
        ImageDraw.Draw(small).polygon(corners, fill=round(255 * strength))
        small = small.filter(ImageFilter.BoxBlur(max(0.5, blur * frame.unit / 2)))
        extent = small.getbbox()
        if extent is not None:
            target = tuple(edge * 2 * FINE for edge in extent)
            mask = small.crop(extent).resize(
                (target[2] - target[0], target[3] - target[1]), Image.Resampling.BILINEAR
            )
            self._image.paste(colour, target, mask)

    @contextmanager
    def inside(self, frame: Frame, outline: Points) -> Iterator[None]:
        """Clip everything that is painted in this block to the outline."""
        mask = Image.new("L", self._image.size, 0)
        ImageDraw.Draw(mask).polygon((frame.place(outline) * FINE).ravel().tolist(), fill=255)
        image, parts = self._image, self._parts
        self._image, self._parts = image.copy(), parts.copy()
        self._renew_pens()
        yield
        image.paste(self._image, mask=mask)
        parts.paste(self._parts, mask=mask)
        self._image, self._parts = image, parts
        self._renew_pens()

    def finished(self) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.bool_]]]:
        """The picture's pixels and each part's mask at the final size."""
        pixels = np.asarray(self._image.reduce(FINE))
        numbers = np.asarray(self._parts)[FINE // 2 :: FINE, FINE // 2 :: FINE]
        masks = {name: numbers == k + 1 for k, name in enumerate(self._names)}
        return pixels, {name: mask for name, mask in masks.items() if mask.any()}

    def _model(self, corners: list[float], colour: Colour, shade: float) -> None:
        """Paint light on the lit side of an outline and shadow on the other side."""
        xs, ys = corners[0::2], corners[1::2]
        left, top = max(0, int(min(xs))), max(0, int(min(ys)))
        right, bottom = min(SIZE * FINE, int(max(xs)) + 1), min(SIZE * FINE, int(max(ys)) + 1)
        if right <= left or bottom <= top:
            return
        mask = Image.new("L", (right - left, bottom - top), 0)
        moved = [c - (left, top)[k % 2] for k, c in enumerate(corners)]
        ImageDraw.Draw(mask).polygon(moved, fill=255)
        facing = _BALL[0] * self.light_from[0] + _BALL[1] * self.light_from[1]
        for side, tint in (
            (facing - 0.1, light(colour, 0.7)),
            (-facing - 0.1, shadow(colour, 0.75)),
        ):
            ramp = Image.fromarray((np.clip(side, 0, 1) * 255 * shade).astype(np.uint8))
            veil = ImageChops.multiply(mask, ramp.resize(mask.size, Image.Resampling.BILINEAR))
            self._image.paste(tint, (left, top), veil)

    def _number(self, part: str | None) -> int:
        if part is None:
            return 0
        if part not in self._names:
            self._names.append(part)
        return self._names.index(part) + 1

    def _renew_pens(self) -> None:
        self._pen = ImageDraw.Draw(self._image)
        self._part_pen = ImageDraw.Draw(self._parts)
