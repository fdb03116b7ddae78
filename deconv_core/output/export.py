"""Many maps in one zip: grids, tiles, tables, a manifest, and a page to look at them offline.

::

    index.html                          everything, for any browser, without a connection
    left_out.csv                        images that changed since the scan or are gone, if any
    manifest.json                       weights, images, settings, and what each folder holds
    conv4_4/map171/reconstructions.png  the grids
    conv4_4/map171/patches.png
    conv4_4/map171/table.csv
    conv4_4/map171/tiles/1_reconstruction.png, 1_patch.png ...
    conv4_4/layer/...                   the same for the top of the whole layer
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import indent
from typing import IO, Any

import pandas as pd
from PIL import Image

from deconv_core import __version__
from deconv_core.errors import UPDATE, CancelledError, DeconvError, ImageError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.layers import Layer
from deconv_core.network.download import CancelFlag
from deconv_core.network.network import Network, layer_named
from deconv_core.output.export_page import (
    PAGE_END,
    PageSection,
    PageTile,
    left_out_html,
    page_start,
    section_html,
)
from deconv_core.output.left_out import Drawing, Drawn, LeftOut
from deconv_core.output.rendering import Kind, Scale, compose_grid, tile
from deconv_core.output.selection import Selection
from deconv_core.output.tables import activation_table, csv_file
from deconv_core.reconstruction.cache import ReconstructionCache
from deconv_core.typed_paths import path_argument
from deconv_core.whole_files import whole_file

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same export gives the same bytes
_PROGRAM = "deconvnet-dashboard"
CACHE_BYTES = 128 * 2**20
"""Images and switches kept from map to map: those of about 200 images for full-width VGG19."""
LEFT_OUT = "left_out.csv"
_KINDS: tuple[Kind, Kind] = ("reconstruction", "patch")


def export(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    selection: Selection,
    target: str | os.PathLike[str],
    *,
    dataset: str = "",
    cache: ReconstructionCache | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancel: CancelFlag | None = None,
    left_out: LeftOut | None = None,
) -> Path:
    """Write the zip; it appears under its name when it is whole.

    Images that are gone or were changed since the scan are left out; tables, manifest and page
    say which and why.

    Args:
        network: what was scanned with.
        images: what was scanned.
        index: the scan.
        selection: what to export.
        target: the zip file.
        dataset: name of the images, for people; the folder's name if "".
        cache: keeps images and switches between maps; None takes one of 128 MiB.
        progress: called with (maps and layers finished, in all).
        cancel: set it to stop; nothing is left.
        left_out: takes image_id -> reason of each image that is left out.

    Returns:
        The path of the zip.

    Raises:
        DeconvError: nothing chosen, an address that does not exist, no folder of images, or
            something else of that name.
        ImageError: not one picture can be made: all images are gone or were changed.
        CancelledError: ``cancel`` was set.
    """
    wanted = _wanted(index, selection)
    path = Path(path_argument(target))
    _check_target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept, gone = cache or ReconstructionCache(CACHE_BYTES), {} if left_out is None else left_out
    drawing = Drawing(network, images, index, selection, kept, gone, cancel)
    facts = _facts(network, images, index, selection, dataset or images.root.name)
    with (
        whole_file(path) as part,
        zipfile.ZipFile(part, "w") as archive,
        _Texts(path.parent, ",\n") as described,
        _Texts(path.parent, "\n") as shown,
    ):
        made = 0
        for done, (layer, channel) in enumerate(wanted):  # the pictures of one at a time
            if cancel is not None and cancel.is_set():
                raise CancelledError(f"stopped after {done} of {len(wanted)} maps")
            drawn = drawing.draw(layer, channel)
            made += len(drawn.pictures)
            said = _add_section(archive, selection, layer, channel, drawn, index.layers)
            del drawn
            described.add(said.described)
            shown.add(said.shown)
            return_freed_memory()
            if progress is not None:
                progress(done + 1, len(wanted))
        if gone and not made:
            raise ImageError(f"no picture can be made: {_first(gone)}; {UPDATE}")
        facts["left_out"] = dict(gone)
        start, end = json.dumps({**facts, "maps": []}, indent=1).rsplit("[]", 1)
        _add_text(archive, "manifest.json", f"{start}[\n", described, f"\n ]{end}")
        links = [(folder_of(*chosen), _title_of(*chosen)) for chosen in wanted]
        page = page_start(_title(facts), _lines(facts), links)
        _add_text(archive, "index.html", page, shown, left_out_html(gone) + PAGE_END)
        if gone:
            table = pd.DataFrame(sorted(gone.items()), columns=["image_id", "reason"])
            _add(archive, LEFT_OUT, csv_file(table))
    return path


class _Texts:
    """Texts one after the other, kept on the disk: memory does not grow with the maps.

    The file has no name, so that nothing is left of it, however the program ends.
    """

    def __init__(self, folder: Path, between: str) -> None:
        self._file = tempfile.TemporaryFile("w+b", dir=folder)  # noqa: SIM115
        self._between = between.encode()

    def __enter__(self) -> _Texts:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, text: str) -> None:
        """Put a text behind the others."""
        if self._file.tell():
            self._file.write(self._between)
        self._file.write(text.encode())

    def copy_to(self, target: IO[bytes]) -> None:
        """Write all of them."""
        self._file.seek(0)
        shutil.copyfileobj(self._file, target)


def _check_target(path: Path) -> None:
    """Check that nothing is replaced but an earlier export."""
    if os.path.lexists(path) and not _is_export(path):
        raise DeconvError(f"{path} is there and is no export of this program; give another name")


def _is_export(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("manifest.json") as file:
            return f'"program": "{_PROGRAM} '.encode() in file.read(200)
    except Exception:  # zipfile raises nearly anything on files that are no archives
        return False


@dataclass(frozen=True)
class _Section:
    """What manifest and page say of one map or layer that is in the archive."""

    described: str
    shown: str


def _described(folder: str, layer: str, channel: int | None, scale: str, drawn: Drawn) -> str:
    """For the manifest."""
    activations = []
    for rank, found in enumerate(drawn.top, 1):
        picture = drawn.pictures.get(rank)
        activations.append(
            {
                "image_id": found.image_id,
                "channel": found.unit.channel,
                "row": found.row,
                "column": found.column,
                "value": found.value,
                **({"box": asdict(picture.box)} if picture else {"left_out": drawn.missing[rank]}),
                "copies": list((drawn.copies or {}).get(found.image_id, ())),
            }
        )
    facts = {"folder": folder, "layer": layer, "channel": channel, "scale": scale}
    return indent(json.dumps({**facts, "activations": activations}, indent=1), "  ")


def folder_of(layer: str, channel: int | None) -> str:
    """The folder of a feature map in the archive; of the whole layer if ``channel`` is None."""
    return f"{layer}/layer" if channel is None else f"{layer}/map{channel}"


def _wanted(index: ActivationIndex, selection: Selection) -> list[tuple[str, int | None]]:
    """(layer, channel or None) of every section, in the network's order."""
    order = list(index.layers)
    chosen: list[tuple[str, int | None]] = [(name, None) for name in selection.layers]
    chosen += [(unit.layer, unit.channel) for unit in selection.units]
    if not chosen:
        raise DeconvError("nothing is chosen; choose at least one layer or feature map")
    for name, _ in chosen:
        layer_named(index.layers, name)
    unique: Iterable[tuple[str, int | None]] = dict.fromkeys(chosen)
    return sorted(unique, key=lambda c: (order.index(c[0]), -1 if c[1] is None else c[1]))


