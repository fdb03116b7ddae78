"""Everything the server keeps, and what it is kept by.

Nothing is kept under a name alone: the key of a thing is what it is made from, so a file that was
replaced is another key, in every session. A file stands in a key as its ``FileState`` (path, size,
times, number on the disk), an image as its ``ImageContent`` (that, and how it is read), an index as
its stamp (content of its manifest, states of its files).

=========================== ============================ ================================ ==========
kept                        what                         key                              at most
=========================== ============================ ================================ ==========
of all sessions, here
--------------------------- ---------------------------- -------------------------------- ----------
_network                    networks                     source, preprocessing, file      3
_folder KeptFolder._images  lists of folders             settings; looks at each folder   8
_index                      indexes, opened              path, stamp                      8
_notes                      names and notes of maps      data folder, fingerprint, file   16
_file_hash                  SHA-256 of a file            file                             4096
uploaded_image              a folder for an upload       SHA-256 of it, how it is read    8
_opening                    the demo's first answer      its three files                  2
picture_store               reconstructions              network, image, activation,      192 MB
                                                         SHA-256 at the scan
_kept_pictures              the same, and tiles of it    network, SHA-256 of the image,   4,000 MB,
                                                         how it is read, activation, rule a setting
specificities               what was measured about them the same                         500
occlusions                  what squares over images do  network, image, map, location,   500
                                                         size and stride
reconstruction_cache        pixels, switches and peaks   image, network                   256 MB
plane_store                 feature maps                 network, image, layer            96 MB
strongest                   strongest map of each layer  network, image                   64
turn warm_up prepared       a lock, a thread, a deed     no content                       1
of all sessions, in ``index_answers``
--------------------------- ---------------------------- -------------------------------- ----------
_top _maps _table           what an index answers        path, stamp, question            512 64 64
_ranked _groups             peaks of a map in order      path, stamp, question            12 64
_image_ids                  ids of the images            path, stamp                      8
settled_answers             answers, checked in float32  path, stamp, question            2000
of all sessions, in ``drawn``
--------------------------- ---------------------------- -------------------------------- ----------
tile_png                    tiles                        key of its picture, kind, scale  6000
_patch                      patches                      image, activation, box, input    2000
_thumbnail                  small pictures               image, its shape, side           2000
_overlay                    images, planes over them     pixels, planes, the layer        300
plane_pngs                  all planes of a layer, small network, image, layer            16
of one object
--------------------------- ---------------------------- -------------------------------- ----------
Store._kept                 what a store above holds     as there                         as there
ReconstructionCache._kept   as above                     as above                         as above
ReconstructionCache._work   work done on an image        network, image                   100,000
ActivationIndex             images notes labels          the index, as it was opened      its index
                            dead_maps _by_ordinal
                            _copies, with
                            KnownCopies._labels
StoredPeaks._readable       blocks checked               block                            its index
ImageFolder                 _positions, other_files      the list of the folder           its list
_said_by                    what scans left behind       path, states of its files        64
job_silence Silence._seen   what each job said last      id of the job                    256
_children                   processes to be waited for   process                          running
_is_srgb                    if a profile is that of sRGB profile, mode                    16
font _has                   what the captions' font has  size, letter                     16 4096
_cost _clash _script        what code pages have         letter                           20,000
_all_folded                 texts as a search sees them  the texts                        4
classifiers                 the catalogue's table        no content                       1
_hints                      types of a class's fields    class                            classes
Network Graph               layers blocked unusable      the network                      networks
of one session
--------------------------- ---------------------------- -------------------------------- ----------
previews                    looks at folders             settings, folders, files shown   4
found_copies                copies in folders            settings, folders, some seconds  4
file_hashes                 SHA-256 of files             file                             100,000
uploaded_image              an image, to look into       itself                           1
upload_passed_over          what an upload left out      id of its dataset                1
=========================== ============================ ================================ ==========

A session also remembers what a person chose (the keys of widgets), how often a widget was changed
from elsewhere (..._changes), how it was drawn (..._drawn), what is to be said on the next run
(..._error, ..._trouble, ..._blocked, ..._question), and address, address_page, address_waiting,
browse_place, charts_loaded, damage_told, folder_chosen, folder_given, hero_shown, import_done,
maps_picked, moved_asked, newest_request, notes_saved, notes_unsaved, places_drawn, request_flag,
scan_offered, sheets_asked, start_wanted, tile_clicked, update_asked, upload_round.
In the browser pictures are part of the page: a component draws again when its data differ, and
addresses of pictures are made of their content.

The first page paints before torch is there. So what loads torch is imported when it is first used:
by ``deconv_core.NAME``, which does so by itself, or inside the function that needs it.
"""

from __future__ import annotations

import gc
import importlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

