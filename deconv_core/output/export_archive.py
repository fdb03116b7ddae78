"""Writes an export: one zip with grids, tiles, tables, a manifest and an offline page of many maps.

The zip holds, perhaps in one folder around everything::

    index.html                          everything on one page, for any browser, offline
    left_out.csv                        images that changed since the scan or are missing, if any
    manifest.json                       weights, images, settings, content of each folder
    conv4_4/label_table.csv             which labels the chosen maps tell apart, if there are two
    conv4_4/map171/reconstructions.png  the grids
    conv4_4/map171/patches.png
    conv4_4/map171/table.csv
    conv4_4/map171/specificity.csv      how much of each picture is about its map, if asked for
    conv4_4/map171/tiles/1_reconstruction.png, 1_patch.png ...
    conv4_4/layer/...                   the same for the top activations of the whole layer
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import indent
from typing import IO, Any

import pandas as pd
from PIL import Image

from deconv_core.errors import DeconvError
from deconv_core.layers import Layer
from deconv_core.output.export_page import (
    PAGE_END,
    PageSection,
    PageTile,
    left_out_html,
    page_start,
    section_html,
)
from deconv_core.output.provenance import PROGRAM, Provenance
from deconv_core.output.rendering import Kind, Scale, compose_grid, tile
from deconv_core.output.selection import Selection
from deconv_core.output.tables import activation_table, csv_file
from deconv_core.pictures import RULE_NAMES, Reconstruction
from deconv_core.units import Activation, Unit
from deconv_core.whole_files import whole_file

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same export gives the same bytes
LEFT_OUT, MANIFEST = "left_out.csv", "manifest.json"
SPECIFICITY = "specificity.csv"
_KINDS: tuple[Kind, Kind] = ("reconstruction", "patch")
Copies = Mapping[str, tuple[str, ...]] | None
"""Image id -> ids of its copies, from ``ActivationIndex.copies_behind``; None if each counts."""


@dataclass(frozen=True)
class Drawn:
    """The top activations of one map or layer, with their pictures.

    Attributes:
        top: all top activations.
        pictures: rank (from 1) -> the reconstruction.
        missing: rank -> why there is no picture.
        copies: image id -> ids of its copies.
    """

    top: Sequence[Activation]
    pictures: Mapping[int, Reconstruction]
    missing: Mapping[int, str]
    copies: Copies = None


@dataclass(frozen=True, eq=False)
class ExportArchive:
    """An export in progress: ``add`` writes each map or layer, then ``finish`` writes the rest."""

    archive: _Folder
    selection: Selection
    layers: Mapping[str, Layer]
    made: Provenance
    described: _Texts
    shown: _Texts

    def add(self, layer: str, channel: int | None, drawn: Drawn) -> None:
        """Write grids, tiles and table of a map, or of a whole layer."""
        settings = self.archive, self.selection, self.layers, self.made
        added = _add_section(*settings, layer, channel, drawn)
        self.described.add(added.described)
        self.shown.add(added.shown)

    def add_specificity(self, layer: str, channel: int | None, table: pd.DataFrame) -> None:
        """Write how specific the pictures of a map, or of a whole layer, are."""
        name = f"{folder_of(layer, channel)}/{SPECIFICITY}"
        self.archive.add(name, csv_file(self.made.in_table(table)))

    def add_label_table(self, layer: str, table: pd.DataFrame) -> None:
        """Write which labels the maps of a layer tell apart."""
        self.archive.add(f"{layer}/label_table.csv", csv_file(self.made.in_table(table)))

    def finish(
        self,
        facts: Mapping[str, Any],
        sections: Sequence[tuple[str, int | None]],
        left_out: Mapping[str, str],
    ) -> None:
        """Write the manifest, the page, and the list of images that were left out.

        Args:
            facts: entries of the manifest about the whole export.
            sections: (layer, channel or None) of every added map or layer.
            left_out: image_id -> why there is no picture of the image.
        """
        facts = {**facts, "left_out": dict(left_out), "maps": []}
        start, end = json.dumps(facts, indent=1).rsplit("[]", 1)
        self.archive.add_texts(MANIFEST, f"{start}[\n", self.described, f"\n ]{end}")
        names = self.selection.names
        links = [(folder_of(*chosen), _title_of(*chosen, names)) for chosen in sections]
        page = page_start(_title(facts), _lines(facts, self.made), links)
        self.archive.add_texts("index.html", page, self.shown, left_out_html(left_out) + PAGE_END)
        if left_out:
            table = pd.DataFrame(sorted(left_out.items()), columns=["image_id", "reason"])
            self.archive.add(LEFT_OUT, csv_file(table))


@contextmanager
def export_archive(
    path: Path,
    selection: Selection,
    layers: Mapping[str, Layer],
    made: Provenance,
    folder: str = "",
) -> Iterator[ExportArchive]:
    """A zip for an export; it gets its name when it is complete.

    Every table and picture in it says what it was made from. It unpacks into ``folder``, if one is
    given.

    Raises:
        DeconvError: a file of this name exists and is not an earlier export.
    """
    _check_target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        whole_file(path) as part,
        zipfile.ZipFile(part, "w") as archive,
        _Texts(path.parent, ",\n") as described,
        _Texts(path.parent, "\n") as shown,
    ):
        within = _Folder(archive, f"{folder}/" if folder else "")
        yield ExportArchive(within, selection, layers, made, described, shown)


@dataclass(frozen=True, eq=False)
class _Folder:
    """A folder in a zip; ``prefix`` is its name with a slash, or ""."""

    archive: zipfile.ZipFile
    prefix: str

    def add(self, name: str, content: bytes) -> None:
        """Write a file."""
        self.archive.writestr(_entry(self.prefix + name), content)

    def add_texts(self, name: str, start: str, texts: _Texts, end: str) -> None:
        """Write a file of texts, with more before and after them."""
        with self.archive.open(_entry(self.prefix + name), "w") as file:
            file.write(start.encode())
            texts.copy_to(file)
            file.write(end.encode())


class _Texts:
    """A sequence of texts in a temporary file, so that memory does not grow with the maps.

    The file has no name, so nothing is left of it, even if the program is killed.
    """

    def __init__(self, folder: Path, between: str) -> None:
        self._file = tempfile.TemporaryFile("w+b", dir=folder)  # noqa: SIM115
        self._between = between.encode()

    def __enter__(self) -> _Texts:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, text: str) -> None:
        """Add a text at the end."""
        if self._file.tell():
            self._file.write(self._between)
        self._file.write(text.encode())

    def copy_to(self, target: IO[bytes]) -> None:
        """Write all texts to a file."""
        self._file.seek(0)
        shutil.copyfileobj(self._file, target)


def _check_target(path: Path) -> None:
    """Check that a file of this name, if there is one, is an earlier export."""
    if os.path.lexists(path) and not _is_export(path):
        raise DeconvError(
            f"{path} exists already and is not an export of this program; give another name"
        )


def _is_export(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(entry_of(archive, MANIFEST)) as file:
            return f'"program": "{PROGRAM} '.encode() in file.read(200)
    except Exception:  # zipfile raises many kinds of errors for files that are not archives
        return False


def entry_of(archive: zipfile.ZipFile, name: str) -> str:
    """The entry of an export's manifest or list, which may be in a folder.

    Raises:
        KeyError: there is none.
    """
    for entry in archive.namelist():
        if entry.rpartition("/")[2] == name and entry.count("/") < 2:
            return entry
    raise KeyError(name)


@dataclass(frozen=True)
class _Section:
    """One map or layer in the archive: its entry in the manifest, and its section of the page."""

    described: str
    shown: str


def _described(
    folder: str,
    layer: str,
    channel: int | None,
    scale: str,
    drawn: Drawn,
    names: Mapping[str, str],
) -> str:
    """The manifest's entry of one map or layer, as JSON."""
    activations = []
    for rank, found in enumerate(drawn.top, 1):
        picture = drawn.pictures.get(rank)
        activations.append(
            {
                "image_id": found.image_id,
                "channel": found.unit.channel,
                **_name_of(found.unit, names),
                "row": found.row,
                "column": found.column,
                "value": found.value,
                **({"box": asdict(picture.box)} if picture else {"left_out": drawn.missing[rank]}),
                "copies": list((drawn.copies or {}).get(found.image_id, ())),
            }
        )
    facts = {"folder": folder, "layer": layer, "channel": channel, "scale": scale}
    facts |= {} if channel is None else _name_of(Unit(layer, channel), names)
    return indent(json.dumps({**facts, "activations": activations}, indent=1), "  ")


