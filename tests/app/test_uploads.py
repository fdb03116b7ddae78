"""Uploads, and hostile archives."""

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deconv_core import ImageFolder
from deconv_core.errors import DeconvError
from deconv_dashboard.data import uploads as upload_store
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.uploads import Upload
from deconv_dashboard.upload import archive_checks
from deconv_dashboard.upload.names import name_fault, safe_parts
from deconv_dashboard.upload.unpacking import store_files, store_zip


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


def files_in(upload: Upload) -> list[Path]:
    return [path for path in upload.dataset.root.rglob("*") if path.is_file()]


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
    files = {"a.png": png(), "notes.txt": b"x", "more.zip": b"x"}
    files |= {"__MACOSX/._a.png": b"x", "__MACOSX/x/._b.png": b"x", ".DS_Store": b"x"}
    upload = store_zip(registry, zipped(files), "x.zip")
    reasons = {skipped.name: skipped.reason for skipped in upload.passed_over}
    assert upload.images == 1
    assert set(reasons) == {"notes.txt", "__MACOSX", "more.zip", ".DS_Store"}
    assert "inside" in reasons["more.zip"]
    assert "2 files" in reasons["__MACOSX"]


@pytest.mark.parametrize(
    "hidden", [".ipynb_checkpoints/a.png", "@eaDir/a.png", "Thumbs.db", "cat/.b.png", "._c.png"]
)
def test_hidden_files_and_folders_are_no_labels(registry: Registry, hidden: str) -> None:
    files = {"dog/a.png": png(), "cat/b.png": png(1), hidden: png(2)}
    for upload in (
        store_zip(registry, zipped(files), "x.zip"),
        store_files(registry, [(name, io.BytesIO(files[name])) for name in files], "x"),
    ):
        assert ImageFolder(upload.dataset.root).labels == {"cat": 1, "dog": 1}
        assert "hidden" in upload.passed_over[0].reason


def test_the_folder_that_was_chosen_may_be_hidden(registry: Registry) -> None:
    files = [(".photos/dog/a.png", io.BytesIO(png())), (".photos/cat/b.png", io.BytesIO(png(1)))]
    root = store_files(registry, files, "photos").dataset.root
    assert ImageFolder(root).labels == {"cat": 1, "dog": 1}


@pytest.mark.parametrize(
    "name",
    ["../a.png", "x/../../a.png", "/etc/a.png", "..\\a.png", "\\\\host\\a.png"],
)
def test_names_that_lead_out_refuse_the_whole(registry: Registry, name: str) -> None:
    with pytest.raises(DeconvError, match="leads out of it or is not allowed"):
        store_zip(registry, zipped({"good.png": png(), name: png()}), "x.zip")
    assert not left_behind(registry)


BAD_NAMES = {
    "a\nb.png": "characters that cannot be shown",
    "a\x1bb.png": "characters that cannot be shown",
    "n" * 252 + ".png": "its name has 256 bytes; at most 255",
    "写" * 84 + ".png": "its name has 256 bytes; at most 255",
    "写" * 86 + "/a.png": "the name of its folder has 258 bytes; at most 255",
    "/".join("d" * 30) + "/a.png": "it is in 30 nested folders",
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_cannot_be_stored_costs_only_its_picture(registry: Registry, name: str) -> None:
    upload = store_zip(registry, zipped({"good.png": png(), name: png(1)}), "x.zip")
    assert [entry.image_id for entry in ImageFolder(upload.dataset.root)] == ["good.png"]
    (skipped,) = upload.passed_over
    assert skipped.name == name
    assert BAD_NAMES[name] in skipped.reason
    files = [("good.png", io.BytesIO(png())), (name, io.BytesIO(png(1)))]
    again = store_files(registry, files, "x")
    assert (again.images, again.passed_over) == (1, upload.passed_over)


FINE_NAMES = [
    *("n" * 251 + ".png", "写" * 83 + "ab.png", "写" * 85 + "/a.png", "d/" * 15 + "a.png"),
    *("10:30.png", "C:x/a.png", "what?.png", "a*b.png", 'say "hi".png', "<1>|2.png"),
    *("con.png", "aux/nul.png", "trailing. /a .png", "dot./a.png", " a.png", "a..png", "~.png"),
]


@pytest.mark.skipif(os.name == "nt", reason="Windows allows fewer names")
@pytest.mark.parametrize("name", FINE_NAMES)
def test_names_that_this_system_can_store(registry: Registry, name: str) -> None:
    upload = store_zip(registry, zipped({"x/b.png": png(), name: png(1)}), "x.zip")
    assert not upload.passed_over
    assert {entry.image_id for entry in ImageFolder(upload.dataset.root)} == {"x/b.png", name}
    assert ImageFolder(upload.dataset.root).read(0).shape == (224, 224, 3)


WINDOWS_REFUSES = [
    "ab:c.png",
    "a?.png",
    "con.png",
    "x/AUX",
    "lpt1.txt.png",
    "dot./a.png",
    "a /b.png",
]


@pytest.mark.parametrize("name", WINDOWS_REFUSES)
def test_names_that_windows_refuses(name: str) -> None:
    parts = safe_parts(name, windows=True)
    assert "Windows does not allow" in name_fault(parts, windows=True)
    assert name_fault(parts, windows=False) == ""


@pytest.mark.parametrize("name", ["console.png", "a.con.png", "com10.png", "写" * 120 + ".png"])
def test_names_that_windows_allows(name: str) -> None:
    assert name_fault(safe_parts(name, windows=True), windows=True) == ""


def test_a_drive_leads_out_on_windows() -> None:
    with pytest.raises(DeconvError, match="leads out"):
        safe_parts("C:/a.png", windows=True)
    assert safe_parts("C:/a.png", windows=False) == ("C:", "a.png")


def test_a_path_longer_than_the_system_takes_costs_only_its_picture(registry: Registry) -> None:
    deep = "/".join(["f" * 254] * 15) + "/" + "n" * 251 + ".png"
    upload = store_zip(registry, zipped({"good.png": png(), deep: png(1)}), "x.zip")
    assert upload.images == 1
    assert "cannot be stored on this disk" in upload.passed_over[0].reason


def link_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_a_link_is_passed_over(registry: Registry) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link_info("link.png"), "/etc/passwd")
        archive.writestr("good.png", png())
    upload = store_zip(registry, buffer, "x.zip")
    assert upload.images == 1
    assert [(s.name, s.reason) for s in upload.passed_over] == [
        ("link.png", "a link or a device; pack the picture itself")
    ]
    assert not any(path.is_symlink() for path in upload.dataset.root.rglob("*"))