import deconv_core
from deconv_core.demo import Opening, demo_opening, opening_files
from deconv_core.errors import DeconvError, ImageError, WeightsError
from deconv_core.file_state import FileState
from deconv_core.images.decoding import content_hash
from deconv_core.images.folder import (
    ImageContent,
    ImageFolder,
    SeenImage,
    check_unchanged,
    read_content,
)
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.layers import INPUT_SIZE
from deconv_core.pictures import Reconstruction
from deconv_core.storage import Location
from deconv_core.units import Activation, Box, Unit
from deconv_dashboard.data.datasets import Dataset
from deconv_dashboard.data.kept_pictures import DrawnTile, KeptPictures, MadeFrom
from deconv_dashboard.data.notes_files import UnitNote
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.unit_notes import NotesStore
from deconv_dashboard.data.uploads import delete_interrupted_uploads
from deconv_dashboard.jobs.scans import finish_what_was_killed
from deconv_dashboard.limits import allow_open_files, most_kept_pictures
from deconv_dashboard.queue.silence import Silence
from deconv_dashboard.server.kept_folder import KeptFolder
from deconv_dashboard.server.locks import Store, Turn
from deconv_dashboard.server.serving import rules
from deconv_dashboard.values import Choice, PictureKey

if TYPE_CHECKING:
    from deconv_core.specificity.occlusion import Occlusion
    from deconv_core.specificity.specificity import Specificity

AS_TEXT: Any = dict.fromkeys(
    (PictureKey, ImageContent, FileState, Activation, Unit, Box, tuple), repr
)
"""Hash functions of keys: their text names every field; Streamlit's own way takes far longer."""
_SHOWN_FIRST = 1.0  # seconds that the browser has to itself before torch is loaded


def registry() -> Registry:
    """Datasets, networks and indexes of this data folder."""
    return Registry(rules=rules())


@st.cache_resource(show_spinner=False)
def prepared(home: Path) -> bool:
    """True; the first time in a server, what killed ones left in a data folder is put right.

    Also, as many files may be open as many sessions need.
    """
    allow_open_files()
    delete_interrupted_uploads(Registry(home))
    finish_what_was_killed(Registry(home))
    return True


@st.cache_resource(show_spinner=False)
def job_silence() -> Silence:
    """For how long each background job has said nothing new, as this server saw it."""
    return Silence()


# --- what is shared ------------------------------------------------------------------------------


def network_of(choice: Choice) -> deconv_core.Network:
    """The chosen network; never downloads.

    Raises:
        WeightsError: its weights are not on this computer, or cannot be used.
    """
    network = choice.network
    if not choice.registry.ready(network):
        raise WeightsError(f"the weights of {network.name} are not on this computer yet")
    file = choice.registry.weight_file(network)
    weights = None if file is None else _state(file)
    return _network(network.source, network.preprocessing, str(choice.registry.home), weights)


def _state(path: Location) -> FileState | None:
    """The state of a file or folder, None if there is none."""
    try:
        return FileState.of(path)
    except OSError:
        return None


@st.cache_resource(max_entries=3, show_spinner=False, hash_funcs=AS_TEXT)
def _network(
    source: str, preprocessing: str | None, home: str, weights: FileState | None
) -> deconv_core.Network:
    del weights
    network = deconv_core.load_network(source, preprocessing, home=Path(home))
    spare_collector()
    return network


_SPARED = threading.Event()


def spare_collector() -> None:
    """Take what is loaded by now out of the garbage collector's sight, once a process.

    Streamlit collects after each run of a page or of a part of it. To look through torch takes
    half a second, in which no other session gets on.
    """
    if not _SPARED.is_set():  # to ask the collector how much is frozen takes a walk through it
        _SPARED.set()
        gc.collect()
        gc.freeze()


def images_of(dataset: Dataset) -> ImageFolder:
    """The dataset's images as they are now.

    Raises:
        DeconvError: the folder is gone.
    """
    return images_in(
        *(dataset.root, dataset.extensions, dataset.labels, dataset.resize, dataset.follow_links),
        dataset.value_range,
    )


def images_in(
    root: Path,
    extensions: tuple[str, ...] | None = None,
    labels: tuple[str, ...] | None = None,
    resize: str = "stretch",
    follow_links: bool = False,
    value_range: str = "type",
) -> ImageFolder:
    """The images of a folder as they are now; it is listed again when a folder in it has changed.

    Raises:
        DeconvError: it is not there.
    """
    within = registry().within
    reading = extensions, labels, resize, within, follow_links, value_range
    return _folder(str(root), *reading).images()


