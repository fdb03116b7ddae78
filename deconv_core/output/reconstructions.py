"""The list that ``reconstruct`` returns: a notebook shows it as pictures with captions."""

from __future__ import annotations

import io

from PIL import Image

from deconv_core import html
from deconv_core.output.rendering import Kind, Scale, tile
from deconv_core.pictures import RULE_NAMES, Reconstruction

MOST_SHOWN = 36
"""So many pictures are shown."""
_SIDE = 96


class Reconstructions(list[Reconstruction]):
    """A list of reconstructions."""

    def _repr_html_(self) -> str:
        """Each reconstruction above its image patch, with image, feature map and activation."""
        if not self:
            return html.block("No reconstructions: no image activates the map")
        scale = Scale.named("clipped", self)
        rules = ", ".join(sorted({RULE_NAMES[one.rule] for one in self}))
        figures = [self._figure(rank, one, scale) for rank, one in enumerate(self[:MOST_SHOWN], 1)]
        more = f"<p>and {len(self) - MOST_SHOWN:,} more</p>" if len(self) > MOST_SHOWN else ""
        return html.block(
            f"Reconstructions ({rules}) above image patches; {scale.caption}",
            f'<div style="display: flex; flex-wrap: wrap; gap: 8px">{"".join(figures)}</div>{more}',
        )

    def _figure(self, rank: int, one: Reconstruction, scale: Scale) -> str:
        found = one.activation
        pictures = "<br>".join(
            html.picture(_png(one, kind, scale), f"{kind} {rank}", _SIDE)
            for kind in ("reconstruction", "patch")
        )
        caption = "<br>".join(
            html.escaped(text)
            for text in (f"{rank} · {found.unit}", f"activation {found.value:.4g}", found.image_id)
        )
        return (
            f'<figure style="margin: 0; width: {_SIDE + 4}px">{pictures}<figcaption '
            f'style="font-size: 80%; overflow-wrap: anywhere">{caption}</figcaption></figure>'
        )


def _png(one: Reconstruction, kind: Kind, scale: Scale) -> bytes:
    """A tile as a PNG file, made smaller if it is large."""
    drawn, stream = tile(one, kind, scale), io.BytesIO()
    if drawn.width > _SIDE:
        drawn = drawn.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    drawn.save(stream, "PNG", optimize=True)
    return stream.getvalue()