def _first(left_out: Mapping[str, str]) -> str:
    image_id, why = next(iter(left_out.items()))
    return f"{image_id}: {why}"


def _title_of(layer: str, channel: int | None) -> str:
    return f"{layer}, all feature maps" if channel is None else f"{layer}, feature map {channel}"


def _add_section(
    archive: zipfile.ZipFile,
    selection: Selection,
    layer: str,
    channel: int | None,
    drawn: Drawn,
    layers: Mapping[str, Layer],
) -> _Section:
    folder, title = folder_of(layer, channel), _title_of(layer, channel)
    pictures, side = list(drawn.pictures.values()), selection.tile_size
    scale = Scale.named(selection.scale, pictures)
    if pictures:
        for kind in _KINDS:
            grid = compose_grid(pictures, kind, scale=scale, tile_size=side)
            _add(archive, f"{folder}/{kind}{'es' if kind == 'patch' else 's'}.png", _png(grid))
    if drawn.top:
        _add(archive, f"{folder}/table.csv", csv_file(_table(drawn, layers)))
    for rank, picture in drawn.pictures.items() if selection.single_tiles else ():
        for kind in _KINDS:
            drawn_tile = tile(picture, kind, scale, side)
            _add(archive, f"{folder}/tiles/{rank}_{kind}.png", _png(drawn_tile))
    tiles = tuple(
        PageTile(
            *(rank, found.image_id, found.unit.channel, found.value),
            (drawn.copies or {}).get(found.image_id, ()),
            drawn.missing.get(rank, ""),
        )
        for rank, found in enumerate(drawn.top, 1)
    )
    caption = scale.caption if pictures else "no picture" if tiles else "no image activates it"
    shown = PageSection(title, folder, caption, tiles, by_map=channel is None)
    return _Section(_described(folder, layer, channel, caption, drawn), section_html(shown))


