"""Every damage of an index's files: it is named, and only the damaged part is scanned again."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from deconv_core.errors import DeconvError, IndexDamagedError, IndexForeignError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import check_index
from deconv_core.network.network import Network
from deconv_core.network.sources import load_network
from deconv_core.scanning.scan import scan
from tests.core import drawings
from tests.core.networks import shallow_network
from tests.faults.indexes import contents, everything
from tests.thorough import one_in

BLOCKS = 5


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawings.save(
        tmp_path_factory.mktemp("photos"),
        {f"{'ab'[n % 2]}/{n}.png": drawings.noise(n, 4 + n) for n in range(10)},
    )


@pytest.fixture(scope="module")
def whole(shallow: Network, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index without damage. Do not write to it."""
    path = tmp_path_factory.mktemp("whole")
    scan(shallow, ImageFolder(photos), path, block_size=2)
    assert len(contents(path, "blocks/*.parquet")) == BLOCKS
    return path


@pytest.fixture(scope="module")
def others(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Indexes that are not this one: of another network, of other images of the same names."""
    home = tmp_path_factory.mktemp("others")
    scan(shallow_network(seed=1), ImageFolder(photos), home / "network", block_size=2)
    changed = shutil.copytree(photos, home / "photos")
    drawings.save(changed, {"a/2.png": drawings.noise(90)})
    scan(shallow_network(), ImageFolder(changed), home / "content", block_size=2)
    few = shutil.copytree(photos, home / "few")
    (few / "a/0.png").unlink()
    scan(shallow_network(), ImageFolder(few), home / "names", block_size=2)
    return {name: home / name for name in ("network", "content", "names")}


@pytest.fixture(scope="module")
def undamaged(whole: Path) -> dict[str, str]:
    """Digests of all that it holds."""
    return everything(whole)


@pytest.fixture
def copied(whole: Path, undamaged: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """A copy to damage; at the end of the test it must equal the original."""
    path = tmp_path / "index"
    shutil.copytree(whole, path)
    yield path
    assert not check_index(path)
    assert everything(path) == undamaged
    assert sorted(contents(path)) == sorted(contents(whole)), "no file too many, none missing"


def ask(path: Path) -> None:
    """Use every file of an index: one question to the summary, one to each table in the blocks."""
    index = ActivationIndex.open(path)
    index.top("conv2_1")
    index.maps("conv2_1")
    index.peaks("conv1_1", 0)


def flip(path: Path, place: int, bit: int = 4) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_in_the_middle(path: Path) -> None:
    flip(path, path.stat().st_size // 2)


def flip_in_the_footer(path: Path) -> None:
    flip(path, path.stat().st_size - 200)


def flip_in_the_seal(path: Path) -> None:
    flip(path, path.read_bytes().rindex(b"deconvS1") + 3)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def overwrite(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def delete(path: Path) -> None:
    path.unlink()


HARMS = [cut, flip_in_the_middle, flip_in_the_footer, flip_in_the_seal, empty, overwrite, delete]


def rescanned(shallow: Network, photos: Path, path: Path, **how: object) -> set[str]:
    """Scan again; the names of the blocks that were written."""
    before = {name: (path / name).stat().st_mtime_ns for name in contents(path, "blocks/*.parquet")}
    scan(shallow, ImageFolder(photos), path, **how)
    after = {name: (path / name).stat().st_mtime_ns for name in contents(path, "blocks/*.parquet")}
    return {name for name, changed in after.items() if before.get(name) != changed}


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_block_is_named_and_scanned_again_alone(
    copied: Path, shallow: Network, photos: Path, harm: Callable[[Path], None]
) -> None:
    harm(copied / "blocks/000002.parquet")
    before = contents(copied)
    (damage,) = check_index(copied)
    assert contents(copied) == before, "looking changes nothing"
    assert damage.path.name == "000002.parquet"
    if harm is not flip_in_the_middle:  # that may be a page no question below reads
        with pytest.raises(IndexDamagedError, match=r"000002\.parquet.*scan the same images"):
            ask(copied)
    assert rescanned(shallow, photos, copied) == {"blocks/000002.parquet"}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("kind", ["top", "maps"])
def test_a_harmed_summary_is_named_and_made_again_from_the_blocks(
    copied: Path, shallow: Network, photos: Path, harm: Callable[[Path], None], kind: str
) -> None:
    (path,) = copied.glob(f"{kind}-*.parquet")
    harm(path)
    (damage,) = check_index(copied)
    assert damage.path == path
    if harm in (cut, flip_in_the_footer, empty, overwrite, flip_in_the_seal):
        with pytest.raises(IndexDamagedError, match=path.name):
            ask(copied)
    assert rescanned(shallow, photos, copied) == set()


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_list_of_images_is_named_and_made_again(
    copied: Path, shallow: Network, photos: Path, harm: Callable[[Path], None]
) -> None:
    harm(copied / "images.parquet")
    assert check_index(copied)[0].path.name == "images.parquet"
    with pytest.raises(
        IndexDamagedError, match=r"images\.parquet is .*damaged.*scan the same images"
    ):
        ActivationIndex.open(copied)
    assert rescanned(shallow, photos, copied) == set()


@pytest.mark.parametrize("harm", [cut, flip_in_the_middle, empty, overwrite])
def test_a_harmed_manifest_is_named_and_written_again_by_a_scan(
    copied: Path, shallow: Network, photos: Path, harm: Callable[[Path], None]
) -> None:
    harm(copied / "manifest.json")
    (damage,) = check_index(copied)
    assert damage.path.name == "manifest.json"
    with pytest.raises(IndexDamagedError, match=r"manifest\.json.*put a copy of it back"):
        ActivationIndex.open(copied)
    assert rescanned(shallow, photos, copied) == set()


@pytest.mark.parametrize("lost", [["manifest.json"], ["manifest.json", "images.parquet"]])
def test_a_lost_manifest_is_written_again_by_the_scan_that_made_it(
    copied: Path, shallow: Network, photos: Path, lost: list[str]
) -> None:
    for name in lost:
        (copied / name).unlink()
    (damage,) = check_index(copied)
    assert "manifest.json is missing; put a copy of it back" in damage.reason
    assert rescanned(shallow, photos, copied) == set()


def test_blocks_without_a_manifest_are_not_lost_to_another_scan(
    copied: Path, whole: Path, shallow: Network, photos: Path
) -> None:
    (copied / "manifest.json").unlink()
    (copied / "scan.lock").unlink(missing_ok=True)
    before = contents(copied)
    for other in (shallow_network(seed=1), "demo"):
        with pytest.raises(IndexForeignError, match="holds 5 blocks but no readable manifest"):
            scan(load_network(other) if other == "demo" else other, ImageFolder(photos), copied)
    assert {k: v for k, v in contents(copied).items() if k != "scan.lock"} == before
    scan(shallow, ImageFolder(photos), copied)


def test_any_flipped_bit_of_the_manifest_is_noticed(copied: Path) -> None:
    path = copied / "manifest.json"
    content, before = path.read_bytes(), everything(copied)
    for place in np.random.default_rng(1).integers(0, len(content), 60):
        flip(path, int(place), int(place) % 8)
        try:
            assert everything(copied) == before  # white space between the fields
        except DeconvError as error:
            assert "manifest.json" in str(error) or "format" in str(error)  # noqa: PT017
        path.write_bytes(content)


def test_any_flipped_bit_of_a_block_is_noticed_by_a_check(copied: Path) -> None:
    path = copied / "blocks/000003.parquet"
    content = path.read_bytes()
    for place in np.random.default_rng(2).integers(0, len(content), 240)[:: one_in(6)]:
        flip(path, int(place), int(place) % 8)
        assert [damage.path for damage in check_index(copied)] == [path], place
        path.write_bytes(content)


def test_a_flipped_bit_is_noticed_on_use_or_changes_no_answer(copied: Path) -> None:
    """What says how to read a page lies outside the page's own checksum."""
    path = copied / "blocks/000000.parquet"
    content = path.read_bytes()

    def answer() -> str:
        return ActivationIndex.open(copied).peaks("conv1_1", 0).to_csv()

    before, group, noticed = answer(), pq.read_metadata(path).row_group(0), 0
    columns = [group.column(number) for number in range(1, group.num_columns)]
    starts = [c.dictionary_page_offset or c.data_page_offset for c in columns]
    step = one_in(7)
    for place in range(starts[0], starts[-1] + columns[-1].total_compressed_size, step):
        flip(path, place, place % 8)
        try:
            assert answer() == before, place
        except IndexDamagedError as error:
            assert path.name in str(error)  # noqa: PT017
            noticed += 1
        path.write_bytes(content)
    assert noticed >= 100 // step


def test_exchanged_blocks_are_named_and_scanned_again(
    copied: Path, shallow: Network, photos: Path
) -> None:
    one, other = (copied / f"blocks/00000{n}.parquet" for n in (1, 3))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert [(found.path, found.trouble) for found in check_index(copied)] == [
        (one, "foreign"),
        (other, "foreign"),
    ]
    with pytest.raises(IndexForeignError, match="it is blocks 3 to 3, not blocks 1 to 1"):
        ask(copied)
    assert len(rescanned(shallow, photos, copied)) == 2


@pytest.mark.parametrize("other", ["network", "content", "names"])
def test_a_block_of_another_index_is_named_and_scanned_again(
    copied: Path, others: dict[str, Path], shallow: Network, photos: Path, other: str
) -> None:
    plan = IndexFolder(copied).read_plan().set_index("image_id")
    number = plan["block"]["a/2.png" if other == "content" else "a/0.png"]
    place = f"blocks/{number:06d}.parquet"
    assert not check_index(others[other])
    shutil.copy(others[other] / place, copied / place)
    (damage,) = check_index(copied)
    assert damage.trouble == "foreign"
    assert damage.path == copied / place
    with pytest.raises(IndexForeignError, match=rf"{number:06d}\.parquet does not"):
        ask(copied)
    assert rescanned(shallow, photos, copied) == {place}


@pytest.mark.parametrize("other", ["network", "names"])
def test_a_list_of_images_of_another_index_is_named_and_made_again(
    copied: Path, others: dict[str, Path], shallow: Network, photos: Path, other: str
) -> None:
    shutil.copy(others[other] / "images.parquet", copied / "images.parquet")
    (damage,) = check_index(copied)
    assert damage.trouble == "foreign"
    with pytest.raises(IndexForeignError, match=r"images\.parquet does not belong"):
        ActivationIndex.open(copied)
    assert rescanned(shallow, photos, copied) == set()


def test_a_summary_of_another_index_is_named_and_made_again(
    copied: Path, others: dict[str, Path], shallow: Network, photos: Path
) -> None:
    for kind in ("top", "maps"):
        (ours,), (theirs,) = copied.glob(f"{kind}-*"), others["network"].glob(f"{kind}-*")
        shutil.copy(theirs, ours)
    found = check_index(copied)
    assert [(one.part, one.trouble) for one in found] == [("summary", "foreign")] * 2
    for question in (lambda i: i.top("conv1_1"), lambda i: i.maps("conv1_1")):
        with pytest.raises(IndexForeignError, match="does not belong"):
            question(ActivationIndex.open(copied))
    assert rescanned(shallow, photos, copied) == set()


def test_a_manifest_of_another_index_is_refused_and_nothing_is_thrown_away(
    copied: Path, others: dict[str, Path], shallow: Network, photos: Path
) -> None:
    shutil.copy(others["names"] / "manifest.json", copied / "manifest.json")
    before = contents(copied, "blocks/*")
    with pytest.raises(IndexForeignError, match=r"manifest\.json"):
        ActivationIndex.open(copied)
    with pytest.raises(IndexForeignError, match="come from another index"):
        scan(shallow, ImageFolder(photos), copied)
    assert contents(copied, "blocks/*") == before
    (copied / "manifest.json").unlink()  # what the message says
    assert rescanned(shallow, photos, copied) == set()


def test_much_damage_at_once(copied: Path, shallow: Network, photos: Path) -> None:
    cut(copied / "blocks/000000.parquet")
    delete(copied / "blocks/000004.parquet")
    flip_in_the_footer(copied / "images.parquet")
    delete(next(copied.glob("top-*")))
    named = {damage.path.name for damage in check_index(copied)}
    assert {"000000.parquet", "images.parquet"} <= named
    assert len(rescanned(shallow, photos, copied)) == 2


def test_every_block_damaged(copied: Path, shallow: Network, photos: Path) -> None:
    for block in (copied / "blocks").iterdir():
        flip_in_the_middle(block)
    assert len(check_index(copied)) == BLOCKS
    assert len(rescanned(shallow, photos, copied)) == BLOCKS


def test_a_lost_list_of_images_of_an_updated_index_is_made_again_from_the_blocks(
    shallow: Network, photos: Path, tmp_path: Path
) -> None:
    folder, path = shutil.copytree(photos, tmp_path / "photos"), tmp_path / "index"
    scan(shallow, ImageFolder(folder), path, block_size=2)
    (folder / "a/2.png").unlink()
    drawings.save(folder, {"b/3.png": drawings.noise(60), "c/new.png": drawings.noise(61)})
    scan(shallow, ImageFolder(folder), path, update=True)
    before = everything(path)
    (path / "images.parquet").unlink()
    with pytest.raises(DeconvError, match=r"0 added, 1 removed, 0 changed"):
        scan(shallow, ImageFolder(folder), path)  # the blocks do not know what was left out
    assert rescanned(shallow, folder, path, update=True) == set()
    assert everything(path) == before
    assert not check_index(path)


def test_a_damaged_merged_block(
    shallow: Network, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deconv_core.index import summary as index_summary

    monkeypatch.setattr(index_summary, "MERGE_FROM", 2)
    monkeypatch.setattr(index_summary, "MERGED_IMAGES", 4)
    path = tmp_path / "index"
    scan(shallow, ImageFolder(photos), path, block_size=2)
    before = everything(path)
    assert sorted(contents(path, "blocks/*")) == [
        "blocks/000000-000001.parquet",
        "blocks/000002-000003.parquet",
        "blocks/000004.parquet",
    ]
    flip_in_the_middle(path / "blocks/000002-000003.parquet")
    assert [damage.path.name for damage in check_index(path)] == ["000002-000003.parquet"]
    rescanned(shallow, photos, path)
    assert everything(path) == before
    assert not check_index(path)


def test_a_damaged_block_of_an_unfinished_index(
    shallow: Network, photos: Path, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "index"
    shutil.copytree(whole, path)
    folder = IndexFolder(path)
    from dataclasses import replace

    folder.write_manifest(replace(folder.read_manifest(), complete=False, summary=""))
    (path / "blocks/000004.parquet").unlink()
    cut(path / "blocks/000001.parquet")
    with pytest.raises(IndexDamagedError, match=r"000001\.parquet"):
        ActivationIndex.open(path)
    assert rescanned(shallow, photos, path) == {"blocks/000001.parquet", "blocks/000004.parquet"}
    assert everything(path) == everything(whole)