def list_again() -> None:
    """Forget how folders were listed: whoever asks next sees them as they are at that moment."""
    _folder.clear()


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=AS_TEXT)
def _folder(
    root: str,
    extensions: tuple[str, ...] | None,
    labels: tuple[str, ...] | None,
    resize: Any,
    within: tuple[Path, ...] | None,
    follow_links: bool,
    value_range: Any,
) -> KeptFolder:
    how = {"resize": resize, "within": within, "follow_links": follow_links}
    return KeptFolder(lambda: ImageFolder(root, extensions, labels, value_range=value_range, **how))


def index_stamp(path: Path) -> str:
    """Changes whenever an index does: a scan that goes on, an update, another index."""
    try:
        manifest = content_hash((path / "manifest.json").read_bytes())
        blocks = len(os.listdir(path / "blocks"))
    except OSError:
        manifest, blocks = "", 0
    return repr((manifest, blocks, _state(path / "images.parquet"), _state(path / "blocks")))


def index_of(path: Path, stamp: str = "") -> ActivationIndex | None:
    """The index at a path, finished or not; None if there is none yet.

    Args:
        path: where it is.
        stamp: what ``index_stamp`` says of it, where that is known already.

    Raises:
        DeconvError: it cannot be read.
    """
    there = (path / "manifest.json").is_file()
    return _index(str(path), stamp or index_stamp(path)) if there else None


@st.cache_resource(max_entries=8, show_spinner=False)
def _index(path: str, stamp: str) -> ActivationIndex:
    del stamp
    return ActivationIndex.open(path)


def notes_of(home: Path, fingerprint: str) -> Mapping[Unit, UnitNote]:
    """Names and notes of a network's feature maps, as they are now.

    Raises:
        DeconvError: their file is damaged or cannot be read.
    """
    return _notes(home, fingerprint, _state(NotesStore(home, fingerprint).path))


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=AS_TEXT)
def _notes(home: Path, fingerprint: str, file: FileState | None) -> Mapping[Unit, UnitNote]:
    del file
    return NotesStore(home, fingerprint).read()


# --- images --------------------------------------------------------------------------------------


def image_of(choice: Choice, image_id: str) -> SeenImage:
    """One image of the dataset as the network sees it now.

    Raises:
        ImageError: it is gone or cannot be read.
    """
    folder = images_of(choice.dataset)
    return reconstruction_cache().image(folder, folder.position(image_id), input_size_of(choice))


def input_size_of(choice: Choice) -> tuple[int, int]:
    """Height and width of the images that the chosen network sees.

    The index knows it; without one the network is loaded. While its weights are not there, it is
    taken to be the usual one.
    """
    for layer in choice.layers.values():
        height, width = layer.input_size
        return height, width
    try:
        return network_of(choice).input_size
    except DeconvError:
        return INPUT_SIZE


def scanned_image(choice: Choice, image_id: str) -> SeenImage:
    """One image of the dataset, if it is the one that the index was made from.

    Raises:
        ImageChangedError: it is another one under the same name.
        ImageError: it is gone or cannot be read.
    """
    seen = image_of(choice, image_id)
    check_unchanged(image_id, seen.content_hash, _scanned_hashes(choice, [image_id]))
    return seen


def _scanned_hashes(choice: Choice, image_ids: Sequence[str]) -> dict[str, str]:
    assert choice.index is not None, "pages ask only an index that is there"
    return choice.index.content_hashes(image_ids)


def unchanged(choice: Choice, image_ids: Sequence[str]) -> bool:
    """True if all these images are those that the index was made from."""
    folder = images_of(choice.dataset)
    try:
        files = {name: folder.content(folder.position(name)).file for name in image_ids}
        now = {name: _file_hash(file) for name, file in files.items()}
    except ImageError:
        return False
    return now == _scanned_hashes(choice, image_ids)


@st.cache_data(max_entries=4096, show_spinner=False, hash_funcs=AS_TEXT)
def _file_hash(file: FileState) -> str:
    return content_hash(read_content(Path(file.path)))


@st.cache_resource(max_entries=8, show_spinner=False)
def uploaded_image(
    digest: str, suffix: str, resize: Any, value_range: Any, _content: bytes
) -> ImageFolder:
    """A folder with one uploaded image, forgotten with the server.

    Raises:
        DeconvError: there is no place for temporary files.
    """
    try:
        home = tempfile.TemporaryDirectory(prefix="deconv-")
        Path(home.name, f"{digest}{suffix}").write_bytes(_content)
    except OSError as error:
        raise DeconvError(f"there is no place for temporary files: {error.strerror}") from error
    folder = ImageFolder(home.name, resize=resize, value_range=value_range)
    folder.keep_alive = home  # type: ignore[attr-defined]
    return folder


