"""The background job that builds an export: start, list, delete."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import deconv_core
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.layers import Layer
from deconv_core.output.export_archive import LEFT_OUT, entry_of
from deconv_core.output.selection import Selection
from deconv_core.whole_files import remove_parts
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.queue.queue import NewJob
from deconv_dashboard.queue.state import JobState, Progress
from deconv_dashboard.queue.worker import Cancel, Tell
from deconv_dashboard.wording import native_side

_KEY = "export "


@dataclass(frozen=True)
class Order:
    """What the job does: it writes a selection into a zip, with one folder named like the zip."""

    dataset: Dataset
    network: NetworkChoice
    index: Path
    selection: Selection
    home: Path
    within: tuple[Path, ...] | None
    target: Path
    name: str


@dataclass(frozen=True)
class Export:
    """One export, in progress or finished.

    Attributes:
        export_id: 8 hex digits; the same selection has the same id.
        name: name of the downloaded file.
        path: the zip in the data folder.
        state: the state of its job; "done" means that the zip exists.
    """

    export_id: str
    name: str
    path: Path
    state: JobState


def start_export(
    registry: Registry,
    dataset: Dataset,
    network: NetworkChoice,
    selection: Selection,
    layers: Mapping[str, Layer] | None = None,
) -> str:
    """Build a zip in the background; nothing happens if the same one is being built.

    Args:
        registry: the data folder.
        dataset: the images.
        network: the network that scanned them.
        selection: what to export.
        layers: the layers of the index, to estimate the size of the zip.

    Returns:
        The export's id.

    Raises:
        DeconvError: the dataset or the network was deleted, the queue or the data folder is full,
            or no process can be started.
    """
    index = registry.index_path(dataset, network)
    wanted = asdict(dataset), asdict(network), asdict(selection)
    text = json.dumps([*wanted, str(index)], default=str)
    export_id = hashlib.sha256(text.encode()).hexdigest()[:8]
    target, name = _zip(registry, export_id), file_name(dataset.name, network.name, selection)
    home, within = registry.home, registry.within

    def still_there() -> None:
        registry.dataset(dataset.dataset_id)
        registry.network(network.network_id)

    registry.jobs.start(
        NewJob(
            *("export", f"{_KEY}{export_id}", __name__),
            Order(dataset, network, index, selection, home, within, target, name),
            dataset=dataset.dataset_id,
            network=network.network_id,
            name=name,
            disk=most_bytes(selection, layers or {}),
        ),
        still_there,
    )
    return export_id


def exports(registry: Registry) -> list[Export]:
    """Every export, the newest first; also a zip without a known job."""
    known, found = set(), []
    for state in registry.jobs.states():
        if state.kind == "export":
            export_id = state.key.removeprefix(_KEY)
            known.add(export_id)
            found.append(_found(registry, export_id, state))
    for path in sorted((registry.home / "exports").glob("*.zip")):
        if path.stem not in known:
            found.insert(0, Export(path.stem, path.name, path, JobState("done", "export")))
    return found[::-1]


def _found(registry: Registry, export_id: str, state: JobState) -> Export:
    """An export with the state of its zip: an existing zip is complete, whatever the job says."""
    path = _zip(registry, export_id)
    if not state.active and path.is_file():
        state = replace(state, status="done", message="")
    elif state.status == "done":
        state = replace(state, status="failed", message="somebody deleted the zip")
    return Export(export_id, state.name, path, state)


def delete_export(registry: Registry, export_id: str) -> None:
    """Delete a finished, failed or cancelled export, unless it is built again now."""
    with registry.jobs.locked():
        if not registry.jobs.find(f"{_KEY}{export_id}").active:
            registry.jobs.forget(key=f"{_KEY}{export_id}")
            _remove_files(_zip(registry, export_id))


def work(order: Order, tell: Tell, cancel: Cancel) -> None:
    """Build the zip."""
    from deconv_core.export import export  # loads torch: not where pages import this module

    dataset, network = order.dataset, order.network
    left_out: dict[str, str] = {}
    _remove_files(order.target)
    export(
        deconv_core.load_network(
            network.source, network.preprocessing, home=order.home, cancel=cancel
        ),
        dataset.images(order.within),
        ActivationIndex.open(order.index),
        order.selection,
        order.target,
        dataset=dataset.name,
        folder=order.name.removesuffix(".zip"),
        progress=lambda done, total: tell(Progress("", done, total, "map", failed=len(left_out))),
        cancel=cancel,
        left_out=left_out,
    )


def read_left_out(path: Path) -> dict[str, str]:
    """Image id -> reason, for the images that an export left out; empty if it cannot be read."""
    with suppress(Exception), zipfile.ZipFile(path) as archive:
        text = archive.read(entry_of(archive, LEFT_OUT)).decode("utf-8-sig")
        return {row["image_id"]: row["reason"] for row in csv.DictReader(io.StringIO(text))}
    return {}


def most_bytes(selection: Selection, layers: Mapping[str, Layer]) -> int:
    """The largest size of a zip in bytes: 3 bytes a pixel, for tiles in grids and single tiles."""
    names = [*selection.layers, *(unit.layer for unit in selection.units)]
    native = (native_side(layers[name]) for name in names if name in layers)
    sides = [selection.tile_size or size for size in native]
    copies = 2 * (2 if selection.single_tiles else 1)
    return sum(3 * side * side * selection.k * copies for side in sides)


def file_name(dataset: str, network: str, selection: Selection) -> str:
    """The name of a zip, from its images, network, layers (or their number) and label."""
    layers = list(dict.fromkeys([*selection.layers, *(unit.layer for unit in selection.units)]))
    parts = [dataset, network.removesuffix(".safetensors")]
    parts += layers if len(layers) <= 3 else [f"{len(layers)} layers"]
    parts += [selection.label] if selection.label else []
    parts += ["copies"] if selection.copies else []
    parts += [f"{low:g}-{high:g}" for low, high in filter(None, [selection.band])]
    parts += [] if selection.rule == "deconvnet" else [selection.rule]
    parts += ["specificity"] if selection.specificity else []
    plain = ("".join(c if c.isalnum() or c in "-." else "-" for c in part) for part in parts)
    return "_".join(part.strip("-.")[:40] for part in plain) + ".zip"


def _zip(registry: Registry, export_id: str) -> Path:
    return registry.home / "exports" / f"{export_id}.zip"


def _remove_files(path: Path) -> None:
    """Delete a zip, and the partial files of a killed job."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
        remove_parts(path.parent, path.name.__eq__)