def folder_of(layer: str, channel: int | None) -> str:
    """The folder of a feature map in the archive; of the whole layer if ``channel`` is None."""
    return f"{layer}/layer" if channel is None else f"{layer}/map{channel}"


def _name_of(unit: Unit, names: Mapping[str, str]) -> dict[str, str]:
    """The manifest's entry of a map's name; empty if it has none."""
    return {"name": names[str(unit)]} if names.get(str(unit)) else {}


def _title_of(layer: str, channel: int | None, names: Mapping[str, str]) -> str:
    if channel is None:
        return f"{layer}, all feature maps"
    name = names.get(str(Unit(layer, channel)))
    return f"{layer}, feature map {channel}" + (f" · {name}" if name else "")


def _add_section(
    archive: _Folder,
    selection: Selection,
    layers: Mapping[str, Layer],
    made: Provenance,
    layer: str,
    channel: int | None,
    drawn: Drawn,
) -> _Section:
    names = selection.names
    folder, title = folder_of(layer, channel), _title_of(layer, channel, names)
    pictures, side = list(drawn.pictures.values()), selection.tile_size
    scale = Scale.named(selection.scale, pictures)
    if pictures:
        for kind in _KINDS:
            grid = compose_grid(pictures, kind, scale=scale, tile_size=side)
            name = f"{folder}/{kind}{'es' if kind == 'patch' else 's'}.png"
            archive.add(name, _png(grid, made, folder))
    if drawn.top:
        table = csv_file(made.in_table(_table(drawn, layers, names)))
        archive.add(f"{folder}/table.csv", table)
    for rank, picture in drawn.pictures.items() if selection.single_tiles else ():
        for kind in _KINDS:
            drawn_tile = tile(picture, kind, scale, side)
            png = _png(drawn_tile, made, picture.activation.image_id)
            archive.add(f"{folder}/tiles/{rank}_{kind}.png", png)
    tiles = tuple(
        PageTile(
            *(rank, found.image_id, found.unit.channel, found.value),
            (drawn.copies or {}).get(found.image_id, ()),
            drawn.missing.get(rank, ""),
            names.get(str(found.unit), ""),
        )
        for rank, found in enumerate(drawn.top, 1)
    )
    caption = scale.caption if pictures else "no picture" if tiles else "no image activates it"
    shown = PageSection(title, folder, caption, tiles, by_map=channel is None)
    return _Section(_described(folder, layer, channel, caption, drawn, names), section_html(shown))


