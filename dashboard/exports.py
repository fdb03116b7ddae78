"""Exports as child processes. Run as a program, this module is the child."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard import child_side
from dashboard.child_process import ChildProcess
from dashboard.registry import Dataset, NetworkChoice, Registry
from deconv_core.whole_files import remove_parts, write_whole

if TYPE_CHECKING:
    from deconv_core.selection import Selection


@dataclass(frozen=True)
class ExportState:
    """One export, being built or finished.

    Attributes:
        export_id: 8 hex digits; the same selection has the same id.
        name: of the file that is downloaded.
        status: "running", "done", "cancelled" or "failed".
        done: maps and layers finished.
        total: in all; 0 while the network is loaded.
        path: the zip.
        message: why it failed, or "".
    """

    export_id: str
    name: str
    status: str
    done: int
    total: int
    path: Path
    message: str = ""


def start_export(
    registry: Registry, dataset: Dataset, network: NetworkChoice, selection: Selection
) -> str:
    """Build a zip in the background; nothing happens if the same one is being built.

    Returns:
        The export's id.
    """
    order = {
        "dataset": {**asdict(dataset), "root": str(dataset.root)},
        "network": asdict(network),
        "index": str(registry.index_path(dataset, network)),
        "selection": asdict(selection),
        "within": None if registry.within is None else [str(root) for root in registry.within],
        "name": file_name(dataset.name, network.name, selection),
    }
    text = json.dumps(order, indent=1)
    export_id = hashlib.sha256(text.encode()).hexdigest()[:8]
    child = ChildProcess(_stem(registry, export_id))
    if not child.running:
        _stem(registry, export_id).parent.mkdir(parents=True, exist_ok=True)
        _forget_unfinished(registry, export_id)
        write_whole(_order(registry, export_id), text.encode())
        _zip(registry, export_id).unlink(missing_ok=True)
        arguments = ["-m", "dashboard.exports", str(_order(registry, export_id))]
        child.start(arguments, {"DECONV_HOME": str(registry.home)})
    return export_id


def exports(registry: Registry) -> list[ExportState]:
    """Every export, the newest first."""
    folder = registry.home / "exports"
    found = []
    for order in folder.glob("*.order.json"):
        export_id = order.name.removesuffix(".order.json")
        began = ChildProcess(_stem(registry, export_id)).started
        with suppress(OSError, ValueError, KeyError):
            found.append((began, _state(registry, export_id)))
    return [state for _, state in sorted(found, key=lambda pair: -pair[0])]


def cancel_export(registry: Registry, export_id: str) -> None:
    """Stop an export that is being built; nothing of it is kept."""
    ChildProcess(_stem(registry, export_id)).cancel()


def delete_export(registry: Registry, export_id: str) -> None:
    """Delete a finished, failed or cancelled export."""
    child = ChildProcess(_stem(registry, export_id))
    if not child.running:
        child.forget()
        _forget_unfinished(registry, export_id)
        for path in (_zip(registry, export_id), _order(registry, export_id)):
            path.unlink(missing_ok=True)


def file_name(dataset: str, network: str, selection: Selection) -> str:
    """Says what is inside: images, network, layers or their number, label."""
    layers = list(dict.fromkeys([*selection.layers, *(unit.layer for unit in selection.units)]))
    parts = [dataset, network.removesuffix(".safetensors")]
    parts += layers if len(layers) <= 3 else [f"{len(layers)} layers"]
    parts += [selection.label] if selection.label else []
    plain = ("".join(c if c.isalnum() or c in "-." else "-" for c in part) for part in parts)
    return "_".join(part.strip("-.")[:40] for part in plain) + ".zip"


def _state(registry: Registry, export_id: str) -> ExportState:
    child, path = ChildProcess(_stem(registry, export_id)), _zip(registry, export_id)
    order = json.loads(_order(registry, export_id).read_text("utf-8"))
    selection = order["selection"]
    total = len(selection["units"]) + len(selection["layers"])
    event = child.last_event()
    done, message = int(event.get("done", 0)), ""
    if child.running:
        status = "running"
    elif path.is_file():
        status, done = "done", total
    elif child.cancelled:
        status = "cancelled"
    else:
        status = "failed"
        message = str(event.get("message") or child.last_words() or "it was ended from outside")
    return ExportState(export_id, order["name"], status, done, total, path, message)


def _stem(registry: Registry, export_id: str) -> Path:
    return registry.home / "exports" / export_id


def _forget_unfinished(registry: Registry, export_id: str) -> None:
    """Delete what a killed export, or its order, left behind. Not while it runs."""
    target = _zip(registry, export_id)
    remove_parts(target.parent, (target.name, _order(registry, export_id).name).__contains__)


def _order(registry: Registry, export_id: str) -> Path:
    return registry.home / "exports" / f"{export_id}.order.json"


def _zip(registry: Registry, export_id: str) -> Path:
    return registry.home / "exports" / f"{export_id}.zip"


def build(order: Mapping[str, Any], target: Path, cancel: threading.Event) -> None:
    """Do what an order says.

    Raises:
        DeconvError: weights, images or index are gone or do not fit.
        CancelledError: ``cancel`` was set.
    """
    from deconv_core.activation_index import ActivationIndex
    from deconv_core.export import export
    from deconv_core.images import ImageFolder
    from deconv_core.selection import Selection
    from deconv_core.units import Unit
    from deconv_core.weights import load_network

    dataset, network, wanted = order["dataset"], order["network"], order["selection"]
    units = tuple(Unit(**unit) for unit in wanted["units"])
    export(
        load_network(network["source"], network["preprocessing"], cancel=cancel),
        ImageFolder(
            *(dataset["root"], dataset["extensions"], dataset["labels"]),
            resize=dataset["resize"],
            within=order["within"],
        ),
        ActivationIndex.open(order["index"]),
        Selection(**{**wanted, "units": units, "layers": tuple(wanted["layers"])}),
        target,
        dataset=dataset["name"],
        progress=lambda done, total: child_side.say("export", done=done, total=total),
        cancel=cancel,
    )


def main(order_file: str) -> int:
    """The child process."""
    path = Path(order_file)
    target = path.with_name(path.name.replace(".order.json", ".zip"))
    return child_side.run(lambda cancel: build(json.loads(path.read_text("utf-8")), target, cancel))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
