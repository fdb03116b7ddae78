"""Real folders: hidden ones, links, cycles of links; and the changes that make a list old."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deconv_core.images import listing
from deconv_core.images.listing import Listing, list_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
LONG_AGO = 1_500_000_000


def made(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def names(found: Listing) -> list[str]:
    return sorted(name for name, _ in found.files)


def skipped(found: Listing) -> dict[str, str]:
    return {entry.name: entry.kind for entry in found.skipped}


# -- hidden --------------------------------------------------------------------------------------

HIDDEN = [
    *(".ipynb_checkpoints/a-checkpoint.jpg", ".Trash-1000/files/b.jpg", "dog/._a.jpg"),
    *("dog/@eaDir/a.jpg/SYNO.jpg", "dog/@eaDir/b.jpg/SYNO.jpg", "__MACOSX/dog/._a.jpg"),
    *(".DS_Store", "dog/Thumbs.db", "cat/desktop.ini", "dog/deep/.git/objects/ab/cd"),
]


def test_hidden_folders_are_one_entry_each_and_never_entered(tmp_path: Path) -> None:
    made(tmp_path, "dog/a.jpg", "dog/deep/b.jpg", *HIDDEN)
    found = list_files(tmp_path)
    assert names(found) == ["dog/a.jpg", "dog/deep/b.jpg"]
    reasons = {entry.name: entry.reason for entry in found.skipped}
    dot, system = "hidden: its name begins with a dot", "hidden: made by the system"
    assert reasons == {
        ".DS_Store": dot,
        ".Trash-1000": f"{dot}; a folder with 1 file",
        ".ipynb_checkpoints": f"{dot}; a folder with 1 file",
        "__MACOSX": f"{system}; a folder with 1 file",
        "cat/desktop.ini": system,
        "dog/._a.jpg": dot,
        "dog/@eaDir": f"{system}; a folder with 2 files",
        "dog/Thumbs.db": system,
        "dog/deep/.git": f"{dot}; a folder with 1 file",
    }
    assert set(skipped(found).values()) == {"hidden"}


def test_the_chosen_folder_may_be_hidden_itself(tmp_path: Path) -> None:
    root = made(tmp_path / ".cache" / "@eaDir" / ".mine", "dog/a.jpg", ".x/b.jpg")
    assert names(list_files(root)) == ["dog/a.jpg"]


def test_large_hidden_folders_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_MOST_COUNTED", 3)
    made(tmp_path, *(f".a/{n}" for n in range(9)), ".b/1")
    (reason,) = [entry.reason for entry in list_files(tmp_path).skipped if entry.name == ".a"]
    assert reason == "hidden: its name begins with a dot"


# -- links to folders ----------------------------------------------------------------------------


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """Class folders that are links, as a data set made by hand has them; one leads to nothing."""
    made(tmp_path, "store/dogs/1.jpg", "store/dogs/old/2.jpg", "store/cats/3.jpg")
    root = tmp_path / "photos"
    root.mkdir()
    (root / "dog").symlink_to(tmp_path / "store" / "dogs")
    (root / "hund").symlink_to("../store/dogs", target_is_directory=True)
    (root / "cat").symlink_to(root / "kitten")
    (root / "kitten").symlink_to(tmp_path / "store" / "cats")
    (root / "gone").symlink_to(tmp_path / "not mounted")
    return root


def test_links_to_folders_are_named_and_not_entered(linked: Path) -> None:
    found = list_files(linked)
    assert names(found) == ["gone"]
    assert found.dead_links == {"gone"}
    assert skipped(found) == dict.fromkeys(["cat", "dog", "hund", "kitten"], "link to a folder")
    assert found.links == 0


def test_links_to_folders_are_followed_on_request_each_on_its_own_way(linked: Path) -> None:
    found = list_files(linked, follow_links=True)
    assert names(found) == [
        *("cat/3.jpg", "dog/1.jpg", "dog/old/2.jpg"),
        *("gone", "hund/1.jpg", "hund/old/2.jpg", "kitten/3.jpg"),
    ]
    assert (skipped(found), found.links) == ({}, 4)
    assert dict(found.files)["dog/old/2.jpg"] == linked / "dog" / "old" / "2.jpg"


def test_the_root_may_be_a_link(linked: Path) -> None:
    assert names(list_files(linked / "dog")) == ["1.jpg", "old/2.jpg"]


@pytest.mark.parametrize(
    "target",
    [".", "..", "../..", "/", "a", "a/b", "a/other/back/b", "a/b/../../../photos"],
)
def test_a_link_to_where_it_lies_is_not_entered(tmp_path: Path, target: str) -> None:
    root = made(tmp_path / "photos", "a/b/1.jpg")
    away = tmp_path / "away"
    away.mkdir()
    (root / "a" / "other").symlink_to(away)
    (away / "back").symlink_to(root / "a")
    (root / "a" / "b" / "round").symlink_to(root / target)
    found = list_files(root, follow_links=True)
    assert names(found) == ["a/b/1.jpg"]
    assert skipped(found) == dict.fromkeys(
        ["a/b/round", "a/other/back"], "link to a folder that contains it"
    )


def test_a_link_aside_is_entered_and_does_not_lead_back(tmp_path: Path) -> None:
    root = made(tmp_path / "photos", "a/b/1.jpg")
    made(tmp_path, "away/2.jpg")
    (tmp_path / "away" / "back").symlink_to(root / "a")
    (root / "a" / "b" / "aside").symlink_to(tmp_path / "away")
    found = list_files(root, follow_links=True)
    assert names(found) == ["a/b/1.jpg", "a/b/aside/2.jpg"]
    assert skipped(found) == {"a/b/aside/back": "link to a folder that contains it"}


def test_two_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    made(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a" / "to b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to a").symlink_to(tmp_path / "a")
    found = list_files(tmp_path, follow_links=True)
    assert names(found) == ["a/1.jpg", "a/to b/2.jpg", "b/2.jpg", "b/to a/1.jpg"]
    assert skipped(found) == dict.fromkeys(
        ["a/to b/to a", "b/to a/to b"], "link to a folder that contains it"
    )


def test_a_thicket_of_links_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_LINKS", 50)
    for a in range(12):
        made(tmp_path, f"{a}/{a}.jpg")
        for b in range(12):
            if a != b:
                (tmp_path / str(a) / f"to {b}").symlink_to(tmp_path / str(b))
    found = list_files(tmp_path, follow_links=True)
    assert found.links == 50
    assert "link to a folder" in skipped(found).values()


def test_links_are_followed_only_into_what_is_offered(tmp_path: Path) -> None:
    made(tmp_path, "private/secret.jpg", "offered/more/1.jpg")
    root = tmp_path / "offered" / "photos"
    root.mkdir()
    (root / "in").symlink_to(tmp_path / "offered" / "more")
    (root / "out").symlink_to(tmp_path / "private")
    (root / "twice").symlink_to(tmp_path / "offered" / "more")
    (tmp_path / "offered" / "more" / "out").symlink_to("../../private")
    found = list_files(root, within=[tmp_path.resolve() / "offered"], follow_links=True)
    assert names(found) == ["in/1.jpg", "twice/1.jpg"]
    out = "link out of the allowed folders"
    assert skipped(found) == {"in/out": out, "out": out, "twice/out": out}


def test_names_that_are_no_text_are_told_as_text(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/.\xff")).mkdir()
    except OSError:
        pytest.skip("this system takes only names that are text")
    assert skipped(list_files(tmp_path)) == {"'.\\udcff'": "hidden"}


def test_very_deep_folders(tmp_path: Path) -> None:
    made(tmp_path, "/".join(["d"] * 300) + "/1.jpg")
    assert len(list_files(tmp_path).files) == 1


# -- is the list still true? ---------------------------------------------------------------------


@pytest.fixture
def settled(tmp_path: Path) -> Path:
    """Folders that have not changed for a while; their times of change cannot be set back."""
    root = made(tmp_path / "photos", "dog/1.jpg", "dog/deep/2.jpg", "cat/3.jpg", "4.jpg")
    made(tmp_path, "store/5.jpg")
    (root / "linked").symlink_to(tmp_path / "store")
    (root / "dead").symlink_to(tmp_path / "later")
    return root


@pytest.fixture
def _any_age_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_COARSEST_CLOCK", 0)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file added to a class folder": lambda root: made(root, "dog/new.jpg"),
    "a file added far below": lambda root: made(root, "dog/deep/new.jpg"),
    "a file deleted": lambda root: (root / "cat/3.jpg").unlink(),
    "a file renamed": lambda root: (root / "cat/3.jpg").rename(root / "cat/4.jpg"),
    "a file replaced by renaming": lambda root: (
        made(root, "x").joinpath("x").rename(root / "4.jpg")
    ),
    "a class folder added": lambda root: (root / "bird").mkdir(),
    "a class folder renamed": lambda root: (root / "dog").rename(root / "wolf"),
    "a file moved between class folders": lambda root: (root / "dog/1.jpg").rename(
        root / "cat/1.jpg"
    ),
    "a file added in a folder that is a link": lambda root: made(root.parent, "store/new.jpg"),
    "a link set to another folder": lambda root: (
        (root / "linked").unlink(),
        (root / "linked").symlink_to(root / "dog"),
    ),
    "the folder that a link leads to exchanged": lambda root: (
        (root.parent / "store").rename(root.parent / "old"),
        made(root.parent, "store/5.jpg"),
    ),
    "what a link leads to is there at last": lambda root: (root.parent / "later").mkdir(),
    "everything gone": lambda root: root.rename(root.parent / "moved"),
    "a file added, and the folder's time set back": lambda root: (
        made(root, "dog/new.jpg"),
        os.utime(root / "dog", ns=(LONG_AGO, LONG_AGO)),
    ),
    "a folder that may no longer be read": lambda root: (root / "dog").chmod(0o700),
}


@pytest.mark.usefixtures("_any_age_is_settled")
@pytest.mark.parametrize("change", CHANGES)
def test_a_list_is_old_after(settled: Path, change: str) -> None:
    found = list_files(settled, follow_links=True)
    assert found.is_current()
    CHANGES[change](settled)
    assert not found.is_current()
    if settled.exists():
        assert list_files(settled, follow_links=True).state != found.state


@pytest.mark.usefixtures("_any_age_is_settled")
def test_a_list_is_as_good_as_new_after_reading(settled: Path) -> None:
    found = list_files(settled, follow_links=True)
    (settled / "dog/1.jpg").read_bytes()
    (settled / "dog/1.jpg").write_bytes(b"other content under the same name")
    assert found.is_current()
    again = list_files(settled, follow_links=True)
    assert (again.state, again.files) == (found.state, found.files)


def test_a_folder_that_changed_just_now_may_change_again_unseen(settled: Path) -> None:
    assert not list_files(settled).settled
    now = time.time_ns() + 10**10

    class Later:
        time_ns = staticmethod(lambda: now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "time", Later)
        assert list_files(settled).settled


def test_of_a_remote_store_nothing_is_known_without_asking() -> None:
    from deconv_core.storage import location

    store = location("memory://of-the-listing-tests")
    for name in ("dog/a.jpg", "dog/.x/b.jpg", "dog/.x/c.jpg", "__MACOSX/a.jpg", ".z.jpg"):
        (store / name).write_bytes(b"x")
    found = list_files(store)
    assert names(found) == ["dog/a.jpg"]
    assert {entry.name: entry.reason.partition("; ")[2] for entry in found.skipped} == {
        ".z.jpg": "",
        "__MACOSX": "a folder with 1 file",
        "dog/.x": "a folder with 2 files",
    }
    assert not found.is_current()
