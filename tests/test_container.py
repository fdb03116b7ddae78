"""The Dockerfile installs what was tested, copies what there is, and restricts what it serves."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def test_pytorch_is_the_tested_one_without_cuda() -> None:
    locked = dict(
        line.split("==")
        for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines()
        if "==" in line
    )
    pinned = dict(re.findall(r"\b(torch|torchvision)==([\d.]+)\+cpu", DOCKERFILE))
    assert pinned == {name: locked[name] for name in ("torch", "torchvision")}


def test_everything_copied_is_there_and_not_ignored() -> None:
    copied = [
        name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.M) for name in line.split()
    ]
    listed = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in listed
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in listed
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"pages"}
    assert packages - {"tests", "benchmarks", "demo"} <= set(copied)


def test_it_does_not_run_as_root_and_offers_only_a_list_of_folders() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.M)
    assert "STREAMLIT_SERVER_ADDRESS=0.0.0.0" in DOCKERFILE
    assert "DECONV_FOLDERS=/photos" in DOCKERFILE
    assert DOCKERFILE.index("USER 10001") < DOCKERFILE.index("\nCMD")
    assert "HEALTHCHECK" in DOCKERFILE
