"""An export after images changed: it names these images, and contains the others."""

import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from deconv_core.errors import DeconvError, ImageChangedError, ImageError
from deconv_core.exact import exact_top
from deconv_core.export import export
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.output.selection import Selection
from deconv_core.scanning.scan import scan
from tests.core import drawings

LAYER = "conv3_1"
CHANGED = "its content has changed since the scan"
GONE = "it is not in the folder any more"


@pytest.fixture(params=["float32", "bfloat16"])
def index(shallow: Network, tmp_path: Path, request: pytest.FixtureRequest) -> ActivationIndex:
    root = drawings.save(tmp_path / "photos", {f"{n}.png": drawings.noise(n, 16) for n in range(5)})
    return scan(shallow, ImageFolder(root), tmp_path / "index", precision=request.param)


def read(zipped: Path, name: str) -> bytes:
    with zipfile.ZipFile(zipped) as archive:
        return archive.read(name)


def table(zipped: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(read(zipped, name)), keep_default_na=False)


def test_the_rest_is_exported_and_it_is_said_what_is_missing(
    shallow: Network, index: ActivationIndex, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    chosen = Selection(layers=(LAYER,))
    whole = export(
        shallow, ImageFolder(root), index, Selection(layers=(LAYER,)), tmp_path / "a.zip"
    )
    drawings.save(root, {"1.png": drawings.noise(9, 7)})
    (root / "3.png").unlink()
    expected, told = {"1.png": CHANGED, "3.png": GONE}, {}
    made = export(
        shallow,
        ImageFolder(root),
        index,
        chosen,
        tmp_path / "b.zip",
        left_out=told,
    )
    assert told == expected
    before = table(whole, f"{LAYER}/layer/table.csv").set_index("image_id")
    now = table(made, f"{LAYER}/layer/table.csv").set_index("image_id")
    kept = [name for name in ("0.png", "2.png", "4.png") if name in now.index]
    assert len(kept) == 3
    for name in kept:  # value and place as before
        assert now.loc[name, "value"] == before.loc[name, "value"]
        assert now.loc[name].get("left_out", "") == ""
    for name in set(now.index) & set(expected):  # an index in float32 knows their values
        assert now.loc[name, "left_out"] == expected[name]
    with zipfile.ZipFile(made) as archive:
        drawn = [name for name in archive.namelist() if name.endswith("_patch.png")]
    assert sorted(int(Path(name).name.partition("_")[0]) for name in drawn) == sorted(
        now.loc[kept, "rank"]
    )
    assert dict(table(made, "left_out.csv").to_numpy().tolist()) == expected
    manifest = json.loads(read(made, "manifest.json"))
    assert manifest["left_out"] == expected
    said = {a["image_id"]: a.get("left_out") for a in manifest["maps"][0]["activations"]}
    assert {name: why for name, why in said.items() if why} == {
        name: why for name, why in expected.items() if name in now.index
    }
    page = read(made, "index.html").decode()
    end = page[page.index("Left out</h2>") :]
    assert all(name in end and why in end for name, why in expected.items())
    assert "<dt>Left out</dt><dd><bdi>2 images" in page
    assert str(root) not in page
    assert "left_out.csv" not in zipfile.ZipFile(whole).namelist()
    assert "Left out" not in read(whole, "index.html").decode()


def test_a_map_of_which_no_picture_is_left(
    shallow: Network, index: ActivationIndex, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    best = index.top(LAYER, 0, 1)[0]
    drawings.save(root, {best.image_id: drawings.noise(9, 7)})
    chosen = Selection(layers=(LAYER,), units=(best.unit,), k=1)
    other = index.top(LAYER, k=1)[0].image_id
    if other == best.image_id or index.precision == "bfloat16":
        chosen = Selection(layers=(LAYER,), units=(best.unit,), k=5)
    made = export(shallow, ImageFolder(root), index, chosen, tmp_path / "a.zip")
    assert list(json.loads(read(made, "manifest.json"))["left_out"]) == [best.image_id]


def test_without_any_picture_there_is_no_zip(
    shallow: Network, index: ActivationIndex, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    drawings.save(root, {f"{n}.png": drawings.noise(n + 50, 7) for n in range(5)})
    with pytest.raises(ImageError, match=r"no picture can be made: .*update the index"):
        export(shallow, ImageFolder(root), index, Selection(layers=(LAYER,)), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_folder_that_goes_away_ends_the_export(
    shallow: Network, index: ActivationIndex, tmp_path: Path
) -> None:
    images = ImageFolder(tmp_path / "photos")
    images.root.rename(tmp_path / "renamed")
    with pytest.raises(DeconvError, match=r"the folder of images .* is gone; bring it back"):
        export(shallow, images, index, Selection(layers=(LAYER,)), tmp_path / "a.zip")


def test_answers_alone_are_still_refused(
    shallow: Network, index: ActivationIndex, tmp_path: Path
) -> None:
    drawings.save(tmp_path / "photos", {"1.png": drawings.noise(9, 7)})
    images = ImageFolder(tmp_path / "photos")
    if index.precision == "bfloat16":
        with pytest.raises(ImageChangedError):
            exact_top(shallow, images, index, LAYER)
