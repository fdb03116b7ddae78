"""Paths as terminals, file managers, browsers and people write them."""

import os
import socket
import unicodedata
from pathlib import Path

import pytest

from deconv_core.errors import DeconvError
from deconv_core.storage import location
from deconv_core.typed_paths import file_address_path, typed_path, unwrapped

posix = pytest.mark.skipif(os.name == "nt", reason="backslashes mean something else there")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the folders that people have."""
    for name in ("my photos (1)", "it's", "grün", "100%25", "plain"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PICTURES", str(tmp_path / "plain"))
    return tmp_path


WRITTEN = {
    "as it is": ("{home}/my photos (1)", "my photos (1)"),
    "single quotes": ("'{home}/my photos (1)'", "my photos (1)"),
    "double quotes": ('"{home}/my photos (1)"', "my photos (1)"),
    "quotes of a text program": ("“{home}/my photos (1)”", "my photos (1)"),
    "blanks and a line end around": ("  {home}/my photos (1) \n", "my photos (1)"),
    "quotes with blanks inside": ("' {home}/plain '", "plain"),
    "a mark of direction, as Windows copies it": ("\u202a{home}/plain", "plain"),
    "dragged into a terminal of a Mac": (r"{home}/my\ photos\ \(1\)/ ", "my photos (1)"),
    "dragged into a terminal of Linux": ("'{home}/my photos (1)' ", "my photos (1)"),
    "an apostrophe, escaped": (r"{home}/it\'s", "it's"),
    "an apostrophe, as a shell quotes it": (r"'{home}/it'\''s'", "it's"),
    "an apostrophe in quotes that hide none": ("'{home}/it's'", "it's"),
    "an apostrophe": ("{home}/it's", "it's"),
    "a slash at the end": ("{home}/plain/", "plain"),
    "two slashes at the beginning": ("/{home}/plain", "plain"),
    "an address": ("file://{home}/my%20photos%20(1)", "my photos (1)"),
    "an address with localhost": ("file://localhost{home}/gr%C3%BCn/", "grün"),
    "an address in capitals, in quotes": ("'FILE://{home}/plain'", "plain"),
    "an address with one slash": ("file:{home}/plain", "plain"),
    "an address that is not encoded": ("file://{home}/my photos (1)", "my photos (1)"),
    "an address with a percent sign": ("file://{home}/100%2525", "100%25"),
    "a percent sign that encodes nothing": ("{home}/100%25", "100%25"),
    "home": ("~/plain", "plain"),
    "home in quotes": ("'~/plain'", "plain"),
    "a variable": ("$HOME/plain", "plain"),
    "a variable in braces": ("${{PICTURES}}", "plain"),
    "a relative path": ("plain", "plain"),
    "a relative path with dots": ("./plain/../grün", "grün"),
}


@posix
@pytest.mark.parametrize("kind", WRITTEN)
def test_each_way_to_write_a_path(kind: str, place: Path) -> None:
    text, name = WRITTEN[kind]
    assert typed_path(text.format(home=place), [place]) == place / name


@posix
@pytest.mark.parametrize("name", [r"my\ photos", "$HOME", "'quoted'", "~", "a%20b", " blank "])
def test_what_is_there_as_typed_wins(name: str, place: Path) -> None:
    (place / name).mkdir()
    assert typed_path(f"{place}/{name}") == place / name
    if name != "~":
        assert typed_path(name, [place]) == place / name


def test_a_path_of_nothing_is_the_likely_one(place: Path) -> None:
    assert typed_path(f"'{place}/none'") == place / "none"
    assert typed_path("none", [place, place / "plain"]) == place / "none"
    assert typed_path("none") == Path.cwd() / "none"


def test_a_relative_path_is_where_there_is_something(place: Path) -> None:
    (place / "plain" / "dogs").mkdir()
    assert typed_path("dogs", [place, place / "plain"]) == place / "plain" / "dogs"
    (place / "dogs").mkdir()
    assert typed_path("dogs", [place, place / "plain"]) == place / "dogs"


def test_letters_may_be_composed_in_another_way(place: Path) -> None:
    stored, typed = (unicodedata.normalize(form, "größe é") for form in ("NFD", "NFC"))
    (place / stored / "가").mkdir(parents=True)
    assert typed_path(f"{place}/{typed}/가").samefile(place / stored / "가")
    if not (place / typed).exists():  # a system that tells them apart
        (place / typed).mkdir()
        assert typed_path(f"{place}/{typed}") == place / typed
        assert typed_path(f"{place}/{stored}") == place / stored


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *[(bad, "is not a folder or file") for bad in ("\0", "a\0b", "''", '" "', "\ud800")],
        ("x" * 5000, "is not a folder or file"),
        ("~nobody-of-this-name/x", "is not a folder or file"),
        ("file:///a%00b", "is not a folder or file"),
        ("file://other-computer/share/photos", "other-computer"),
    ],
)
def test_what_cannot_be_a_path_is_said(text: str, said: str) -> None:
    with pytest.raises(DeconvError, match=said):
        typed_path(text)


@posix
@pytest.mark.parametrize("text", [r"C:\Users\me\Pictures", r"\\server\share", "D:/photos"])
def test_a_path_of_windows_is_called_one(text: str) -> None:
    with pytest.raises(DeconvError, match="is a path of Windows"):
        typed_path(text)


def test_an_address_may_name_this_computer() -> None:
    assert file_address_path(f"file://{socket.gethostname()}/a%20b") == "/a b"
    assert file_address_path("s3://bucket/a") is None
    assert file_address_path("/file:///a") is None


def test_unwrapping_looks_nothing_up() -> None:
    assert unwrapped(" '$HOME/a\\ b' ") == "$HOME/a\\ b"


@posix
def test_the_core_takes_addresses_of_files_wherever_it_takes_a_folder(place: Path) -> None:
    assert location(f"file://{place}/my%20photos%20(1)") == place / "my photos (1)"
    with pytest.raises(DeconvError, match="other-computer"):
        location("file://other-computer/photos")
    with pytest.raises(DeconvError, match="no-such-user"):
        location("~no-such-user/photos")
