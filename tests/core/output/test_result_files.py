from pathlib import Path

import pandas as pd
import pytest
from PIL import Image, PngImagePlugin

from deconv_core.errors import DeconvError
from deconv_core.output.provenance import Provenance
from deconv_core.output.result_files import ResultFiles, file_stem
from deconv_core.output.tables import COLUMNS
from deconv_core.storage import location
from tests.core.index.test_place import tree

TABLE = pd.DataFrame([range(len(COLUMNS))], columns=list(COLUMNS))
MADE = Provenance("n", "f", "torchvision", "photos", "stretch", (224, 224))


@pytest.mark.parametrize(
    ("address", "stem"),
    [
        (("conv4_4", None, None), "conv4_4"),
        (("conv4_4", 350, None), "conv4_4_map350"),
        (("conv4_4", 0, "dog"), "conv4_4_map0_dog"),
        (("conv4_4", None, "a/b ..\\c"), "conv4_4_a-b-..-c"),
    ],
)
def test_names_of_results(address: tuple, stem: str) -> None:
    assert file_stem(*address) == stem


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def files(
    images: Path, out: object, channel: int | None = 5, label: str | None = None
) -> ResultFiles:
    return ResultFiles.of(out, "conv4_4", channel, label, images)  # type: ignore[arg-type]


def drawn(side: int) -> dict[str, Image.Image]:
    return {"feat": Image.new("RGB", (side, side)), "im": Image.new("RGB", (side, side))}


def test_a_later_run_replaces_its_own_files_alone(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "results"
    files(images, out).write(drawn(3), TABLE, MADE)
    (out / "conv4_4_map5_notes.txt").write_text("mine")
    files(images, out).write(drawn(4), TABLE, MADE)
    assert sorted(path.name for path in out.iterdir()) == [
        *("conv4_4_map5.csv", "conv4_4_map5_feat.png"),
        *("conv4_4_map5_im.png", "conv4_4_map5_notes.txt"),
    ]
    assert Image.open(out / "conv4_4_map5_feat.png").size == (4, 4)


def test_an_answer_with_every_copy_has_files_of_its_own(images: Path, tmp_path: Path) -> None:
    asked = tmp_path / "out", "conv4_4", 5, "copies", images
    assert ResultFiles.of(*asked, copies=True).stem == "conv4_4_map5_copies_copies"
    ResultFiles.of(*asked[:3], None, images, copies=True).write(drawn(3), TABLE, MADE)
    with pytest.raises(DeconvError, match="conv4_4 map 5, every copy counted"):
        ResultFiles.of(*asked)


def a_picture(path: Path) -> None:
    Image.new("RGB", (2, 2)).save(path, "PNG")


def another_programs_picture(path: Path) -> None:
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", "GIMP")
    about.add_text("Title", "conv4_4 map 5")
    Image.new("RGB", (2, 2)).save(path, "PNG", pnginfo=about)


@pytest.mark.parametrize("name", ["map5_feat.png", "map5_im.png", "map5.csv"])
@pytest.mark.parametrize(
    "put",
    [
        a_picture,
        another_programs_picture,
        lambda path: path.write_text("rank;place\n1;2\n"),
        lambda path: path.write_bytes(b""),
        Path.mkdir,
        lambda path: path.symlink_to("nowhere"),
    ],
    ids=["picture", "other program", "text", "empty", "folder", "link"],
)
def test_a_file_of_somebody_else_stays(
    images: Path, tmp_path: Path, name: str, put: object
) -> None:
    name, out = f"conv4_4_{name}", tmp_path / "results"
    out.mkdir()
    put(out / name)  # type: ignore[operator]
    before = tree(tmp_path)
    with pytest.raises(
        DeconvError, match=f"{name} exists already and was not written by this command"
    ):
        files(images, out)
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("first", "second"), [(("a b",), ("a-b",)), (("",), (None,)), (("x",), ("x ",))]
)
def test_another_result_of_the_same_name_stays(
    images: Path, tmp_path: Path, first: tuple[str | None], second: tuple[str | None]
) -> None:
    out = tmp_path / "results"
    files(images, out, None, first[0]).write(drawn(3), TABLE, MADE)
    before = tree(out)
    if file_stem("conv4_4", None, first[0]) == file_stem("conv4_4", None, second[0]):
        with pytest.raises(DeconvError, match="exists already and is another result, conv4_4"):
            files(images, out, None, second[0])
    assert tree(out) == before


@pytest.mark.parametrize("out", ["", " ", "a\0b", None, 3, "s3:///"])
def test_results_need_a_folder(images: Path, out: object) -> None:
    with pytest.raises(DeconvError, match=r"path|folder|address"):
        files(images, out)


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_results_do_not_go_into_a_file(images: Path, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DeconvError, match="file is not a folder; choose another folder"):
        files(images, tmp_path / "file" / below)


@pytest.mark.parametrize("place", ["photos", "photos/results", "link/results", "photos/../photos"])
def test_results_are_not_put_among_the_images(images: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "link").symlink_to(images)
    with pytest.raises(DeconvError, match="would be scanned too"):
        files(images, tmp_path / place)
    files(images, images / ".results")  # no scan looks there


def test_results_are_written_to_this_computer(images: Path) -> None:
    with pytest.raises(DeconvError, match="is not a folder of this computer"):
        ResultFiles.of("memory://place/results", "conv1_1", None, None, location(images))
