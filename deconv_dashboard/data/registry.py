"""The registry: datasets, networks, and the index of each pair, in the data folder.

The data folder (``$DECONV_HOME``) holds one small JSON file for each entry::

    datasets/1f2e3d4c.json     networks/5a6b7c8d.json     uploads/1f2e3d4c/...
    indexes/1f2e3d4c-vgg19/      notes/FINGERPRINT.json    pictures/...

Each entry is written in one step, so many sessions may read and add at once. Links carry ids, never
paths.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from deconv_core.demo import demo_images, demo_index, demo_weights
from deconv_core.errors import DeconvError
from deconv_core.home import data_home
from deconv_core.index.folder import IndexFolder
from deconv_core.whole_files import remove_parts, write_whole
from deconv_dashboard.data import names
from deconv_dashboard.data.catalogue import classifiers, random_source
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.deletion import delete_moved, move_away
from deconv_dashboard.data.kept_pictures import KeptPictures
from deconv_dashboard.folder_rules import FolderRules, absolute_path, folder_rules, what_is
from deconv_dashboard.queue.queue import JobQueue
from deconv_dashboard.writing import writing

WEIGHT_SUFFIXES = (".pth", ".pt", ".safetensors", ".npy")
_Entry = TypeVar("_Entry")
_KINDS = ("folder", "upload", "caltech256")
_ID = re.compile(r"[0-9a-z]{1,16}")
_HOUR = 3600.0


LONGEST_NAME = 80
"""Characters of the name of a dataset."""
VGG19 = NetworkChoice("vgg19", "VGG19 (ImageNet)", "vgg19")
DEMO_NETWORK = NetworkChoice("demo", "Demo network", "demo")
RANDOM = NetworkChoice("random", "VGG19, random weights", "random")


class Registry:
    """Datasets, networks and indexes below one data folder."""

    def __init__(self, home: Path | None = None, rules: FolderRules | None = None) -> None:
        """Use the data folder ``home``, or ``$DECONV_HOME``; ``rules`` limits the folders."""
        self.home = (data_home() if home is None else home).absolute()
        self._rules = rules

    @property
    def rules(self) -> FolderRules:
        """The rules for folders; without any given, those of a server on loopback."""
        return folder_rules() if self._rules is None else self._rules

    @property
    def jobs(self) -> JobQueue:
        """The background jobs of this data folder."""
        return JobQueue(self.home)

    @property
    def within(self) -> tuple[Path, ...] | None:
        """The folders that links in a dataset may lead to; None allows every folder."""
        roots = self.rules.roots
        return None if roots is None else (self.home.resolve(), *roots)

    def _reachable(self, path: Path) -> bool:
        """True if a registered path is in the data folder or in an allowed folder."""
        return FolderRules(self.within).allows(path)

    def datasets(self) -> list[Dataset]:
        """The demo, then every registered dataset that may be opened, newest first.

        All names differ: datasets of the same name get a detail that distinguishes them.
        """
        demo = Dataset("demo", "Demo drawings", "demo", demo_images())
        registered = self._read_all("datasets", _dataset)
        listed = [demo, *(dataset for dataset in registered if self._reachable(dataset.root))]
        named = names.distinct(
            listed, attrgetter("name"), lambda one: names.dataset_details(one, self.rules.shown)
        )
        return [replace(dataset, name=name) for dataset, name in named.items()]

    def roots(self) -> list[Path]:
        """The folders of all registered datasets, also of those that may not be opened now.

        Raises:
            OSError, ValueError, TypeError, KeyError: an entry cannot be read.
        """
        entries = (self.home / "datasets").glob("[0-9a-z]*.json")
        return [_dataset(json.loads(entry.read_text("utf-8"))).root for entry in entries]

    def dataset(self, dataset_id: str) -> Dataset:
        """The dataset with this id.

        Raises:
            DeconvError: no dataset has this id.
        """
        for dataset in self.datasets():
            if dataset.dataset_id == dataset_id:
                return dataset
        raise DeconvError(f"no dataset has the id {dataset_id!r} here; choose another on Start")

    def add_folder(
        self,
        root: str | os.PathLike[str],
        *,
        name: str | None = None,
        kind: str = "folder",
        extensions: Iterable[str] | None = None,
        labels: Iterable[str] | None = None,
        resize: str = "stretch",
        follow_links: bool = False,
        value_range: str = "type",
        may_be_missing: bool = False,
    ) -> Dataset:
        """Register a folder; the same settings give the same dataset again, with its name.

        Raises:
            DeconvError: it is not a folder, or not below one of ``$DECONV_FOLDERS``.
        """
        path = absolute_path(root)
        if kind == "folder":
            (self.rules.check if may_be_missing else self.check_folder)(path)
        kinds = None if extensions is None else tuple(sorted({_dotted(e) for e in extensions}))
        taken = None if labels is None else tuple(sorted(set(labels)))
        more = ["links"] * follow_links + ["file"] * (value_range == "file")
        reading = kinds, taken, resize, follow_links, value_range
        dataset_id = self._dataset_id([str(path), kinds, taken, resize, *more], (path, *reading))
        known = {one.dataset_id: one.name for one in self._read_all("datasets", _dataset)}
        called = name or known.get(dataset_id) or path.name or str(path)
        dataset = Dataset(dataset_id, called, kind, path, *reading)
        self._write("datasets", dataset_id, {**asdict(dataset), "root": str(path)})
        return dataset

    def _dataset_id(self, settings: list[Any], wanted: tuple[Any, ...]) -> str:
        """The id of the known dataset with this folder and these settings, or a new id."""
        known = {one.dataset_id: one for one in self._read_all("datasets", _dataset)}
        found = _short_hash(settings)
        for dataset_id, one in known.items():
            read = one.extensions, one.labels, one.resize, one.follow_links, one.value_range
            if (one.root, *read) == wanted:
                return dataset_id
        while found in known:  # that dataset's folder has moved, so its id is taken
            found = _short_hash([found, *settings])
        return found

    def rename_dataset(self, dataset: Dataset, name: str) -> None:
        """Give a dataset another name for people; its scans stay.

        Raises:
            DeconvError: the name is empty or too long, or the dataset was deleted.
        """
        called = " ".join(name.split())
        if not 0 < len(called) <= LONGEST_NAME:
            raise DeconvError(
                f"a name has 1 to {LONGEST_NAME} characters, not {len(called)}; choose another name"
            )
        content = self._content("datasets", dataset.dataset_id)
        self._write("datasets", dataset.dataset_id, {**content, "name": called})

    def move_dataset(self, dataset: Dataset, root: Path) -> None:
        """Store the new path of a dataset's folder; its scans stay.

        Raises:
            DeconvError: it is not a folder, may not be opened, or a job uses the dataset.
        """
        self.check_folder(root)
        with self.jobs.unused(dataset=dataset.dataset_id):
            content = self._content("datasets", dataset.dataset_id)
            before = Path(content["root"]).name
            name = root.name if content["name"] == before and root.name else content["name"]
            moved = {**content, "root": str(root), "name": name}
            self._write("datasets", dataset.dataset_id, moved)

    def move_weights(self, network: NetworkChoice, file: Path) -> None:
        """Store the new path of a network's weight file.

        Raises:
            DeconvError: the file is missing, has another type or may not be opened, or a job uses
                the network.
        """
        self.check_weights(file)
        with self.jobs.unused(network=network.network_id):
            content = self._content("networks", network.network_id)
            how = f" ({content['preprocessing']})" if content["preprocessing"] else ""
            moved = {**content, "source": str(file), "name": file.name + how}
            self._write("networks", network.network_id, moved)

    def _content(self, shelf: str, entry_id: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self._file(shelf, entry_id).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DeconvError(
                f"{entry_id} is not there any more; choose another on Start"
            ) from error
        return content

    def check_folder(self, root: Path) -> None:
        """Refuse a path that cannot become a dataset.

        Raises:
            DeconvError: it is not a folder, or not below one of ``$DECONV_FOLDERS``.
        """
        self.rules.check(root)
        self._check_there(root)

    def check_listed(self, root: Path) -> None:
        """Refuse a missing folder, and a folder with pictures that may not be shown.

        Pictures of these folders may be shown: folders that can become a dataset, uploads and
        downloads in the data folder, and the demo.

        Raises:
            DeconvError: the folder is missing, or is not one of these.
        """
        if root != demo_images() and not self._reachable(root):
            self.rules.check(root)
        self._check_there(root)

    def _check_there(self, root: Path) -> None:
        rules = self.rules
        shown = rules.shown(root)
        there = what_is(root)
        if there == "file":
            raise DeconvError(
                f"{shown} is not a folder but a file; give its folder, {rules.shown(root.parent)}"
            )
        if not there:
            raise DeconvError(f"{shown} is not a folder; give the path of a folder of images")

    def networks(self) -> list[NetworkChoice]:
        """The demo network, VGG19, added networks that may be read, and random weights of VGG19.

        All names differ, as in ``datasets``.
        """
        added = self._read_all("networks", _network)
        reachable = [one for one in added if not one.is_file or self._reachable(Path(one.source))]
        listed = [DEMO_NETWORK, VGG19, *reachable, RANDOM]
        named = names.distinct(
            listed, attrgetter("name"), lambda one: names.network_details(one, self.rules.shown)
        )
        return [replace(network, name=name) for network, name in named.items()]

    def network(self, network_id: str) -> NetworkChoice:
        """The network with this id.

        Raises:
            DeconvError: no network has this id.
        """
        for network in self.networks():
            if network.network_id == network_id:
                return network
        raise DeconvError(f"no network has the id {network_id!r} here; choose another on Start")

    def add_weights(
        self, path: str | os.PathLike[str], preprocessing: str | None = None
    ) -> NetworkChoice:
        """Register a weight file; loading it checks its content.

        Raises:
            DeconvError: the file is missing, has another type, or is not below ``$DECONV_FOLDERS``.
        """
        file = absolute_path(path)
        self.check_weights(file)
        network_id = _short_hash([str(file), preprocessing])
        known = {one.network_id: one for one in self._read_all("networks", _network)}
        for one in known.values():
            if (one.source, one.preprocessing) == (str(file), preprocessing):
                network_id = one.network_id
        while network_id in known and known[network_id].source != str(file):  # that file has moved
            network_id = _short_hash([network_id, str(file)])
        name = file.name + (f" ({preprocessing})" if preprocessing else "")
        network = NetworkChoice(network_id, name, str(file), preprocessing)
        self._write("networks", network_id, asdict(network))
        return network

    def add_classifier(self, name: str, *, at_random: bool = False) -> NetworkChoice:
        """Register a classifier of the catalogue, with its published or with random weights.

        Raises:
            DeconvError: the catalogue has no such name.
        """
        if name not in classifiers():
            raise DeconvError(f"the catalogue has no network {name!r}")
        for network in (VGG19, RANDOM):
            if name == VGG19.source and network.at_random == at_random:
                return network
        source = random_source(name) if at_random else name
        title = classifiers()[name].title
        called = f"{title}, random weights" if at_random else f"{title} (ImageNet)"
        network = NetworkChoice(_short_hash([source]), called, source)
        self._write("networks", network.network_id, asdict(network))
        return network

    def check_weights(self, file: Path) -> None:
        """Check that a weight file is there and may be read.

        Raises:
            DeconvError: it is missing, has another type, or is not below ``$DECONV_FOLDERS``.
        """
        self.rules.check(file)
        there = what_is(file)
        if there == "folder" or (not there and file.suffix.lower() not in WEIGHT_SUFFIXES):
            kind = "a folder" if there == "folder" else "not a weight file"
            raise DeconvError(
                f"{self.rules.shown(file)} is {kind}; choose a file that ends in "
                f"{', '.join(WEIGHT_SUFFIXES)}"
            )
        if not there:
            raise DeconvError(f"there is no file {self.rules.shown(file)}; check the path")

    def ready(self, network: NetworkChoice) -> bool:
        """True if the weights are on this computer; never downloads them."""
        if network.at_random:
            return True
        file = self.weight_file(network)
        return file is not None and file.is_file()

    def weight_file(self, network: NetworkChoice) -> Path | None:
        """The weight file of a network; None if it has none, or none yet."""
        if network.at_random:
            return None
        if network.source == "demo":
            return demo_weights()
        if network.source == VGG19.source:
            return next((self.home / "weights").glob("vgg19-*.features.safetensors"), None)
        if network.published is not None:
            return self.home / "weights" / network.published.converted
        return Path(network.source)

    def index_path(self, dataset: Dataset, network: NetworkChoice) -> Path:
        """The folder of the index of this pair; it may not exist yet."""
        both_demo = dataset.dataset_id == network.network_id == "demo"
        if both_demo and demo_index().is_dir():
            return demo_index()
        return self.home / "indexes" / f"{dataset.dataset_id}-{network.network_id}"

    def index_paths(self, dataset: Dataset) -> dict[str, Path]:
        """Network id -> index in the data folder; includes indexes of scans that still wait."""
        prefix, folder = f"{dataset.dataset_id}-", self.home / "indexes"
        there = {path.parent.name for path in folder.glob(f"{prefix}*/manifest.json")}
        found = {name for name in there if _ID.fullmatch(name.removeprefix(prefix))}
        for job in self.jobs.using(dataset=dataset.dataset_id):
            if job.kind == "scan":
                found.add(f"{prefix}{job.network}")
        return {name.removeprefix(prefix): folder / name for name in sorted(found)}

    def delete_index(self, index_path: Path) -> None:
        """Delete an index, and the pictures kept of its images.

        Raises:
            DeconvError: it is the demo's index, or a job uses it; nothing is deleted then.
        """
        if index_path.parent != self.home / "indexes":
            raise DeconvError("the demo's index is part of the program and cannot be deleted")
        dataset_id, _, network_id = index_path.name.partition("-")
        with self.jobs.unused(dataset=dataset_id, network=network_id):
            traces = index_path.parent.glob(f"{index_path.name}.*")
            images = _images_in([index_path])
            moved = move_away([index_path, *traces])
            self.jobs.forget(key=f"scan {index_path.name}")
        delete_moved(moved)
        KeptPictures(self.home, 0).forget(images)

    def delete_dataset(self, dataset: Dataset) -> None:
        """Delete a dataset, its indexes and the reconstructions kept of its images.

        Its pictures are deleted only if they are in the data folder.

        Raises:
            DeconvError: it is the demo, or a job uses it; nothing is deleted then.
        """
        if dataset.dataset_id == "demo":
            raise DeconvError("the demo is part of the program and cannot be deleted")
        with self.jobs.unused(dataset=dataset.dataset_id):
            paths = [*(self.home / "indexes").glob(f"{dataset.dataset_id}-*")]
            images = _images_in(paths)
            paths += filter(None, [self._own_pictures(dataset)])
            moved = move_away([*paths, self._file("datasets", dataset.dataset_id)])
            self.jobs.forget(dataset=dataset.dataset_id)
        delete_moved(moved)
        KeptPictures(self.home, 0).forget(images)

    def _own_pictures(self, dataset: Dataset) -> Path | None:
        """The folder in the data folder that only this dataset uses; None if there is none."""
        if dataset.kind not in ("upload", "caltech256"):
            return None
        shelves = self.home / "uploads", self.home / "downloads"
        folders = (path for path in (dataset.root, *dataset.root.parents) if path.parent in shelves)
        folder = next(folders, None)
        try:
            others = self.roots()
            others.remove(dataset.root)
        except (OSError, ValueError, TypeError, KeyError):  # another dataset may use the folder
            return None
        used = folder and any(root.is_relative_to(folder) for root in others)
        return None if used else folder

    def delete_network(self, network: NetworkChoice) -> None:
        """Remove an added weight file from the registry; the file itself stays.

        Raises:
            DeconvError: a job uses it.
        """
        with self.jobs.unused(network=network.network_id), writing("it was not removed"):
            self._file("networks", network.network_id).unlink(missing_ok=True)

    def _file(self, shelf: str, entry_id: str) -> Path:
        if not _ID.fullmatch(entry_id):
            raise DeconvError(f"{entry_id!r} is not an id")
        return self.home / shelf / f"{entry_id}.json"

    @writing("it could not be stored")
    def _write(self, shelf: str, entry_id: str, content: dict[str, Any]) -> None:
        file = self._file(shelf, entry_id)
        file.parent.mkdir(parents=True, exist_ok=True)
        remove_parts(file.parent, _is_entry, unchanged_for=_HOUR)
        write_whole(file, json.dumps(content, indent=1).encode())

    def _read_all(self, shelf: str, made: Callable[[dict[str, Any]], _Entry]) -> list[_Entry]:
        """All entries, newest first; entries that cannot be read are skipped."""
        files = [(_modified(file), file) for file in (self.home / shelf).glob("[0-9a-z]*.json")]
        entries = []
        for _, file in sorted(files, reverse=True):
            with suppress(OSError, ValueError, TypeError, KeyError):
                entries.append(made(json.loads(file.read_text("utf-8"))))
        return entries


def _images_in(index_paths: Iterable[Path]) -> set[str]:
    """SHA-256 of the images of indexes, as far as these can be read."""
    found: set[str] = set()
    for path in index_paths:
        with suppress(DeconvError):
            found.update(IndexFolder(path).read_plan()["content_hash"])
    return found - {""}


def _is_entry(name: str) -> bool:
    return _ID.fullmatch(name.removesuffix(".json")) is not None


def _network(content: dict[str, Any]) -> NetworkChoice:
    network = NetworkChoice(**content)
    texts = (network.network_id, network.name, network.source, network.preprocessing or "")
    if not all(isinstance(text, str) for text in texts) or not _ID.fullmatch(network.network_id):
        raise ValueError("not a network")
    return network


def _dataset(content: dict[str, Any]) -> Dataset:
    def listed(name: str) -> tuple[str, ...] | None:
        return None if content[name] is None else tuple(str(item) for item in content[name])

    texts = (content["dataset_id"], content["name"], content["root"])
    known = content["kind"] in _KINDS and content["resize"] in ("stretch", "crop")
    if not known or not all(isinstance(text, str) for text in texts):
        raise ValueError("not a dataset")
    if not _ID.fullmatch(content["dataset_id"]):
        raise ValueError("not an id")
    return Dataset(
        **{
            **content,
            "root": Path(content["root"]),
            "extensions": listed("extensions"),
            "labels": listed("labels"),
            "follow_links": content.get("follow_links") is True,
            "value_range": "file" if content.get("value_range") == "file" else "type",
        }
    )


def _dotted(extension: str) -> str:
    return "." + extension.strip().lower().lstrip(".")


def _short_hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
