"""Names in zips are decoded correctly: in stored files, labels and choices."""

import io
import unicodedata
import zipfile
from pathlib import Path

import pytest

from deconv_core import ImageFolder
from deconv_core.errors import DeconvError
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.uploads import Upload
from deconv_dashboard.upload.unpacking import look_into_zip, store_zip
from tests.app.raw_zips import UTF_8_FLAG, png, raw_zip, unicode_path

JAPANESE = ["猫/写真 表.png", "犬/ソ.png"]
CHINESE = ["猫/副本.png", "狗/朗读.png"]
GERMAN = ["Bär/Köln (1).png", "Hund/größe.png"]
RUSSIAN = ["кот/фото.png", "пёс/ёж.png"]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home")


def stored(upload: Upload) -> list[str]:
    return sorted(entry.image_id for entry in ImageFolder(upload.dataset.root))


def labels(upload: Upload) -> set[str]:
    return set(ImageFolder(upload.dataset.root).labels)


@pytest.mark.parametrize(
    ("names", "page"),
    [(JAPANESE, "cp932"), (CHINESE, "gbk"), (GERMAN, "cp850"), (RUSSIAN, "cp866")],
)
def test_a_code_page_is_guessed_for_the_whole_archive(
    registry: Registry, names: list[str], page: str
) -> None:
    upload = store_zip(registry, raw_zip([name.encode(page) for name in names]), "a.zip")
    assert stored(upload) == sorted(names)
    assert labels(upload) == {name.partition("/")[0] for name in names}
    assert not upload.passed_over


def test_the_second_byte_of_a_letter_is_no_backslash(registry: Registry) -> None:
    assert b"\\" in "写真 表.png".encode("cp932")
    assert b"\\" in "ソ.png".encode("cp932")
    upload = store_zip(registry, raw_zip([name.encode("cp932") for name in JAPANESE]), "a.zip")
    assert stored(upload) == sorted(JAPANESE)


def test_a_backslash_of_the_decoded_name_is_a_folder(registry: Registry) -> None:
    names = ["猫\\写真.png".encode("cp932"), "犬\\能力.png".encode("cp932")]
    assert stored(store_zip(registry, raw_zip(names), "a.zip")) == ["犬/能力.png", "猫/写真.png"]


@pytest.mark.parametrize("names", [JAPANESE, CHINESE, GERMAN, RUSSIAN])
@pytest.mark.parametrize("flag", [0, UTF_8_FLAG])
def test_utf_8_with_and_without_its_flag(registry: Registry, names: list[str], flag: int) -> None:
    archive = raw_zip([name.encode() for name in names], flags=flag)
    assert stored(store_zip(registry, archive, "a.zip")) == sorted(names)


def test_the_unicode_path_field_counts(registry: Registry) -> None:
    raw = [name.encode("cp932") for name in JAPANESE]
    truth = ["chat/photo.png", "chien/été.png"]
    extras = [unicode_path(name, text) for name, text in zip(raw, truth, strict=True)]
    upload = store_zip(registry, raw_zip(raw, extras=extras), "a.zip")
    assert stored(upload) == truth
    assert look_into_zip(raw_zip(raw, extras=extras), "a.zip").encoding == ""


def test_a_unicode_path_field_after_another_field(registry: Registry) -> None:
    raw = [name.encode("cp932") for name in JAPANESE]
    stamp = b"UT\x05\x00\x01\x00\x00\x00\x00"
    extras = [stamp + unicode_path(n, t) for n, t in zip(raw, ["a/x.png", "b/y.png"], strict=True)]
    assert stored(store_zip(registry, raw_zip(raw, extras=extras), "a.zip")) == [
        "a/x.png",
        "b/y.png",
    ]


@pytest.mark.parametrize(
    "wrong", [{"version": 2}, {"checksum": 1}], ids=["version", "checksum of another name"]
)
def test_a_unicode_path_field_of_another_name_does_not_count(
    registry: Registry, wrong: dict[str, int]
) -> None:
    raw = [name.encode("cp932") for name in JAPANESE]
    extras = [unicode_path(name, "wrong/x.png", **wrong) for name in raw]
    assert stored(store_zip(registry, raw_zip(raw, extras=extras), "a.zip")) == sorted(JAPANESE)


def test_each_name_is_read_as_its_entry_says(registry: Registry) -> None:
    names = [
        "猫/写真.png".encode("cp932"),
        "犬/ソ.png".encode("cp932"),
        "鳥/雀.png".encode(),  # no flag, but valid
        "魚/鯛.png".encode(),
        b"plain.png",
    ]
    archive = raw_zip(names, flags=[0, 0, 0, UTF_8_FLAG, 0])
    read = look_into_zip(archive, "a.zip")
    assert read.encoding == "cp932"
    assert read.unsure == (0, 1)
    expected = ["plain.png", "犬/ソ.png", "猫/写真.png", "魚/鯛.png", "鳥/雀.png"]
    assert stored(store_zip(registry, archive, "a.zip")) == expected


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_not_normalised(registry: Registry, form: str) -> None:
    name = unicodedata.normalize(form, "Bär/für.png")  # type: ignore[arg-type]
    assert stored(store_zip(registry, raw_zip([name.encode(), b"b/x.png"]), "a.zip")) == [
        *sorted([name, "b/x.png"])
    ]