def opening() -> Opening | None:
    """The demo's first answer, ready made; None if its files are missing or damaged."""
    return _opening(tuple(map(_state, opening_files())))


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs=AS_TEXT)
def _opening(files: tuple[FileState | None, ...]) -> Opening | None:
    del files
    try:
        return demo_opening()
    except (OSError, ValueError, KeyError):  # it is only a short cut
        return None


# --- computing -----------------------------------------------------------------------------------


_TURN = Turn()  # not in a cache: any visitor can have the caches cleared


def turn() -> Turn:
    """The one lock around everything that computes."""
    return _TURN


@st.cache_resource(show_spinner=False)
def warm_up() -> threading.Thread:
    """Load torch, once a server, while the visitor looks at the first page."""

    def load() -> None:
        time.sleep(_SHOWN_FIRST)
        importlib.import_module("deconv_core.reconstruction.reconstruct")
        spare_collector()

    thread = threading.Thread(target=load, name="warm-up", daemon=True)
    thread.start()
    return thread


@st.cache_resource(show_spinner=False)
def picture_store() -> Store[PictureKey, Reconstruction]:
    """Finished reconstructions, shared by all sessions."""
    return Store(192 * 2**20, lambda picture: picture.pixels.nbytes + picture.patch.nbytes)


@st.cache_resource(max_entries=4, show_spinner=False)
def _kept_pictures(home: Path) -> KeptPictures:
    return KeptPictures(home, most_kept_pictures())


def kept_pictures() -> KeptPictures:
    """The reconstructions in the data folder, which are there after a restart."""
    return _kept_pictures(registry().home)


def kept_picture(key: PictureKey) -> Reconstruction | None:
    """A reconstruction from the data folder; None if it is not there, or its image was changed."""
    return _of_unchanged(key, kept_pictures().get)


def kept_tile(key: PictureKey) -> DrawnTile | None:
    """The tile of a reconstruction from the data folder, as ``kept_picture``."""
    return _of_unchanged(key, kept_pictures().tile)


_Kept = TypeVar("_Kept")


def _of_unchanged(key: PictureKey, read: Callable[[MadeFrom], _Kept | None]) -> _Kept | None:
    """What is kept, if the image is the one that it was made from."""
    made_from = made_from_of(key)
    found = None if made_from is None else read(made_from)
    if made_from is None or found is None:
        return None
    try:
        return found if _file_hash(key.image.file) == made_from.image else None
    except ImageError:
        return None


def is_kept(key: PictureKey) -> bool:
    """True if a reconstruction or its tile is in the data folder; it is not read."""
    made_from, kept = made_from_of(key), kept_pictures()
    return made_from is not None and (kept.has_tile(made_from) or kept.has(made_from))


def made_from_of(key: PictureKey) -> MadeFrom | None:
    """What a picture is made from, without paths and times; None if its image was not scanned."""
    image = key.image
    how = key.scanned, image.resize, image.value_range, key.activation, key.rule
    return MadeFrom(key.network, *how) if key.scanned else None


@st.cache_resource(show_spinner=False)
def specificities() -> Store[PictureKey, Specificity]:
    """What was measured about pictures, shared by all sessions."""
    return Store(500)


OcclusionKey = tuple[str, ImageContent, tuple[str, int, int, int, int]]
"""Fingerprint, image, and the map, row, column, size and stride."""


@st.cache_resource(show_spinner=False)
def occlusions() -> Store[OcclusionKey, Occlusion]:
    """What a network computes while a square slides over an image, shared by all sessions."""
    return Store(500)


@st.cache_resource(show_spinner=False)
def reconstruction_cache() -> deconv_core.ReconstructionCache:
    """Decoded images and switches, shared by all sessions."""
    return deconv_core.ReconstructionCache(256 * 2**20)


@st.cache_resource(show_spinner=False)
def plane_store() -> Store[tuple[str, ImageContent, str], npt.NDArray[np.float32]]:
    """The feature maps of the last few images looked into: (network, image, layer) -> planes."""
    return Store(96 * 2**20, lambda planes: planes.nbytes)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=AS_TEXT)
def strongest(
    _network: deconv_core.Network, network: str, _seen: SeenImage, image: ImageContent
) -> pd.DataFrame:
    """The strongest map of every convolution in one image.

    Args:
        _network: what looks at the image.
        network: its fingerprint.
        _seen: the image.
        image: what it was made from.
    """
    from deconv_core.reconstruction.whole_image import pass_image  # loads torch

    del network, image
    last = list(_network.layers)[-1]
    rows = []
    for name, peaks in pass_image(_network, _seen.pixels, last)[0].peaks.items():
        channel = int(peaks.values[0].argmax())
        place = int(peaks.rows[0, channel]), int(peaks.columns[0, channel])
        rows.append((name, channel, float(peaks.values[0, channel]), *place))
    return pd.DataFrame(rows, columns=["layer", "channel", "value", "row", "column"])
