"""The files that ``top`` writes: two grids and a table, in a folder of results.

A run replaces only the files of an earlier run with the same result. The metadata of each PNG says
which result it belongs to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image

from deconv_core.errors import DeconvError
from deconv_core.images.passed_over import hidden_place
from deconv_core.output.provenance import PROGRAM, Provenance
from deconv_core.output.tables import COLUMNS, csv_file
from deconv_core.storage import Location, is_address, location, names_below
from deconv_core.whole_files import whole_file, write_whole

_ENDINGS = ("feat.png", "im.png")


def file_stem(layer: str, channel: int | None, label: str | None) -> str:
    """The common part of the names of a result's files: layer, map and label."""
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in label) if label else ""
    return layer + (f"_map{channel}" if channel is not None else "") + (f"_{safe}" if safe else "")


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """The files of one result.

    Attributes:
        folder: the folder of results.
        stem: the common part of the file names.
        title: the result in words, for example "conv4_4 map 7 of 'dog'".
    """

    folder: Path
    stem: str
    title: str

    @classmethod
    def of(
        cls,
        folder: str | os.PathLike[str],
        layer: str,
        channel: int | None,
        label: str | None,
        images: Location,
        *,
        copies: bool = False,
    ) -> ResultFiles:
        """Name the files of a result, and check that they can be written; nothing is created.

        Args:
            folder: the folder of results; ``write`` creates it.
            layer: the layer of the result.
            channel: its feature map, or None for the whole layer.
            label: its label, or None for all images.
            images: the folder of images; results may not be written into it.
            copies: True if every copy of a picture counts in the result.

        Raises:
            DeconvError: it is not a folder of this computer, lies in the folder of images, or holds
                another file with the name of a result.
        """
        if is_address(folder):
            raise DeconvError(
                f"results are written to this computer; {folder} is not a folder of this computer"
            )
        place = Path(str(location(folder)))
        for path in (place, *place.parents):
            if os.path.lexists(path) and not path.is_dir():
                raise DeconvError(f"{path} is not a folder; choose another folder for the results")
        inside = names_below(place, images)
        if inside is not None and not hidden_place(inside):
            raise DeconvError(
                f"results in {place} would be scanned too, because it is in the folder of images "
                f"{images}; choose a folder beside it"
            )
        which = layer if channel is None else f"{layer} map {channel}"
        title = which if label is None else f"{which} of {label!a}"
        stem = file_stem(layer, channel, label)
        if copies:
            title, stem = f"{title}, every copy counted", f"{stem}_copies"
        files = cls(place, stem, title)
        files._check_replaced()
        return files

    def write(
        self, grids: Mapping[str, Image.Image], table: pd.DataFrame, made: Provenance
    ) -> None:
        """Write the grids ("feat" and "im") and the table, each with what it was made from.

        Raises:
            DeconvError: the folder cannot be written to.
        """
        about = made.png_info(self.title)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._check_replaced()  # again: files may have been added since ``of``
            for ending, grid in grids.items():
                with whole_file(self._path(f"{ending}.png")) as part:
                    grid.save(part, "PNG", pnginfo=about)
            write_whole(self._table, csv_file(made.in_table(table)))
        except OSError as error:
            raise DeconvError(
                f"cannot write the results to {self.folder}: {error.strerror or error}; choose a "
                "folder you may write to"
            ) from error

    def _path(self, ending: str) -> Path:
        return self.folder / f"{self.stem}_{ending}"

    @property
    def _table(self) -> Path:
        return self.folder / f"{self.stem}.csv"

    def _check_replaced(self) -> None:
        """Check that existing files with these names are the same result of an earlier run."""
        for path in (*map(self._path, _ENDINGS), self._table):
            if not os.path.lexists(path):
                continue
            if not (_is_table(path) if path == self._table else _png_text(path, "Software")):
                raise DeconvError(
                    f"{path} exists already and was not written by this command; move it, or "
                    "choose another folder for the results"
                )
            if path != self._table and (title := _png_text(path, "Title")) != self.title:
                raise DeconvError(
                    f"{path} exists already and is another result, {title}; move it, or choose "
                    f"another folder for {self.title}"
                )


def _png_text(path: Path, key: str) -> str:
    """An entry in the metadata of a PNG of this program; "" for all other files."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            said = dict(image.info)
    except Exception:  # Pillow raises nearly anything on files that are no pictures
        return ""
    return str(said.get(key, "")) if said.get("Software") == PROGRAM else ""


def _is_table(path: Path) -> bool:
    """True if a file begins like a table of activations."""
    try:
        with path.open("rb") as file:
            return file.read(200).decode("utf-8-sig", "replace").startswith(",".join(COLUMNS))
    except OSError:
        return False
