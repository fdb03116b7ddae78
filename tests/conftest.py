"""What many tests share: small networks, drawn pictures, and one scan of them."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if "PYTEST_XDIST_WORKER" in os.environ:  # a core each; torch asks when it is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")
if Path("/dev/shm").is_dir() and shutil.disk_usage("/dev/shm").free > 6 * 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/dev/shm")  # no waiting for a disk

import pytest

from tests.warm import Warm

if TYPE_CHECKING:  # with -n the process that deals out the tests need not load torch
    import numpy as np

    from deconv_core.images.folder import ImageFolder
    from deconv_core.index.activation_index import ActivationIndex
    from deconv_core.network.network import Network

SLOW = ("tests/distributed/", "tests/browser/", "tests/faults/")
"""What waits for other processes: begun at once, and each by one of the test processes."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each of several test processes begin with something slow.

    The tests are dealt to them in equal pieces of this list. One that has done its own takes from
    the ends of others, so what is first in a piece stays together.
    """
    slow = [[item for item in items if item.nodeid.startswith(folder)] for folder in SLOW]
    rest = [item for item in items if not item.nodeid.startswith(SLOW)]
    ordered: list[pytest.Item] = []
    for pieces in range(int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), 0, -1):
        end = len(ordered) + (len(items) - len(ordered)) // pieces
        ordered += slow.pop(0) if slow else []
        more = max(0, end - len(ordered))
        ordered, rest = [*ordered, *rest[:more]], rest[more:]
    items[:] = [*ordered, *rest, *(item for folder in slow for item in folder)]


def pytest_collection() -> None:
    """Collect no garbage while everything is imported."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: Streamlit asks it after each page run."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def network() -> Network:
    """VGG19's chain, 4 to 8 maps wide, random weights; ``networks.DEAD`` is a dead map."""
    from tests.core.networks import narrow_network

    return narrow_network()


@pytest.fixture(scope="session")
def shallow() -> Network:
    """Five layers, random weights: scans of it take a third of the time of ``network``."""
    from tests.core.networks import shallow_network

    return shallow_network()


@pytest.fixture(scope="session")
def full_width() -> Network:
    """VGG19 of full width with random weights: for the few tests that are worth its slowness."""
    from deconv_core import load_network

    return load_network("random")


@pytest.fixture(scope="session")
def pictures() -> dict[str, np.ndarray]:
    """image_id -> uint8 (224, 224, 3) of the drawn images."""
    from tests.core.drawings import drawn

    return drawn()


@pytest.fixture(scope="session")
def images(
    pictures: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> ImageFolder:
    """The drawn images as PNG files. Do not write to this folder."""
    from deconv_core import ImageFolder
    from tests.core import drawings

    return ImageFolder(drawings.save(tmp_path_factory.mktemp("drawn"), pictures))


@pytest.fixture(scope="session")
def index(
    network: Network, images: ImageFolder, tmp_path_factory: pytest.TempPathFactory
) -> ActivationIndex:
    """The drawn images seen by the narrow network, in blocks of 6. Do not write to its folder."""
    from deconv_core import scan

    return scan(network, images, tmp_path_factory.mktemp("index"), block_size=6)


@pytest.fixture(scope="session")
def photographs() -> ImageFolder:
    """At most 40 photographs below ``$DECONV_PHOTOS``; skips where there are none."""
    folder = os.environ.get("DECONV_PHOTOS", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set DECONV_PHOTOS to a folder of photographs")
    from deconv_core import ImageFolder

    return ImageFolder(folder)


@pytest.fixture(scope="session")
def weight_file(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The narrow network as a file that the dashboard can be given."""
    from deconv_core.network.sources import save_features

    path = tmp_path_factory.mktemp("weights") / "narrow.safetensors"
    save_features(network, path)
    return path


Popen = Callable[..., Any]


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm | None]:
    """The process that forks for programs, one for all processes that run tests; None elsewhere."""
    if sys.platform != "linux":
        yield None
        return
    folder = tmp_path_factory.getbasetemp()
    found = Warm.in_folder(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)
    yield found
    found.close()


@pytest.fixture(scope="session")
def popen(warm: Warm | None) -> Popen:
    """Takes the place of ``subprocess.Popen`` where a program's start is not what is tested."""
    return subprocess.Popen if warm is None else warm.popen


Run = Callable[..., subprocess.CompletedProcess[Any]]


@pytest.fixture(scope="session")
def run(popen: Popen) -> Run:
    """Run a Python program to its end, as ``subprocess.run`` with captured outputs."""

    def run_(command: Sequence[str], **how: Any) -> subprocess.CompletedProcess[Any]:
        pipe = subprocess.PIPE
        child = popen(command, **{"stdout": pipe, "stderr": pipe, "text": True, **how})
        said, errors = child.communicate()
        return subprocess.CompletedProcess(command, child.returncode, said, errors)

    return run_


@pytest.fixture
def warm_jobs(popen: Popen, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard's background jobs are processes that have loaded torch already."""
    warm = SimpleNamespace(**{**vars(subprocess), "Popen": popen})
    monkeypatch.setattr("deconv_dashboard.queue.queue.subprocess", warm)
