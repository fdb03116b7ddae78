"""Bars of progress: drawn where a person works interactively, and nowhere else."""

import sys
from pathlib import Path

import pytest

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.progress import ScanProgress, or_bar
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.scanning.scan import scan
from tests.core import drawings


@pytest.fixture
def interactive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)


@pytest.fixture
def photos(tmp_path: Path) -> ImageFolder:
    pictures = {f"{n}.png": drawings.noise(n, 9) for n in range(3)}
    return ImageFolder(drawings.save(tmp_path / "photos", pictures))


@pytest.mark.usefixtures("interactive")
def test_a_scan_and_reconstructions_draw_a_bar(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, shallow: Network, photos: ImageFolder
) -> None:
    index = scan(shallow, photos, tmp_path / "index")
    said = capsys.readouterr().err
    assert "scanning: 100%" in said
    assert "3/3" in said
    layer = next(iter(index.layers))
    reconstruct(shallow, photos, index.top(layer, k=2))
    said = capsys.readouterr().err
    assert "reconstructing: 100%" in said
    assert "2/2" in said


@pytest.mark.usefixtures("interactive")
def test_false_and_a_function_draw_none(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    shallow: Network,
    photos: ImageFolder,
) -> None:
    seen: list[ScanProgress] = []
    scan(shallow, photos, tmp_path / "silent", progress=False)
    index = scan(shallow, photos, tmp_path / "told", progress=seen.append)
    assert seen[-1].done == 3
    told: list[tuple[int, int]] = []
    top = index.top(next(iter(index.layers)), k=2)
    reconstruct(shallow, photos, top, progress=lambda *now: told.append(now))
    reconstruct(shallow, photos, top, progress=False)
    assert told[-1] == (2, 2)
    assert capsys.readouterr().err == ""


def test_a_program_draws_none(
    capsys: pytest.CaptureFixture[str],
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
) -> None:
    assert not hasattr(sys, "ps1")
    reconstruct(network, images, index.top("conv1_2", k=2))
    assert or_bar(None, "waiting") is None
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("interactive")
def test_bytes_are_counted_in_their_units(capsys: pytest.CaptureFixture[str]) -> None:
    report = or_bar(None, "downloading weights", "B")
    assert report is not None
    report(0, 80_000_000)
    report(80_000_000, 80_000_000)
    assert "80.0M/80.0M" in capsys.readouterr().err