def protected(content: bytes, entries: int) -> io.BytesIO:
    """The first entries of a zip marked as encrypted."""
    changed, central, local = bytearray(content), -1, -1
    for _ in range(entries):
        central = content.index(b"PK\x01\x02", central + 1)
        local = content.index(b"PK\x03\x04", local + 1)
        changed[central + 8] |= 1
        changed[local + 6] |= 1
    return io.BytesIO(bytes(changed))


def test_a_password(registry: Registry) -> None:
    content = zipped({"a.png": png(), "b.png": png(1)}).getvalue()
    upload = store_zip(registry, protected(content, 1), "x.zip")
    assert upload.images == 1
    assert [(s.name, s.reason) for s in upload.passed_over] == [
        ("a.png", "protected by a password; make a zip without one")
    ]
    with pytest.raises(DeconvError, match=r"no pictures.*protected by a password"):
        store_zip(registry, protected(content, 2), "x.zip")


def test_a_video_that_is_too_large_does_not_count(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_checks, "LARGEST_UNPACKED", 100_000)
    upload = store_zip(registry, zipped({"a.png": png(), "b.mp4": bytes(200_000)}), "x.zip")
    assert upload.images == 1


def test_one_picture_that_is_too_large(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_checks, "LARGEST_FILE", 2**20)
    monkeypatch.setattr(upload_store, "LARGEST_FILE", 2**20)
    files = {"a.png": png(), "b.png": bytes(2**21)}
    upload = store_zip(registry, zipped(files), "x.zip")
    assert [(s.name, s.reason) for s in upload.passed_over] == [("b.png", "larger than 1 MB")]
    given = [(name, io.BytesIO(content)) for name, content in files.items()]
    again = store_files(registry, given, "x")
    assert (again.images, again.passed_over) == (1, upload.passed_over)
    assert not (again.dataset.root / "b.png").exists()


def test_a_bomb_that_tells_the_truth(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_checks, "LARGEST_UNPACKED", 100_000)
    with pytest.raises(DeconvError, match="have more than"):
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


def test_a_zip_without_a_single_fault_and_one_with_each(registry: Registry) -> None:
    """One bad entry of each sort beside good ones: the good ones are kept."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("dog/a.png", png())
        archive.writestr(link_info("dog/link.png"), "a.png")
        archive.writestr("dog/" + "n" * 300 + ".png", png())
        archive.writestr("dog/empty.png", b"")
        archive.writestr("dog/notes.txt", b"x")
        archive.writestr("cat/b. ", b"x")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("dog/a.png", png(2))
        archive.writestr("cat/c.png", png(3))
        archive.writestr("cat/", b"")
    upload = store_zip(registry, buffer, "x.zip")
    kept = {path.relative_to(upload.dataset.root).as_posix() for path in files_in(upload)}
    assert kept == {"dog/a.png", "dog/empty.png", "cat/c.png"}
    assert (upload.dataset.root / "dog/a.png").read_bytes() == png()
    assert len(upload.passed_over) == 5


def test_files_one_by_one_and_twice_the_same_name(registry: Registry) -> None:
    files = [("a.png", io.BytesIO(png())), ("a.png", io.BytesIO(png(1)))]
    upload = store_files(registry, files, "two")
    assert upload.images == 1
    assert "another file has the same name" in upload.passed_over[0].reason


def test_a_folder_upload_keeps_its_folders_as_labels(registry: Registry) -> None:
    files = [("zoo/dog/a.png", io.BytesIO(png())), ("zoo/cat/a.png", io.BytesIO(png(1)))]
    root = store_files(registry, files, "zoo").dataset.root
    assert ImageFolder(root).labels == {"cat": 1, "dog": 1}


def test_a_file_name_that_leads_out(registry: Registry) -> None:
    with pytest.raises(DeconvError, match="leads out"):
        store_files(registry, [("../a.png", io.BytesIO(png()))], "x")