def _table(drawn: Drawn, layers: Mapping[str, Layer], names: Mapping[str, str]) -> pd.DataFrame:
    """The table of all activations; for those without a picture, with the reason."""
    items = [drawn.pictures.get(rank, found) for rank, found in enumerate(drawn.top, 1)]
    table = activation_table(items, layers, drawn.copies, names)  # type: ignore[arg-type]
    if drawn.missing:
        table["left_out"] = [drawn.missing.get(rank, "") for rank in table["rank"]]
    return table


def _title(facts: Mapping[str, Any]) -> str:
    return f"{facts['dataset']} seen by {facts['network']}"


def _lines(facts: Mapping[str, Any], made: Provenance) -> list[tuple[str, str]]:
    """The facts at the top of the page, in words."""
    scanned = f"{facts['images_scanned']:,} of {facts['images_in_all']:,}"
    gone = facts["left_out"]
    label = "all images" if facts["label"] is None else f"images of “{facts['label']}”"
    because = facts["preprocessing_reason"] and f", because {facts['preprocessing_reason']}"
    if facts["copies_in_all"]:
        label += ", every copy counted" if facts["copies_counted"] else ", copies counted once"
    return [
        ("Network", f"{facts['network']} ({facts['architecture']}, {facts['fingerprint']})"),
        ("Preprocessing", f"{facts['preprocessing']}{because}"),
        ("Images", f"{facts['dataset']}, {scanned} scanned, {made.resized}"),
        ("Rule", RULE_NAMES[facts["rule"]]),
        ("Shown", f"{_shown(facts['k'], facts['band'])} over {label}"),
        ("Program", facts["program"]),
        *([("Left out", f"{_images(len(gone))}, see the end of the page")] if gone else []),
    ]


def _shown(k: int, band: Sequence[float] | None) -> str:
    """For example "top 9", or "9 evenly spaced from 25 % to 50 % of the distribution"."""
    if band is None:
        return f"top {k}"
    low, high = band
    return f"{k} evenly spaced from {100 * low:g} % to {100 * high:g} % of the distribution"


def _images(number: int) -> str:
    return f"{number:,} image{'' if number == 1 else 's'}"


def _png(image: Image.Image, made: Provenance, title: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=made.png_info(title))
    return buffer.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
    return entry