def test_plain_names_leave_nothing_to_choose() -> None:
    read = look_into_zip(raw_zip([b"a/x.png", b"b/y.png"]), "a.zip")
    assert (read.encoding, read.choices, read.unsure) == ("", (), ())


def test_another_reading_can_be_chosen(registry: Registry) -> None:
    archive = raw_zip([name.encode("cp866") for name in RUSSIAN])
    assert look_into_zip(archive, "a.zip").encoding == "cp866"
    assert "cp850" in look_into_zip(archive, "a.zip").choices
    chosen = look_into_zip(archive, "a.zip", encoding="cp850")
    assert chosen.names[0] == "кот/фото.png".encode("cp866").decode("cp850")
    upload = store_zip(registry, archive, "a.zip", encoding="cp850")
    assert stored(upload) == sorted(chosen.names)


def test_a_choice_that_cannot_read_the_names_is_refused(registry: Registry) -> None:
    archive = raw_zip([b"\x81 .png", b"a.png"])
    assert "cp932" not in look_into_zip(archive, "a.zip").choices
    with pytest.raises(DeconvError, match="cannot be read as Japanese"):
        store_zip(registry, archive, "a.zip", encoding="cp932")
    assert not list((registry.home / "uploads").glob("[0-9a-f]*"))


def test_two_entries_that_decode_to_one_name_are_told(registry: Registry) -> None:
    twice = ["猫.png".encode("cp932"), "犬.png".encode("cp932"), "猫.png".encode()]
    upload = store_zip(registry, raw_zip(twice), "a.zip")
    assert stored(upload) == ["犬.png", "猫.png"]
    assert (upload.dataset.root / "猫.png").read_bytes() == png(0)
    (skipped,) = upload.passed_over
    assert skipped.name == "猫.png"
    assert "only the first one is stored" in skipped.reason


@pytest.mark.parametrize("name", ["../表.png", "/表.png", "猫/../../表.png"])
def test_decoded_names_that_lead_out_are_refused(registry: Registry, name: str) -> None:
    names = [name.encode("cp932"), *(good.encode("cp932") for good in JAPANESE)]
    with pytest.raises(DeconvError, match="leads out"):
        store_zip(registry, raw_zip(names), "a.zip")


def test_a_unicode_path_that_leads_out_is_refused(registry: Registry) -> None:
    raw = b"innocent.png"
    archive = raw_zip([raw], extras=[unicode_path(raw, "../../evil.png")])
    with pytest.raises(DeconvError, match="leads out"):
        store_zip(registry, archive, "a.zip")
    assert not (registry.home / "evil.png").exists()


def test_what_python_writes_is_read_as_before(registry: Registry) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("dog/a.png", "cat/é.png", "鳥/b.png"):
            archive.writestr(name, png())
    assert stored(store_zip(registry, buffer, "a.zip")) == ["cat/é.png", "dog/a.png", "鳥/b.png"]


LATIN_1 = "chat/été.png".encode("latin-1")
ONE_WRONG_ENTRY = {
    "marked as UTF-8, Latin-1": ({"flags": UTF_8_FLAG}, "marked as UTF-8 but is not"),
    "an extra field longer than its place": (
        {"extras": b"UT\xff\x00\x01\x02\x03"},
        "damaged in the table of contents",
    ),
    "a zip64 field without its numbers": (
        {"extras": b"\x01\x00\x00\x00", "size": 0xFFFFFFFF},
        "damaged in the table of contents",
    ),
    "a version that nobody knows": ({"version": 99}, "damaged in the table of contents"),
}


@pytest.mark.parametrize("wrong", ONE_WRONG_ENTRY)
def test_one_wrong_entry_does_not_refuse_the_others(registry: Registry, wrong: str) -> None:
    how, reason = ONE_WRONG_ENTRY[wrong]
    names = [b"dog/a.png", LATIN_1, "猫/写真.png".encode()]
    archive = raw_zip(
        names,
        flags=[0, how.get("flags", 0), UTF_8_FLAG],
        extras=[b"", how.get("extras", b""), b""],
    )
    content = bytearray(archive.getvalue())
    at = content.rindex(LATIN_1) - 46  # its entry in the table of contents
    if "size" in how:
        content[at + 20 : at + 28] = (how["size"]).to_bytes(4, "little") * 2
    if "version" in how:
        content[at + 6] = how["version"]
    with pytest.raises(Exception):  # noqa: B017, PT011  (zipfile raises what it likes)
        zipfile.ZipFile(io.BytesIO(content))
    assert look_into_zip(io.BytesIO(content), "a.zip").names == ("dog/a.png", "猫/写真.png")
    upload = store_zip(registry, io.BytesIO(content), "a.zip")
    assert stored(upload) == ["dog/a.png", "猫/写真.png"]
    assert (upload.dataset.root / "猫/写真.png").read_bytes() == png(2)
    (skipped,) = upload.passed_over
    assert skipped.name == "chat/\\xe9t\\xe9.png"
    assert reason in skipped.reason
    assert skipped.reason.endswith("; pack it again")


def test_a_zip_of_wrong_entries_says_why_it_has_no_pictures(registry: Registry) -> None:
    with pytest.raises(DeconvError, match=r"no pictures in this upload \(chat.*marked as UTF-8"):
        store_zip(registry, raw_zip([LATIN_1], flags=UTF_8_FLAG), "a.zip")
