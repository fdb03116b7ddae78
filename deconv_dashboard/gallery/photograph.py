"""The photograph that an enlarged tile comes from, with the receptive field drawn on it.

Photographs are large. So a tile only names its activation; when a person enlarges the tile, the
browser asks for the photograph, and only this part of the page runs.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image

from deconv_core.errors import DeconvError
from deconv_core.images.decoding import DecodedImage
from deconv_core.images.folder import ImageFolder, check_unchanged
from deconv_core.images.framing import in_image
from deconv_core.layers import Layer
from deconv_core.names import visible
from deconv_core.units import Activation, Box
from deconv_dashboard.frame.choice import whole_number
from deconv_dashboard.server import resources
from deconv_dashboard.server.told import told
from deconv_dashboard.values import Choice

LONGEST = 1600
"""The longer side of the largest photograph that is sent, in pixels."""
_KEY = "photograph"
_FILES = Path(__file__).parent / "components"

_answers = st.components.v2.component(
    "deconv_photograph",
    css=":host { display: block; height: 0; }",
    js=(_FILES / "photograph.js").read_text("utf-8"),
)


def asking_for(activation: Activation, layer: Layer) -> str:
    """The text by which a tile asks for the photograph of an activation of a layer."""
    field = layer.box(activation.row, activation.column).clip(*layer.input_size)
    numbers = field.top, field.left, field.height, field.width, *layer.input_size
    return " ".join((*map(str, numbers), activation.image_id))


def photographs(choice: Choice, folder: ImageFolder | None = None) -> None:
    """Answer the tiles of this page that ask for photographs; draws nothing that is seen.

    Args:
        choice: what the page shows.
        folder: the folder of the images, if they are not those of the index.
    """
    with st.sidebar:  # it is there before the rest of the page, and leaves no gap between parts
        _answer(choice, folder)


@st.fragment
def _answer(choice: Choice, folder: ImageFolder | None) -> None:
    sent: Any = st.session_state.get(_KEY, {})
    asked = str(sent.get("asked") or "")
    data = photograph(choice, folder, asked) if asked else {}
    _answers(key=_KEY, data={"asked": asked, **data}, height=1, on_asked_change=lambda: None)


def photograph(choice: Choice, folder: ImageFolder | None, asked: str) -> dict[str, object]:
    """What the browser draws: the photograph and the borders of the receptive field, in words too.

    Only a caption if there is no such photograph.
    """
    *places, image_id = (*asked.split(" ", 6), *[""] * 6)[:7]
    top, left, height, width, *size = map(whole_number, places)
    if min(top, left, height, width, *size) < 0 or min(size) == 0:
        return {"caption": ""}
    try:
        images = resources.images_of(choice.dataset) if folder is None else folder
        found = images.original(images.position(image_id), LONGEST)
        if folder is None and choice.index is not None:
            scanned = choice.index.content_hashes([image_id])
            check_unchanged(image_id, found.content_hash, scanned)
    except DeconvError as error:
        return {"caption": f"The photograph cannot be shown: {told(error)}"}
    original, seen = (found.height, found.width), (size[0], size[1])
    field = in_image(Box(top, left, height, width), original, images.resize, seen)
    return {
        "src": f"data:image/jpeg;base64,{base64.b64encode(_jpeg(found)).decode()}",
        "width": found.width,
        "height": found.height,
        "field": [field.left, field.top, field.right, field.bottom],
        "caption": _caption(image_id, found, images),
    }


def _caption(image_id: str, found: DecodedImage, images: ImageFolder) -> str:
    tall, wide, _ = found.pixels.shape
    shown = f", shown at {wide:,} × {tall:,}" if (tall, wide) != (found.height, found.width) else ""
    seen = " The network saw its centre crop." if images.resize == "crop" else ""
    return (
        f"{visible(image_id)}: {found.width:,} × {found.height:,} pixels{shown}. The frame is the "
        f"receptive field.{seen}"
    )


def _jpeg(found: DecodedImage) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(found.pixels).save(stream, "JPEG", quality=92, subsampling=0)
    return stream.getvalue()
