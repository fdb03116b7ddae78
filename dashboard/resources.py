"""Everything the server keeps: the only module with ``st.cache_resource`` and ``st.cache_data``.

Large read-only objects (networks, image folders, indexes, finished pictures) are shared by all
sessions. PNG bytes are kept by small keys, never by arrays. torch is imported when the first
picture is computed, so that a page's frame never waits for it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard.compute import PictureStore, SettledAnswers, Turn
from dashboard.jobs.silence import Silence
from dashboard.kept_folder import KeptFolder
from dashboard.registry import Dataset, NetworkChoice, Registry
from dashboard.serving import rules
from dashboard.upload_store import delete_interrupted_uploads
from deconv_core.activation_index import ActivationIndex
from deconv_core.decoding import Pixels
from deconv_core.errors import DeconvError, WeightsError
from deconv_core.images import ImageFolder
from deconv_core.units import Activation

if TYPE_CHECKING:
    from dashboard.choice import Choice
    from deconv_core.network import Network
    from deconv_core.reconstruction import Reconstruction
    from deconv_core.reconstruction_cache import ReconstructionCache


def registry() -> Registry:
    """Datasets, networks and indexes of this data folder."""
    home = os.environ.get("DECONV_HOME")
    return Registry(Path(home).expanduser() if home else Path.home() / ".deconv", rules())


@st.cache_resource(show_spinner=False)
def cleaned_up(home: Path) -> bool:
    """True; the first time in a server, what killed uploads left in a data folder is deleted."""
    delete_interrupted_uploads(Registry(home))
    return True


@st.cache_resource(show_spinner=False)
def job_silence() -> Silence:
    """For how long each background job has said nothing new, as this server saw it."""
    return Silence()


# --- what is shared ------------------------------------------------------------------------------


def network_of(choice: Choice) -> Network:
    """The chosen network; never downloads.

    Raises:
        WeightsError: its weights are not on this computer, or cannot be used.
    """
    network = choice.network
    if not choice.registry.ready(network):
        raise WeightsError(f"the weights of {network.name} are not on this computer yet")
    return _network(network.source, network.preprocessing, str(choice.registry.home), _age(network))


def _age(network: NetworkChoice) -> int:
    path = Path(network.source)
    return path.stat().st_mtime_ns if path.suffix and path.is_file() else 0


@st.cache_resource(max_entries=3, show_spinner=False)
def _network(source: str, preprocessing: str | None, home: str, age: int) -> Network:
    from deconv_core.weights import load_network

    del age
    return load_network(source, preprocessing, home=Path(home))


def images_of(dataset: Dataset) -> ImageFolder:
    """The dataset's images as they are now.

    Raises:
        DeconvError: the folder is gone.
    """
    return images_in(
        *(dataset.root, dataset.extensions, dataset.labels, dataset.resize, dataset.follow_links)
    )


def images_in(
    root: Path,
    extensions: tuple[str, ...] | None = None,
    labels: tuple[str, ...] | None = None,
    resize: str = "stretch",
    follow_links: bool = False,
) -> ImageFolder:
    """The images of a folder as they are now; it is listed again when a folder in it has changed.

    Raises:
        DeconvError: it is not there.
    """
    within = registry().within
    return _folder(str(root), extensions, labels, resize, within, follow_links).images()


def list_again() -> None:
    """Forget how folders were listed: whoever asks next sees them as they are at that moment."""
    _folder.clear()


@st.cache_resource(max_entries=8, show_spinner=False)
def _folder(
    root: str,
    extensions: tuple[str, ...] | None,
    labels: tuple[str, ...] | None,
    resize: Any,
    within: tuple[Path, ...] | None,
    follow_links: bool,
) -> KeptFolder:
    return KeptFolder(
        lambda: ImageFolder(
            root, extensions, labels, resize=resize, within=within, follow_links=follow_links
        )
    )


def index_stamp(path: Path) -> str:
    """Changes whenever an index does: a scan that goes on, an update, another index."""
    parts = [path / "manifest.json", path / "images.parquet", path / "blocks"]
    return "-".join(str(part.stat().st_mtime_ns) if part.exists() else "0" for part in parts)


def index_of(path: Path) -> ActivationIndex | None:
    """The index at a path, finished or not; None if there is none yet.

    Raises:
        DeconvError: it cannot be read.
    """
    if not (path / "manifest.json").is_file():
        return None
    return _index(str(path), index_stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _index(path: str, stamp: str) -> ActivationIndex:
    del stamp
    return ActivationIndex.open(path)


@st.cache_data(max_entries=512, show_spinner=False)
def _top(
    path: str,
    stamp: str,
    layer: str,
    channel: int | None,
    k: int,
    label: str | None,
    copies: bool,
) -> list[Activation]:
    return _index(path, stamp).top(layer, channel, k, label, copies=copies)


def top_of(
    choice: Choice, layer: str, channel: int | None, k: int, label: str | None
) -> list[Activation]:
    """``index.top``, kept."""
    return _top(*question(choice, layer, channel, k, label))


def question(
    choice: Choice, layer: str, channel: int | None, k: int, label: str | None
) -> tuple[Any, ...]:
    """Names one question to one state of one index."""
    stamp = index_stamp(choice.index_path)
    return str(choice.index_path), stamp, layer, channel, k, label, choice.copies


@st.cache_resource(show_spinner=False)
def settled_answers() -> SettledAnswers:
    """Answers of bfloat16 indexes that were checked in float32, shared by all sessions."""
    return SettledAnswers()


def best_of_maps(choice: Choice, layer: str, channels: Sequence[int]) -> list[Activation | None]:
    """The strongest activation of each of several maps; None for a dead one."""
    path, stamp = str(choice.index_path), index_stamp(choice.index_path)
    found = [_top(path, stamp, layer, channel, 1, choice.label, False) for channel in channels]
    return [one[0] if one else None for one in found]


@st.cache_data(max_entries=64, show_spinner=False)
def _maps(path: str, stamp: str, layer: str, label: str | None) -> pd.DataFrame:
    return _index(path, stamp).maps(layer, label)


def maps_of(choice: Choice, layer: str, label: str | None) -> pd.DataFrame:
    """``index.maps``, kept."""
    return _maps(str(choice.index_path), index_stamp(choice.index_path), layer, label)


@st.cache_data(max_entries=128, show_spinner=False)
def _peaks(path: str, stamp: str, layer: str, channel: int) -> pd.DataFrame:
    return _index(path, stamp).peaks(layer, channel)


def peaks_of(choice: Choice, layer: str, channel: int) -> pd.DataFrame:
    """``index.peaks``, kept."""
    return _peaks(str(choice.index_path), index_stamp(choice.index_path), layer, channel)


# --- computing -----------------------------------------------------------------------------------


@st.cache_resource(show_spinner=False)
def turn() -> Turn:
    """The one lock around everything that computes."""
    return Turn()


@st.cache_resource(show_spinner=False)
def picture_store() -> PictureStore:
    """Finished reconstructions, shared by all sessions."""
    return PictureStore(192 * 2**20)


@st.cache_resource(show_spinner=False)
def reconstruction_cache() -> ReconstructionCache:
    """Decoded images and switches, shared by all sessions."""
    from deconv_core.reconstruction_cache import ReconstructionCache

    return ReconstructionCache(256 * 2**20)


def image_pixels(choice: Choice, image_id: str) -> Pixels:
    """One image of the dataset as the network sees it.

    Raises:
        ImageError: it is gone or cannot be read.
    """
    folder = images_of(choice.dataset)
    return reconstruction_cache().pixels(folder, folder.position(image_id))


@st.cache_resource(show_spinner=False)
def plane_store() -> OrderedDict[str, npt.NDArray[np.float32]]:
    """The feature maps of the last few images looked into."""
    return OrderedDict()


@st.cache_resource(max_entries=64, show_spinner=False)
def strongest(_network: Network, _pixels: Pixels, key: str) -> pd.DataFrame:
    """The strongest map of every convolution in one image; ``key`` names both."""
    from deconv_core.image_passes import pass_images

    del key
    last = list(_network.layers)[-1]
    rows = []
    for name, peaks in pass_images(_network, [_pixels], last)[0].peaks.items():
        channel = int(peaks.values[0].argmax())
        place = int(peaks.rows[0, channel]), int(peaks.columns[0, channel])
        rows.append((name, channel, float(peaks.values[0, channel]), *place))
    return pd.DataFrame(rows, columns=["layer", "channel", "value", "row", "column"])


@st.cache_data(max_entries=2000, show_spinner=False)
def _thumbnail(_pixels: Pixels, key: str, side: int) -> bytes:
    from PIL import Image

    del key
    return png_bytes(Image.fromarray(_pixels).resize((side, side), Image.Resampling.LANCZOS))


def thumbnail(choice: Choice, image_id: str, side: int = 96) -> bytes:
    """A small PNG of an image of the dataset; b"" if it cannot be read."""
    try:
        pixels = image_pixels(choice, image_id)
    except DeconvError:
        return b""
    return _thumbnail(pixels, f"{choice.dataset.dataset_id}:{image_id}", side)


@st.cache_resource(max_entries=8, show_spinner=False)
def uploaded_image(
    digest: str, suffix: str, resize: Any, _content: bytes | None
) -> ImageFolder | None:
    """A folder with one uploaded image, forgotten with the server; None if it is not kept.

    Raises:
        DeconvError: there is no place for temporary files.
    """
    if _content is None:
        return None
    try:
        home = tempfile.TemporaryDirectory(prefix="deconv-")
        Path(home.name, f"{digest}{suffix}").write_bytes(_content)
    except OSError as error:
        raise DeconvError(f"there is no place for temporary files: {error.strerror}") from error
    folder = ImageFolder(home.name, resize=resize)
    folder.keep_alive = home  # type: ignore[attr-defined]
    return folder


# --- PNG bytes -----------------------------------------------------------------------------------


@st.cache_data(max_entries=6000, show_spinner=False)
def tile_png(
    _picture: Reconstruction, key: str, kind: Any, scale: tuple[str, float, float]
) -> bytes:
    """One tile, one pixel for one pixel; ``key`` names the picture, ``scale`` the scale."""
    from deconv_core.rendering import Scale, tile

    del key
    name, limit, percent = scale
    drawn = tile(_picture, kind, Scale(name, limit, percent))  # type: ignore[arg-type]
    return png_bytes(drawn)


def overlay_png(pixels: Pixels, plane: npt.NDArray[np.float32] | None = None) -> bytes:
    """An image as PNG, or a feature map's plane over it; kept by content."""
    content = hashlib.blake2b(pixels.tobytes(), digest_size=16)
    if plane is not None:
        content.update(plane.tobytes())
    return _overlay(pixels, plane, content.hexdigest())


@st.cache_data(max_entries=300, show_spinner=False)
def _overlay(_pixels: Pixels, _plane: npt.NDArray[np.float32] | None, key: str) -> bytes:
    from dashboard.overlays import plain, plane_over

    del key
    drawn = plain(_pixels) if _plane is None else plane_over(_pixels, _plane)
    return png_bytes(drawn, compress_level=1)  # half the time, and it goes no farther than here


def png_bytes(image: Any, compress_level: int = 3) -> bytes:
    """A PIL image as PNG."""
    import io

    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=compress_level)
    return stream.getvalue()
