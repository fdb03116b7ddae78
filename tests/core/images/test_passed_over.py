"""The names that a listing skips, and the messages about them."""

import pytest

from deconv_core.images.passed_over import hidden_entry_reason, hidden_place, hidden_reason


@pytest.mark.parametrize(
    "name",
    [
        *(".ipynb_checkpoints", ".Trash-1000", "._x.jpg", ".DS_Store", ".hidden.png", ".git"),
        *(".thumbnails", "..data", "@eaDir", "__MACOSX", "Thumbs.db", "thumbs.db", "desktop.ini"),
        *("Desktop.ini", "$RECYCLE.BIN", "System Volume Information", "lost+found", "#recycle"),
        *("@Recycle", ".AppleDouble", ".nfs0001", "Icon\r", "@Recently-Snapshot"),
    ],
)
def test_hidden_names_and_those_of_systems_have_a_reason(name: str) -> None:
    assert hidden_reason(name).startswith("hidden")


@pytest.mark.parametrize(
    "name",
    [
        *("dog", "a.jpg", "_x.jpg", "Thumbs.db.jpg", "lost", "macosx", "eaDir", "recycle"),
        *("x.", "$dollar", "#1.png", "@me.png", "thumbs", "Icon.png", "…"),
    ],
)
def test_other_names_have_none(name: str) -> None:
    assert hidden_reason(name) == ""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("dog/a.jpg", ""),
        ("dog/._a.jpg", "dog/._a.jpg"),
        ("dog/.ipynb_checkpoints/a.jpg", "dog/.ipynb_checkpoints"),
        (".Trash-1000/files/dog/a.jpg", ".Trash-1000"),
        ("__MACOSX/dog/._a.jpg", "__MACOSX"),
        ("a/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "a/@eaDir"),
    ],
)
def test_what_lies_in_one_hidden_folder_has_one_place(path: str, place: str) -> None:
    assert hidden_place(path.split("/")) == place


def test_a_hidden_folder_is_one_entry_with_a_count() -> None:
    assert hidden_entry_reason("a/.x", 0) == "hidden: its name begins with a dot"
    assert hidden_entry_reason("a/@eaDir", 1) == "hidden: made by the system; a folder with 1 file"
    assert hidden_entry_reason(".x", 1200).endswith("; a folder with 1,200 files")
