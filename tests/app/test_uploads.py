"""Uploads, and archives that mean harm."""

import io
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboard import archive_checks
from dashboard.registry import Registry
from dashboard.uploads import store_files, store_zip
from deconv_core import ImageFolder
from deconv_core.errors import DeconvError


def png(value: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((9, 9, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    buffer.seek(0)
    return buffer


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home")


def left_behind(registry: Registry) -> list[Path]:
    files = [path for path in registry.home.rglob("*") if path.is_file()]
    return [path for path in files if path.name != ".lock"]


def test_a_zip_with_folders(registry: Registry) -> None:
    archive = zipped({"dog/a.png": png(), "dog/b.PNG": png(1), "cat/c.png": png(2)})
    upload = store_zip(registry, archive, "zoo.zip")
    assert (upload.dataset.name, upload.dataset.kind, upload.images) == ("zoo", "upload", 3)
    assert ImageFolder(upload.dataset.root).labels == {"cat": 1, "dog": 2}


def test_one_folder_around_everything_is_no_label(registry: Registry) -> None:
    archive = zipped({"zoo/dog/a.png": png(), "zoo/cat/b.png": png(1)})
    root = store_zip(registry, archive, "x.zip").dataset.root
    assert ImageFolder(root).labels == {"cat": 1, "dog": 1}


def test_what_is_no_picture_is_left_out_and_named(registry: Registry) -> None:
    files = {"a.png": png(), "notes.txt": b"x", "__MACOSX/._a.png": b"x", "more.zip": b"x"}
    upload = store_zip(registry, zipped(files), "x.zip")
    reasons = {skipped.name: skipped.reason for skipped in upload.passed_over}
    assert upload.images == 1
    assert set(reasons) == {"notes.txt", "__MACOSX/._a.png", "more.zip"}
    assert "inside" in reasons["more.zip"]


@pytest.mark.parametrize(
    "name",
    [
        *("../a.png", "x/../../a.png", "/etc/a.png", "C:/a.png", "..\\a.png", "\\\\host\\a.png"),
        *("a\nb.png", "a\x1bb.png", "/".join("d" * 30) + "/a.png", "n" * 300 + ".png"),
    ],
)
def test_names_that_lead_out_refuse_the_whole(registry: Registry, name: str) -> None:
    with pytest.raises(DeconvError, match="leads out of it or is not allowed"):
        store_zip(registry, zipped({"good.png": png(), name: png()}), "x.zip")
    assert not left_behind(registry)


def test_links(registry: Registry) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link.png")
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DeconvError, match="link"):
        store_zip(registry, buffer, "x.zip")


def test_a_password(registry: Registry) -> None:
    content = bytearray(zipped({"a.png": png()}).getvalue())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    with pytest.raises(DeconvError, match="password"):
        store_zip(registry, io.BytesIO(bytes(content)), "x.zip")


def test_a_bomb_that_tells_the_truth(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_checks, "LARGEST_UNPACKED", 100_000)
    with pytest.raises(DeconvError, match="has more than"):
        store_zip(registry, zipped({"a.png": bytes(200_000)}), "x.zip")


def test_a_bomb_that_lies_about_its_size(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_checks, "LARGEST_UNPACKED", 100_000)
    content = bytearray(zipped({"a.png": bytes(3_000_000)}).getvalue())
    for place in (content.index(b"PK\x01\x02") + 24, 22):
        content[place : place + 4] = struct.pack("<I", 50)
    with pytest.raises(DeconvError):
        store_zip(registry, io.BytesIO(bytes(content)), "x.zip")
    assert not left_behind(registry)


def test_too_many_files(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_checks, "MOST_FILES", 3)
    with pytest.raises(DeconvError, match="4 files; at most 3"):
        store_zip(registry, zipped({f"{n}.png": b"x" for n in range(4)}), "x.zip")
    with pytest.raises(DeconvError, match="4 files; at most 3"):
        store_files(registry, [(f"{n}.png", io.BytesIO(png())) for n in range(4)], "x")


def test_a_table_of_contents_that_fills_memory(registry: Registry) -> None:
    content = bytearray(zipped({"a.png": png()}).getvalue())
    end = content.rindex(b"PK\x05\x06")
    content[end + 12 : end + 16] = struct.pack("<I", 2**31)
    with pytest.raises(DeconvError, match="table of contents"):
        store_zip(registry, io.BytesIO(bytes(content)), "x.zip")


def test_a_damaged_entry_is_left_out(registry: Registry) -> None:
    content = bytearray(zipped({"a.png": png(), "b.png": png(1)}, zipfile.ZIP_STORED).getvalue())
    content[60] ^= 0xFF
    upload = store_zip(registry, io.BytesIO(bytes(content)), "x.zip")
    assert upload.images == 1
    assert "damaged" in upload.passed_over[0].reason


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip at all" * 9])
def test_what_is_no_zip(registry: Registry, content: bytes) -> None:
    with pytest.raises(DeconvError, match="zip archive"):
        store_zip(registry, io.BytesIO(content), "x.zip")


def test_no_pictures(registry: Registry) -> None:
    with pytest.raises(DeconvError, match="no pictures"):
        store_zip(registry, zipped({"a.txt": b"x"}), "x.zip")
    assert [path.name for path in (registry.home / "uploads").iterdir()] == [".lock"]


def test_files_one_by_one_and_twice_the_same_name(registry: Registry) -> None:
    files = [("a.png", io.BytesIO(png())), ("a.png", io.BytesIO(png(1)))]
    upload = store_files(registry, files, "two")
    assert upload.images == 1
    assert "there already" in upload.passed_over[0].reason


def test_a_folder_upload_keeps_its_folders_as_labels(registry: Registry) -> None:
    files = [("zoo/dog/a.png", io.BytesIO(png())), ("zoo/cat/a.png", io.BytesIO(png(1)))]
    root = store_files(registry, files, "zoo").dataset.root
    assert ImageFolder(root).labels == {"cat": 1, "dog": 1}


def test_a_file_name_that_leads_out(registry: Registry) -> None:
    with pytest.raises(DeconvError, match="leads out"):
        store_files(registry, [("../a.png", io.BytesIO(png()))], "x")
