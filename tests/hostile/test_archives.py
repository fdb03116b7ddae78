"""Every hostile zip is refused with a clear message, or its good entries are unpacked."""

import io
import re
from pathlib import Path

import pytest

from deconv_core.errors import DeconvError
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.upload_limits import MEGABYTE, UploadLimits, upload_limits
from deconv_dashboard.folder_rules import folder_size
from deconv_dashboard.upload.unpacking import store_files, store_zip
from tests.hostile.archives import ARCHIVES, zipped
from tests.hostile.canary import nothing_happens
from tests.hostile.images import png


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home")


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_is_refused_or_unpacked_in_its_place(
    kind: str, registry: Registry, tmp_path: Path
) -> None:
    case = ARCHIVES[kind]
    archive = io.BytesIO(case.make())
    with nothing_happens(tmp_path, registry.home):
        if case.refused:
            with pytest.raises(DeconvError, match=case.refused) as refusal:
                store_zip(registry, archive, "a.zip")
            assert str(registry.home) not in str(refusal.value)
            assert not files(registry.home)
            return
        upload = store_zip(registry, archive, "a.zip")
    kept = files(upload.dataset.root)
    if kind == "names that differ by case" and len(kept) > 1:  # not on every system
        assert kept == {"good.png", "Good.png", "GOOD.PNG"}
        return
    assert kept == set(case.kept)
    for skipped in upload.passed_over:
        assert re.search(case.left_out, skipped.reason), skipped
    assert bool(upload.passed_over) == bool(case.left_out)
    for path in upload.dataset.root.rglob("*"):
        assert not path.is_symlink()
        assert not path.stat().st_mode & 0o6111 or path.is_dir()


# -- how much may be uploaded --------------------------------------------------------------------


def test_an_upload_larger_than_one_may_be(registry: Registry) -> None:
    archive = io.BytesIO(zipped(("a.png", bytes(3 * MEGABYTE)), kind=0))
    limits = UploadLimits(upload=2 * MEGABYTE)
    with pytest.raises(DeconvError, match="the upload has 3 MB; at most 2 MB can be uploaded"):
        store_zip(registry, archive, "a.zip", limits=limits)
    pictures = [(f"{n}.png", io.BytesIO(bytes(MEGABYTE))) for n in range(3)]
    with pytest.raises(DeconvError, match="the upload has 3 MB; at most 2 MB can be uploaded"):
        store_files(registry, pictures, "a", limits)
    assert not files(registry.home)


def test_all_uploads_together_have_a_limit(registry: Registry) -> None:
    limits = UploadLimits(total=5 * MEGABYTE)

    def upload(size: int) -> object:
        return store_files(registry, [("a.png", io.BytesIO(bytes(size * MEGABYTE)))], "a", limits)

    first = upload(3)
    with pytest.raises(DeconvError, match="would exceed their limit; delete one"):
        upload(3)
    upload(2)
    assert folder_size(registry.home / "uploads") == 5 * MEGABYTE
    registry.delete_dataset(first.dataset)  # type: ignore[attr-defined]
    upload(3)


def test_a_zip_that_swells_past_the_limit_leaves_nothing(registry: Registry) -> None:
    archive = io.BytesIO(zipped(("a.png", png()), ("b.png", bytes(6 * MEGABYTE))))
    with pytest.raises(DeconvError, match="would exceed their limit"):
        store_zip(registry, archive, "a.zip", limits=UploadLimits(total=5 * MEGABYTE))
    assert not files(registry.home)


def test_the_limits_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert upload_limits() == UploadLimits(500 * MEGABYTE, 20_000 * MEGABYTE)
    monkeypatch.setenv("DECONV_UPLOADS_MB", "70")
    assert upload_limits(9) == UploadLimits(9 * MEGABYTE, 70 * MEGABYTE)
    monkeypatch.setenv("DECONV_UPLOADS_MB", "0")
    assert upload_limits().total == 0


@pytest.mark.parametrize("given", ["10 GB", "-1", "1e9", "9" * 40, "²"])
def test_a_limit_that_is_no_number_lets_nothing_in(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("DECONV_UPLOADS_MB", given)
    with pytest.raises(DeconvError, match=r"DECONV_UPLOADS_MB is .*whole number of megabytes"):
        upload_limits()
