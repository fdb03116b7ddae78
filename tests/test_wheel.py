"""The wheel: what is in it, and its command `deconvnet` where this checkout is not."""

import os
import re
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.request
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.parser import Parser
from pathlib import Path
from typing import Any

import psutil
import pytest
from packaging.requirements import Requirement

import deconv_core
from deconv_core.demo import demo_images
from tests.browser.server import free_port, wait_until_healthy

ROOT = Path(__file__).parents[1]
IN_A_FOLDER_OF_THEIR_OWN = ("app.py", "pages", ".streamlit/config.toml")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), *options, "--wheel-dir"]
    subprocess.run([*command, str(folder)], cwd=folder, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program `deconvnet` in a new environment that has the wheel and its requirements."""
    place = tmp_path_factory.mktemp("environment") / "env"
    venv.create(place, symlinks=os.name != "nt")
    scripts = place / ("Scripts" if os.name == "nt" else "bin")
    python = next(scripts.glob("python*"))
    inside = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    requirements = Path(inside.stdout.strip()) / "requirements.pth"
    requirements.write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    return next(scripts.glob("deconvnet*"))


def contents(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*") if folder.is_dir() else [folder]:
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def test_it_holds_every_file_of_the_program_and_no_other_top_level_name(wheel: Path) -> None:
    expected = {}
    for part in ("deconv_core", "deconv_dashboard", *IN_A_FOLDER_OF_THEIR_OWN):
        for path in contents(ROOT / part):
            name = path.relative_to(ROOT).as_posix()
            own = part in IN_A_FOLDER_OF_THEIR_OWN
            expected[f"deconv_dashboard/app/{name}" if own else name] = path
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert held == set(expected)
        for name, path in expected.items():
            assert archive.read(name) == path.read_bytes(), name
    assert {name.split("/")[0] for name in held} == {"deconv_core", "deconv_dashboard"}


def test_it_requires_what_requirements_txt_lists(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    listed = {str(Requirement(line)) for line in lines if line and not line.startswith("#")}
    assert {str(Requirement(text)) for text in metadata.get_all("Requires-Dist", [])} == listed
    assert metadata["Version"] == deconv_core.__version__


class Dashboard:
    """A dashboard that the installed command started, in a folder with settings of its own."""

    def __init__(self, command: Path, folder: Path, *options: str, **environment: str) -> None:
        (folder / ".streamlit").mkdir(parents=True)
        (folder / ".streamlit/config.toml").write_text('[server]\naddress = "0.0.0.0"\n')
        self.said = folder / "said"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [command, *options],
                cwd=folder,
                env={**os.environ, "DECONV_HOME": str(folder / "home"), **environment},
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    @property
    def address(self) -> str:
        """The address that the command says, once the server answers."""
        found = None
        while found is None and self.process.poll() is None:
            found = re.search(r"is at (http://127\.0\.0\.1:\d+/\S*) ", self.said.read_text("utf-8"))
        assert found is not None, self.said.read_text("utf-8")
        wait_until_healthy(found[1].partition("?")[0] + "_stcore/health", self.process)
        return found[1]

    @property
    def port(self) -> int:
        return int(re.findall(r":(\d+)/", self.address)[0])

    def listening(self) -> set[tuple[str, int]]:
        """The addresses at which its processes listen."""
        me = psutil.Process(self.process.pid)
        return {
            tuple(connection.laddr)
            for process in (me, *me.children(recursive=True))
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }


@pytest.fixture
def start(command: Path, tmp_path: Path) -> Iterator[Callable[..., Dashboard]]:
    started: list[Dashboard] = []

    def start_(*options: str, **environment: str) -> Dashboard:
        folder = tmp_path / f"elsewhere {len(started)}"
        started.append(Dashboard(command, folder, *options, **environment))
        return started[-1]

    yield start_
    for one in started:
        one.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            one.process.wait(10)
        one.process.kill()
        one.process.wait()


def test_only_this_computer_reaches_it_and_every_page_is_there(
    start: Callable[..., Dashboard],
) -> None:
    port = free_port()
    made = start(
        *("--port", str(port), "--no-browser"),
        STREAMLIT_SERVER_ADDRESS="0.0.0.0",
    )
    assert made.address == f"http://127.0.0.1:{port}/"
    assert made.listening() == {("127.0.0.1", port)}
    for page in ("", "layer", "feature_map", "image", "export", "method"):
        with urllib.request.urlopen(made.address + page, timeout=60) as answer:
            assert answer.status == 200
    strange = urllib.request.Request(made.address, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(strange, timeout=60)


def test_a_second_start_takes_another_port_and_says_so(start: Callable[..., Dashboard]) -> None:
    first = start("--no-browser")
    assert first.address
    second = start("--no-browser")
    assert second.port not in (first.port, 8501)
    said = f"Port 8501 is in use, so the dashboard takes port {second.port}."
    assert said in second.said.read_text("utf-8")
    third = start("--no-browser", "--port", str(first.port))
    assert third.process.wait(60) == 1
    said = f"error: port {first.port} is not free; choose another with --port"
    assert said in third.said.read_text("utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="xdg-open is the opener of Linux")
def test_the_browser_opens_what_was_asked_for(
    start: Callable[..., Dashboard], tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    opener = tools / "xdg-open"
    opener.write_text(
        f'#!/bin/sh\necho "$1" > "{tmp_path}/part"\nmv "{tmp_path}/part" "{tools}/opened"\n'
    )
    opener.chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    made = start("--network", "resnet50:random", "--port", str(free_port()), PATH=path)
    assert "?network=" in made.address
    while not (tools / "opened").exists():
        assert made.process.poll() is None
    assert (tools / "opened").read_text().strip() == made.address


def run(command: Path, folder: Path, *arguments: str) -> Any:
    return subprocess.run(
        [command, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_it_is_the_command_line_too(command: Path, tmp_path: Path) -> None:
    done = run(command, tmp_path, "check", str(demo_images().parent / "index"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "no errors" in done.stdout
    done = run(command, tmp_path, "top", "--help")
    assert done.stdout.startswith("usage: deconvnet top")
    done = run(command, tmp_path, "scna")
    assert done.returncode == 2
    assert "'scna' is neither a folder nor a command (scan, top" in done.stderr
    done = run(command, tmp_path, "./photos")
    assert done.returncode == 1
    assert "photos is not a folder; give the path" in done.stderr


def test_help_is_answered_without_what_takes_long_to_load() -> None:
    program = (
        "import sys\n"
        "from deconv_dashboard.__main__ import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print([n for n in ('torch', 'numpy', 'pandas', 'streamlit') if n in sys.modules])"
    )
    done = run(Path(sys.executable), ROOT, "-c", program)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    for word in ("FOLDER", "--network", "--port", "--no-browser", "scan", "top", "check"):
        assert word in done.stdout