def _table(drawn: Drawn, layers: Mapping[str, Layer]) -> pd.DataFrame:
    """Every activation; those without a picture say why."""
    items = [drawn.pictures.get(rank, found) for rank, found in enumerate(drawn.top, 1)]
    table = activation_table(items, layers, drawn.copies)  # type: ignore[arg-type]
    if drawn.missing:
        table["left_out"] = [drawn.missing.get(rank, "") for rank in table["rank"]]
    return table


def _facts(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    selection: Selection,
    dataset: str,
) -> dict[str, Any]:
    """Everything needed to make the same pictures again; no paths of this computer."""
    return {
        "program": f"{_PROGRAM} {__version__}",
        "network": Path(network.source).name,
        "architecture": network.architecture,
        "fingerprint": network.fingerprint,
        "preprocessing": network.preprocessing.name,
        "preprocessing_reason": index.manifest.preprocessing_reason,
        "dataset": dataset,
        "resize": images.resize,
        "images_scanned": len(index.images),
        "images_in_all": index.total,
        "scan_complete": index.complete,
        "precision": index.precision,
        "k": selection.k,
        "label": selection.label,
        "scale": selection.scale,
        "tile_size": selection.tile_size,
        "copies_in_all": sum(len(group) - 1 for group in index.equal_images),
        "copies_counted": selection.copies,
    }


def _title(facts: Mapping[str, Any]) -> str:
    return f"{facts['dataset']} seen by {facts['network']}"


def _lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The facts of the page's head, in words."""
    scanned = f"{facts['images_scanned']:,} of {facts['images_in_all']:,}"
    gone = facts["left_out"]
    label = "all images" if facts["label"] is None else f"images of “{facts['label']}”"
    because = facts["preprocessing_reason"] and f", because {facts['preprocessing_reason']}"
    if facts["copies_in_all"]:
        label += ", every copy counted" if facts["copies_counted"] else ", copies counted once"
    return [
        ("Network", f"{facts['network']} ({facts['architecture']}, {facts['fingerprint']})"),
        ("Preprocessing", f"{facts['preprocessing']}{because}"),
        ("Images", f"{facts['dataset']}, {scanned} scanned"),
        ("Shown", f"top {facts['k']} over {label}"),
        *([("Left out", f"{_images(len(gone))}, see the end of the page")] if gone else []),
    ]


def _images(number: int) -> str:
    return f"{number:,} image{'' if number == 1 else 's'}"


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_entry(name), content)


def _add_text(archive: zipfile.ZipFile, name: str, start: str, texts: _Texts, end: str) -> None:
    with archive.open(_entry(name), "w") as file:
        file.write(start.encode())
        texts.copy_to(file)
        file.write(end.encode())


def return_freed_memory() -> None:
    """Give the system back what was freed: glibc keeps more and more of it otherwise."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # other C libraries give it back by themselves
            ctypes.CDLL(None).malloc_trim(0)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
    return entry
