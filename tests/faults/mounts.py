"""Real full disks and real read-only folders.

    sudo python -m tests.faults.mounts

Mounts small file systems in a temporary folder and unmounts them again. Scans with the command
line, and once like the dashboard. Needs Linux and root. Prints a table; the exit status is 1 if
anything was not as expected.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlit.testing.v1 import AppTest

from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.inspection import check_index
from deconv_core.network.sources import save_features
from deconv_core.output.selection import Selection
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.uploads import Upload
from deconv_dashboard.jobs.exports import start_export
from deconv_dashboard.jobs.scans import scan_state, start_scan
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.upload.unpacking import store_files
from tests.core import drawings
from tests.core.networks import narrow_network
from tests.faults.indexes import contents, everything

ROOT = Path(__file__).parents[2]
SMALL = "size=350k"
LARGE = "size=64m"


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A file system in memory."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


def main() -> int:
    """Try each case and print the result."""
    print("| fault | said | finished blocks kept | equal in the end |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        photos = {f"{n % 2}/{n:02}.png": drawings.noise(n, 16) for n in range(40)}
        drawings.save(home / "photos", photos)
        save_features(narrow_network(), home / "narrow.safetensors")
        assert _scan(home, home / "reference")[0] == 0
        fine = [_full(home), _full_from_the_first(home), _read_only(home), _dashboard(home)]
        fine += [_upload(home), _read_only_data_folder(home)]
    return 0 if all(fine) else 1


def _scan(home: Path, index: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "deconv_core", "scan", str(home / "photos"), "--progress"]
    command += ["none", "--network", str(home / "narrow.safetensors"), "--index", str(index)]
    done = subprocess.run(
        [*command, "--block-size", "2"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr.strip().replace(str(home), "")


def _tell(what: str, said: str, kept: bool, equal: bool, expected: str) -> bool:
    print(f"| {what} | {said} | {kept} | {equal} |", flush=True)
    return kept and equal and expected in said


def _full(home: Path) -> bool:
    """Full in the middle of a scan; later there is room again."""
    with mounted(home / "full", SMALL) as place:
        index = place / "index"
        status, said = _scan(home, index)
        before = contents(index, "blocks/*.parquet")
        left = list(place.rglob("*.part"))
        remount(place, LARGE)
        kept = status == 1 and len(before) > 2 and not left and _scan(home, index)[0] == 0
        kept = kept and {name: contents(index)[name] for name in before} == before
        return _tell("disk full after some blocks", said, kept, _equal(home, index), "No space")


def _full_from_the_first(home: Path) -> bool:
    """The disk has no free byte."""
    with mounted(home / "no room", SMALL) as place:
        (place / "filler").write_bytes(bytes(320 * 1024))
        status, said = _scan(home, place / "index")
        (place / "filler").unlink()
        remount(place, LARGE)
        kept = status == 1 and _scan(home, place / "index")[0] == 0
        return _tell("disk full from the first", said, kept, _equal(home, place / "index"), "No sp")


def _read_only(home: Path) -> bool:
    """Becomes read-only between two scans: nothing is lost, it still answers."""
    with mounted(home / "read only", LARGE) as place:
        index = place / "index"
        assert _scan(home, index)[0] == 0
        (index / "blocks" / "000003.parquet").unlink()
        before = contents(index)
        remount(place, "ro")
        status, said = _scan(home, index)
        kept = status == 1 and contents(index) == before
        remount(place, "rw")
        kept = kept and _scan(home, index)[0] == 0
        return _tell("index folder read-only", said, kept, _equal(home, index), "Read-only")


def _dashboard(home: Path) -> bool:
    """The page has to say why, though progress and log lie on the full disk too."""
    with mounted(home / "dashboard", LARGE) as place:
        registry = Registry(place / "home")
        dataset = registry.add_folder(home / "photos")
        network = registry.add_weights(home / "narrow.safetensors")
        index = registry.index_path(dataset, network)
        free = os.statvfs(place)
        (place / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize - 150 * 1024))
        start_scan(registry, dataset, network)
        state = _ended(registry, index)
        (place / "filler").unlink()
        start_scan(registry, dataset, network)
        kept = state.status == "failed" and _ended(registry, index).status == "done"
        said = state.message.replace(str(home), "")
        whole = not check_index(index)
        return _tell("disk full, scanned from the dashboard", said, kept, whole, "No space")


def _upload(home: Path) -> bool:
    """Full in the middle of an upload; later there is room again."""
    with mounted(home / "uploads", SMALL) as place:
        registry = Registry(place / "home")
        kept = _store(registry, 100 * 1024)
        said, before = "", contents(place)
        try:
            _store(registry, 300 * 1024)
        except DeconvError as error:
            said = str(error)
        whole = contents(place) == before and bool(kept)
        remount(place, LARGE)
        again = _store(registry, 300 * 1024)
        equal = len(registry.datasets()) == 3 and again.images == 2
        return _tell("disk full during an upload", said, whole, equal, "the disk is full")


def _store(registry: Registry, size: int) -> Upload:
    files = [("a.png", io.BytesIO(bytes(1000))), ("b.png", io.BytesIO(bytes(size)))]
    return store_files(registry, files, "zoo")


def _read_only_data_folder(home: Path) -> bool:
    """Everything that the dashboard writes; the page still shows what is there."""
    with mounted(home / "data folder", LARGE) as place:
        registry = Registry(place / "home")
        upload = _store(registry, 1000)
        dataset = registry.add_folder(home / "photos")
        network = registry.add_weights(home / "narrow.safetensors")
        index = registry.index_path(dataset, network)
        assert _scan(home, index)[0] == 0
        before = contents(place)
        chosen, layers = Selection(layers=("conv1_1",)), ActivationIndex.open(index).layers
        remount(place, "ro")
        said = [
            _said(_store, registry, 1000),
            _said(registry.add_folder, home),
            _said(registry.delete_dataset, dataset),
            _said(registry.delete_dataset, upload.dataset),
            _said(registry.delete_network, network),
            _said(start_scan, registry, dataset, network),
            _said(start_export, registry, dataset, network, chosen, layers),
        ]
        os.environ["DECONV_HOME"] = str(registry.home)
        page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        page.query_params["dataset"] = dataset.dataset_id
        page.query_params["network"] = network.network_id
        page.run()
        shown = not page.exception and "cannot be written to" in page.warning[0].value
        whole = shown and contents(place) == before and not check_index(index)
        told = all("the data folder cannot be written to" in one for one in said)
        return _tell("data folder read-only", said[0], whole, told, "cannot be written to")


def _said(action: Callable[..., object], *arguments: object) -> str:
    try:
        action(*arguments)
    except DeconvError as error:
        return str(error)
    return ""


def _ended(registry: Registry, index: Path) -> JobState:
    while (state := scan_state(registry, index)).active:
        time.sleep(0.1)
    return state


def _equal(home: Path, index: Path) -> bool:
    return everything(index) == everything(home / "reference") and not check_index(index)


if __name__ == "__main__":
    sys.exit(main())
