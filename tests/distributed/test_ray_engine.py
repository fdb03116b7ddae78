"""A scan on a cluster of two nodes: the same index, whatever is taken away meanwhile."""

import errno
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deconv_core.__main__ import main
from deconv_core.errors import DeconvError, IndexMismatchError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.folder import IndexFolder
from deconv_core.network.network import Network
from deconv_core.progress import ScanProgress
from deconv_core.scanning import ray_engine
from deconv_core.scanning.engine import BlockDone, BlockWork
from deconv_core.scanning.ray_engine import RayEngine
from deconv_core.scanning.scan import scan
from deconv_core.storage import RemotePath
from tests.conftest import Run
from tests.distributed.conftest import TwoNodes

BLOCK_SIZE = 2


@pytest.fixture(scope="module")
def expected(
    network: Network, images: ImageFolder, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The index that a scan without Ray makes."""
    path = tmp_path_factory.mktemp("local") / "index"
    scan(network, images, path, block_size=BLOCK_SIZE)
    return path


@pytest.fixture
def soon_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block is overdue after twice the time of the slowest one, even if that is short."""
    monkeypatch.setattr(ray_engine, "_MIN_OVERDUE", 0.1)


def contents(index: Path) -> dict[str, bytes]:
    """Every file of an index but the manifest, the lock and empty folders."""
    return {
        path.relative_to(index).as_posix(): path.read_bytes()
        for path in sorted(index.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "scan.lock")
    }


def after(blocks: int, act: Callable[[], None]) -> Callable[[ScanProgress], None]:
    """Progress that acts once, when so many blocks are done."""
    acted: list[int] = []

    def progress(now: ScanProgress) -> None:
        if now.done >= blocks * BLOCK_SIZE and not acted:
            acted.append(now.done)
            act()

    return progress


def test_killed_workers_are_started_again_and_the_index_is_that_of_a_local_scan(
    cluster: TwoNodes, network: Network, images: ImageFolder, expected: Path, tmp_path: Path
) -> None:
    told: list[ScanProgress] = []
    killed: list[int] = []

    def progress(now: ScanProgress) -> None:
        told.append(now)
        while now.done == BLOCK_SIZE and len(killed) < 2:
            killed[:] = cluster.workers()  # the first worker waits for the second
            time.sleep(0.1)
        for pid in killed if now.done == 2 * BLOCK_SIZE else ():
            os.kill(pid, signal.SIGKILL)  # both: without them nothing goes on

    engine = RayEngine(cluster.address, workers=2)
    made = scan(
        *(network, images, tmp_path / "index"),
        **{"block_size": BLOCK_SIZE, "engine": engine, "progress": progress},
    )
    assert made.complete
    assert contents(tmp_path / "index") == contents(expected)
    assert [now.done for now in told] == list(range(0, len(images) + 1, BLOCK_SIZE))
    assert told[-1].total == len(images)
    assert made.manifest.compute.bits


@pytest.mark.usefixtures("soon_overdue")
def test_a_node_that_is_removed_takes_no_block_with_it(
    cluster: TwoNodes, network: Network, images: ImageFolder, expected: Path, tmp_path: Path
) -> None:
    lost: list[int] = []

    def remove() -> None:
        while not lost:
            lost.extend(cluster.workers_of_the_other_node())
            time.sleep(0.1)
        cluster.remove_a_node()

    # A worker fills a node: the one that is lost finds no room to be started again.
    engine = RayEngine(cluster.address, cpus=2)
    index, progress = tmp_path / "index", after(1, remove)
    scan(network, images, index, block_size=BLOCK_SIZE, engine=engine, progress=progress)
    assert lost
    assert contents(index) == contents(expected)


_DRIVER = """
import os, sys
from deconv_core import __main__ as command_line
number, done, images, index, weights, address = sys.argv[1:]
command_line._scan_reporter = lambda _: (
    lambda now: now.done >= int(done) and os.kill(os.getpid(), int(number))
)
options = ["--network", weights, "--block-size", "2", "--engine", "ray", "--workers", "1"]
sys.exit(command_line.main(["scan", images, "--index", index, "--address", address, *options]))
"""


def test_a_scan_goes_on_after_its_driver_was_killed_or_stopped(
    cluster: TwoNodes,
    network: Network,
    images: ImageFolder,
    weight_file: Path,
    expected: Path,
    tmp_path: Path,
    run: Run,
) -> None:
    index = tmp_path / "index"
    begun: dict[str, int] = {}
    ends = [(signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
    for number, status in ends:
        done = str((len(begun) + 2) * BLOCK_SIZE)
        arguments = [str(int(number)), done, str(images.root), str(index), str(weight_file)]
        driver = run([sys.executable, "-c", _DRIVER, *arguments, cluster.address])
        assert driver.returncode == status
        found = {path.name: path.stat().st_ino for path in (index / "blocks").glob("0*")}
        assert len(begun) + 2 <= len(found) < len(images) // BLOCK_SIZE
        assert begun.items() <= found.items(), "what was finished is not made again"
        begun = found
        assert not ActivationIndex.open(index).complete
    told: list[ScanProgress] = []
    scan(network, images, index, progress=told.append)
    assert told[0].found >= len(begun) * BLOCK_SIZE
    assert {name: (index / "blocks" / name).stat().st_ino for name in begun} == begun
    assert contents(index) == contents(expected)


@pytest.mark.usefixtures("soon_overdue")
def test_a_store_that_cannot_be_written_ends_the_scan_and_the_next_one_goes_on(
    cluster: TwoNodes, network: Network, images: ImageFolder, expected: Path, tmp_path: Path
) -> None:
    index, blocks = tmp_path / "index", tmp_path / "index/blocks"

    def spoil() -> None:
        blocks.rename(tmp_path / "away")
        blocks.write_text("in the way")

    with pytest.raises(DeconvError, match=r"cannot write the index at .* blocks are kept"):
        scan(
            *(network, images, index),
            block_size=BLOCK_SIZE,
            engine=RayEngine(cluster.address, workers=1),
            progress=after(1, spoil),
        )
    blocks.unlink()
    (tmp_path / "away").rename(blocks)
    assert 1 <= len(IndexFolder(index).done_blocks()) < len(images) // BLOCK_SIZE
    scan(network, images, index)
    assert contents(index) == contents(expected)


class _Weak:
    """An actor whose store fails twice for block 1."""

    def __init__(self) -> None:
        self._failed = 0

    def make_block(self, _: object, block: BlockWork) -> BlockDone | OSError:
        if block.number == 1 and self._failed < 2:
            self._failed += 1
            return OSError(errno.EIO, "slow down")
        return BlockDone(block.number, 2, 1, 0.0)


@pytest.mark.usefixtures("soon_overdue")
def test_a_block_whose_store_failed_is_given_out_again(cluster: TwoNodes) -> None:
    ray = RayEngine(cluster.address)._connect()
    actors = [ray.remote(_Weak).remote()]
    counted: list[tuple[int, int]] = []
    blocks = [BlockWork(number, ()) for number in range(4)]
    work: Any = SimpleNamespace(cancel=None, count=lambda *numbers: counted.append(numbers))
    assert ray_engine._distribute(actors, ray.put(0), iter(blocks), work)
    assert counted == [(2, 1)] * 4
    ray.kill(actors[0])


def test_workers_that_compute_other_bits_are_refused(
    cluster: TwoNodes, network: Network, images: ImageFolder, tmp_path: Path
) -> None:
    index, cancel = tmp_path / "index", threading.Event()
    cancel.set()
    scan(network, images, index, block_size=BLOCK_SIZE, cancel=cancel)
    made = IndexFolder(index).read_manifest()
    elsewhere = replace(made.compute, bits="0123456789abcdef")
    IndexFolder(index).write_manifest(replace(made, compute=elsewhere))
    with pytest.raises(IndexMismatchError, match="begun on another kind of computer"):
        scan(network, images, index, engine=RayEngine(cluster.address, workers=1))
    with pytest.raises(IndexMismatchError, match="begun on another kind of computer"):
        scan(network, images, index)
    assert IndexFolder(index).done_blocks() == []


def test_images_and_index_may_lie_in_s3(
    cluster: TwoNodes,
    s3: RemotePath,
    weight_file: Path,
    images: ImageFolder,
    expected: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for entry in images:
        (s3 / "drawn" / entry.image_id).write_bytes(entry.path.read_bytes())
    command = ["scan", f"{s3}drawn", "--index", f"{s3}index", "--network", str(weight_file)]
    command += ["--block-size", str(BLOCK_SIZE), "--progress", "json"]
    assert main([*command, "--engine", "ray", "--address", cluster.address, "--workers", "2"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line[:1] == "{"]
    assert [line["done"] for line in lines if line["event"] == "scan"][-1] == len(images)
    index, local = ActivationIndex.open(f"{s3}index"), ActivationIndex.open(expected)
    assert index.complete
    assert str(index.image_root) == f"{s3}drawn"
    assert index.images.equals(local.images)
    for layer in local.layers:
        assert index.top(layer, k=50) == local.top(layer, k=50)
    names = (s3 / "index").names(recursive=True)
    there = {name: (s3 / "index" / name).read_bytes() for name in names}
    assert {name: there[name] for name in contents(expected)} == contents(expected)
    assert set(there) - set(contents(expected)) == {"manifest.json"}
