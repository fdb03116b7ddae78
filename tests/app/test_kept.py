"""The server's caches: every session sees a replaced file at once."""

import ast
import base64
import functools
import hashlib
import io
import json
import os
import re
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from streamlit.testing.v1 import AppTest

from deconv_core import demo
from deconv_core.deconvnet import convnet_pass
from deconv_core.errors import ImageChangedError
from deconv_core.export import export
from deconv_core.file_state import FileState
from deconv_core.images.colour_profiles import to_srgb
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.folder import IndexFolder
from deconv_core.network.network import Network
from deconv_core.network.sources import save_features
from deconv_core.output.selection import Selection
from deconv_core.scanning.scan import scan
from deconv_core.units import Activation, Box, Unit
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.notes_files import UnitNote
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.unit_notes import NotesStore
from deconv_dashboard.jobs.scans import scan_state
from deconv_dashboard.queue.silence import Silence
from deconv_dashboard.queue.state import JobState
from deconv_dashboard.server import drawn, index_answers, resources
from deconv_dashboard.server import reconstructing as pictures
from deconv_dashboard.server.overlays import plane_over, small_planes
from deconv_dashboard.start import opening
from deconv_dashboard.values import Answer, Choice
from tests.app.advice import trees
from tests.app.conftest import APP, Home, OpenPage, key_now, words
from tests.core import drawings
from tests.core.images.test_colour_profiles import P3
from tests.core.networks import narrow_network

LAYER = "conv3_1"
NAME = "b.bmp"  # all pictures of one size have files of one size


@dataclass
class Shelf:
    """A scanned folder of pictures of its own, of which one will be replaced."""

    registry: Registry
    dataset: Dataset
    network: NetworkChoice

    @property
    def names(self) -> dict[str, str]:
        return {"network": self.network.network_id, "dataset": self.dataset.dataset_id}

    @property
    def index_path(self) -> Path:
        return self.registry.index_path(self.dataset, self.network)

    @property
    def choice(self) -> Choice:
        """The choice of a page run that begins now."""
        stamp = resources.index_stamp(self.index_path)
        index = resources.index_of(self.index_path, stamp)
        return Choice(
            *(self.registry, self.network, self.dataset, None, index, self.index_path, stamp)
        )

    def best(self) -> Activation:
        """The strongest activation of a map that fires most in the picture to be replaced."""
        index = ActivationIndex.open(self.index_path)
        tops = [index.top(LAYER, channel) for channel in range(index.layers[LAYER].channels)]
        return next(top[0] for top in tops if top and top[0].image_id == NAME)


def write(path: Path, pixels: np.ndarray) -> None:
    """Write a picture over another; the file keeps its size and its time."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "BMP")
    before = path.stat() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())
    if before is not None:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size


OLD, NEW = drawings.noise(21, 5), drawings.square(150, 20, 60)


@pytest.fixture
def shelf(home: Home, network: Network, tmp_path: Path) -> Shelf:
    root = tmp_path / "shelf"
    for name, pixels in (("a.bmp", drawings.flat(9, 9, 9)), (NAME, OLD)):
        write(root / name, pixels)
    dataset = home.registry.add_folder(root)
    scan(network, ImageFolder(root), home.registry.index_path(dataset, home.network))
    return Shelf(home.registry, dataset, home.network)


def replace_picture(shelf: Shelf) -> None:
    write(shelf.dataset.root / NAME, NEW)


def replace_index(shelf: Shelf, tmp_path: Path) -> None:
    """Another index in its place, of the picture replaced; files keep their times."""
    replace_picture(shelf)
    network = narrow_network()
    scan(network, ImageFolder(shelf.dataset.root), tmp_path / "other index")
    for path in shelf.index_path.rglob("*"):
        other = tmp_path / "other index" / path.relative_to(shelf.index_path)
        if other.exists() and path.is_file():
            os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    shutil.rmtree(shelf.index_path)
    shutil.copytree(tmp_path / "other index", shelf.index_path)


def maps_of(network: Network, pixels: np.ndarray, layer: str = LAYER) -> np.ndarray:
    inputs = network.normalise(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None])
    return convnet_pass(network.graph, inputs, layer).feature_maps[0].numpy()


def same(png: bytes, pixels: np.ndarray) -> bool:
    return np.array_equal(np.asarray(Image.open(io.BytesIO(png)).convert("RGB")), pixels)


# --- one test a row ------------------------------------------------------------------------------


def test_network(shelf: Shelf, tmp_path: Path) -> None:
    copied = tmp_path / "mine.safetensors"
    save_features(narrow_network(), copied)
    choice = Shelf(shelf.registry, shelf.dataset, shelf.registry.add_weights(copied)).choice
    assert resources.network_of(choice).fingerprint == narrow_network().fingerprint
    before = copied.stat()
    save_features(narrow_network(seed=5), copied)
    os.utime(copied, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert copied.stat().st_size == before.st_size
    assert resources.network_of(choice).fingerprint == narrow_network(seed=5).fingerprint


def test_images(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "deconv_dashboard.server.kept_folder._SHARE", 0
    )  # else a moment passes between two looks
    assert len(resources.images_of(shelf.dataset)) == 2
    write(shelf.dataset.root / "c.bmp", NEW)
    assert len(resources.images_of(shelf.dataset)) == 3


def test_index(shelf: Shelf, tmp_path: Path) -> None:
    before, old = shelf.choice, shelf.best()
    question = (LAYER, old.unit.channel, 9, None)
    asked = index_answers.question(before, *question)
    top, maps = index_answers.top_of(before, *question), index_answers.maps_of(before, LAYER, None)
    similar = index_answers.correlations_of(before, LAYER)
    assert index_answers.groups_of(before, old.unit).groups == ()
    peaks = index_answers.peaks_of(before, old.unit)["value"].tolist()
    index_answers.settled_answers().put(asked, top)  # type: ignore[arg-type]
    replace_index(shelf, tmp_path)
    after = shelf.choice
    expected = ActivationIndex.open(shelf.index_path)
    assert index_answers.top_of(after, *question) == expected.top(LAYER, old.unit.channel) != top
    assert index_answers.maps_of(after, LAYER, None).equals(expected.maps(LAYER))
    assert not expected.maps(LAYER).equals(maps)
    assert index_answers.correlations_of(after, LAYER).equals(expected.correlations(LAYER))
    assert not expected.correlations(LAYER).equals(similar)
    found = index_answers.peaks_of(after, old.unit)["value"].tolist()
    assert found == sorted(expected.peaks(LAYER, old.unit.channel)["value"]) != peaks
    assert index_answers.settled_answers().get(index_answers.question(after, *question)) is None


def test_a_manifest_written_over_within_a_tick(shelf: Shelf) -> None:
    path = shelf.index_path / "manifest.json"
    before, status = resources.index_stamp(shelf.index_path), path.stat()
    content = path.read_bytes()
    other = content.replace(b'"complete": true', b'"complete":false')
    assert len(other) == len(content)
    path.write_bytes(other)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert resources.index_stamp(shelf.index_path) != before


def test_a_block_more(shelf: Shelf) -> None:
    folder = shelf.index_path / "blocks"
    before, status = resources.index_stamp(shelf.index_path), folder.stat()
    (folder / "000007.parquet").write_bytes(b"")
    os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert resources.index_stamp(shelf.index_path) != before


def test_file_hash(shelf: Shelf) -> None:
    assert resources.unchanged(shelf.choice, ["a.bmp", NAME])
    replace_picture(shelf)
    assert resources.unchanged(shelf.choice, ["a.bmp"])
    assert not resources.unchanged(shelf.choice, ["a.bmp", NAME])
    (shelf.dataset.root / "a.bmp").unlink()
    assert not resources.unchanged(shelf.choice, ["a.bmp"])


def test_uploaded_image(home: Home) -> None:
    contents = [_bmp(OLD[:, :100]), _bmp(NEW[:, :100])]
    seen = [
        resources.uploaded_image(str(number), ".png", resize, "type", content).read(0)
        for resize in ("stretch", "crop")
        for number, content in enumerate(contents)
    ]
    assert len({pixels.tobytes() for pixels in seen}) == 4
    dark = io.BytesIO()
    Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64)).save(dark, "PNG")
    brightest = [
        resources.uploaded_image("2", ".png", "stretch", values, dark.getvalue()).read(0).max()
        for values in ("type", "file")
    ]
    assert brightest == [16, 255]


def test_is_srgb() -> None:
    """Another profile, or the same for another kind of picture, is looked at anew."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    flat = Image.new("RGB", (4, 4), (200, 100, 50))
    for _ in range(2):
        assert to_srgb(flat, srgb).getpixel((0, 0)) == (200, 100, 50)
        assert to_srgb(flat, P3).getpixel((0, 0)) == (215, 93, 31)


def _bmp(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "BMP")
    return stream.getvalue()


def looked_at(home: Home, folder: Path) -> AppTest:
    """Start, while a folder stands in its field."""
    app = AppTest.from_file(str(APP), default_timeout=240)
    for name, text in home.names.items():
        app.query_params[name] = text
    app.run()
    app.text_input(key="folder_path").input(str(folder)).run()
    assert not app.exception, app.exception
    return app


def nearness(jpeg: bytes, pixels: np.ndarray) -> float:
    """How far a thumbnail is from a picture, in levels."""
    small = Image.fromarray(pixels).resize((128, 128), Image.Resampling.BILINEAR)
    shown = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), float)
    return float(np.abs(shown - np.asarray(small, float)).mean())


def test_previews(home: Home, tmp_path: Path) -> None:
    for name, pixels in (("a.bmp", drawings.flat(9, 9, 9)), (NAME, OLD)):
        write(tmp_path / "looked at" / name, pixels)
    app = looked_at(home, tmp_path / "looked at")
    for pixels, other in ((OLD, NEW), (NEW, OLD)):
        write(tmp_path / "looked at" / NAME, pixels)
        app.run()
        newest = list(app.session_state["previews"].values())[-1]
        (jpeg,) = [thumb.jpeg for thumb in newest.thumbnails if thumb.image_id == NAME]
        assert nearness(jpeg, pixels) < nearness(jpeg, other)


def test_found_copies_and_hashes(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_FRESH", "_PATIENCE"):  # it may be some seconds old otherwise
        monkeypatch.setattr(f"deconv_dashboard.start.found_copies.{name}", 0.0)
    folder = tmp_path / "copies"
    for name, pixels in (("a.bmp", OLD), (NAME, OLD), ("c.bmp", NEW)):
        write(folder / name, pixels)
    app = looked_at(home, folder)
    assert "a.bmp = b.bmp" in words(app)
    write(folder / NAME, NEW)
    time.sleep(0.1)  # what is written just now is not kept by its state
    app.run()
    newest = list(app.session_state["found_copies"].values())[-1]
    assert newest.found.groups == ((NAME, "c.bmp"),)
    hashes = app.session_state["file_hashes"]
    for name in ("a.bmp", NAME, "c.bmp"):
        content = (folder / name).read_bytes()
        assert hashes[FileState.of(folder / name)] == hashlib.sha256(content).hexdigest()


def test_upload_passed_over(home: Home) -> None:
    """Another upload of the same name tells what it left out itself, and only while it is shown."""
    app = AppTest.from_file(str(APP), default_timeout=240)
    app.run()
    app.segmented_control(key="source").set_value("upload").run()
    told = []
    for left_out in ("first.txt", "second.txt"):
        files = [("zoo/a.bmp", _bmp(OLD), ""), (f"zoo/{left_out}", b"text", "")]
        app.file_uploader[0].set_value(files).run()
        app.button(key="use_upload").click().run()
        assert not app.exception, app.exception
        told.append(app.session_state["upload_passed_over"])
    assert [[name for name, _ in rows] for _, rows in told] == [
        ["zoo/first.txt"],
        ["zoo/second.txt"],
    ]
    assert told[0][0] != told[1][0]
    assert "1 file of the upload left out" in [one.label for one in app.expander]
    app.selectbox(key=key_now(app, "pick_dataset")).set_value(home.dataset.dataset_id).run()
    assert "1 file of the upload left out" not in [one.label for one in app.expander]


def test_said_by(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    plan = IndexFolder.read_plan
    monkeypatch.setattr(IndexFolder, "read_plan", lambda self: (read.append(1), plan(self))[1])
    time.sleep(0.1)  # files that have only just changed are not trusted
    manifest = home.index_path / "manifest.json"
    whole = manifest.read_bytes()

    def said() -> str:
        return scan_state(home.registry, home.index_path).status

    assert [said(), said(), said()] == ["done"] * 3
    assert len(read) == 1
    manifest.write_bytes(whole.replace(b'"complete": true', b'"complete": null'))
    assert said() == "failed"
    manifest.write_bytes(whole)
    assert said() == "done"
    (home.index_path / "images.parquet").unlink()
    assert said() == "failed"


def test_job_silence() -> None:
    """A job that is started again is a new job; the last report of the first one does not count."""
    now = [0.0]
    silence = Silence(lambda: now[0])
    first = JobState("running", "scan", "scan a-b", "1")
    assert silence.of(first) == 0
    now[0] = 40.0
    assert silence.of(first) == 40
    assert silence.of(replace(first, job_id="2")) == 0


def test_opening(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in demo.opening_files():
        shutil.copy2(file, tmp_path)
    monkeypatch.setattr(demo, "_HERE", tmp_path)
    first = resources.opening()
    assert first is not None
    numbers, status = tmp_path / "opening.json", (tmp_path / "opening.json").stat()
    content = json.loads(numbers.read_text("utf-8"))
    numbers.write_text(json.dumps({**content, "caption": first.caption.upper()}), "utf-8")
    os.utime(numbers, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = resources.opening()
    assert second is not None
    assert second.caption == first.caption.upper()


def test_reconstruction_cache(shelf: Shelf) -> None:
    assert np.array_equal(resources.image_of(shelf.choice, NAME).pixels, OLD)
    assert np.array_equal(resources.scanned_image(shelf.choice, NAME).pixels, OLD)
    replace_picture(shelf)
    assert np.array_equal(resources.image_of(shelf.choice, NAME).pixels, NEW)
    with pytest.raises(ImageChangedError):
        resources.scanned_image(shelf.choice, NAME)


def test_picture_store_and_tiles(shelf: Shelf, network: Network) -> None:
    folder, unit = ImageFolder(shelf.dataset.root), Unit("conv1_1", 0)
    found = []
    for pixels in (OLD, NEW):
        write(shelf.dataset.root / NAME, pixels)
        value = float(maps_of(network, pixels, "conv1_1")[0].max())
        where = np.unravel_index(maps_of(network, pixels, "conv1_1")[0].argmax(), (224, 224))
        asked = Activation(unit, NAME, int(where[0]), int(where[1]), value)
        made = pictures.watched_in(network, folder, [asked], "here", 100)
        tile = drawn.tile_png(made.found[1], made.keys[1], "patch", ("percentile", 0.0, 99.0))
        box = made.found[1].box
        assert np.array_equal(
            made.found[1].patch, pixels[box.top : box.bottom, box.left : box.right]
        )
        found.append((made, tile))
    (first, _), (second, _) = found
    assert first.keys[1].image != second.keys[1].image


def test_kept_pictures(shelf: Shelf, tmp_path: Path) -> None:
    def shown() -> list[bytes]:
        pictures.LATER.wait()
        resources.picture_store.clear()  # type: ignore[attr-defined]
        top = ActivationIndex.open(shelf.index_path).top("conv1_1", 0)
        return [one.patch.tobytes() for one in pictures.watched(shelf.choice, top, "here", 100).all]

    first = shown()
    assert shown() == first
    replace_picture(shelf)
    assert len(shown()) == len(first) - 1
    replace_index(shelf, tmp_path)
    assert shown() != first


def test_occlusions(shelf: Shelf, open_page: OpenPage) -> None:
    asked = {**shelf.names, "image": NAME, "layer": "conv1_1", "map": "0", "position": "9,9"}
    app = open_page("image", **asked)
    app.selectbox(key="occlusion_stride_224").set_value(32).run()
    app.button(key="occlude").click().run()

    def is_kept(**other: str) -> bool:
        opened = open_page("image", **{**asked, **other})
        opened.selectbox(key="occlusion_stride_224").set_value(32).run()
        return "occlude" not in [button.key for button in opened.button]

    assert is_kept()
    for other in ({"map": "1"}, {"position": "90,9"}, {"image": "a.bmp"}):
        assert not is_kept(**other)
    replace_picture(shelf)
    assert not is_kept()


def test_notes(shelf: Shelf) -> None:
    store, unit = NotesStore(shelf.registry.home, "0" * 16), Unit(LAYER, 0)
    for name in ("", "first", "other"):
        seen = resources.notes_of(store.home, store.fingerprint).get(unit, UnitNote(unit))
        assert seen.name == name
        store.save(seen, replace(seen, name="other" if name else "first"))


def test_a_picture_of_the_index_is_not_made_from_another_image(shelf: Shelf) -> None:
    best = shelf.best()
    before = pictures.watched(shelf.choice, [best], "here", 100)
    assert list(before.found) == [1]
    replace_picture(shelf)
    after = pictures.watched(shelf.choice, [best], "here", 100)
    assert not after.found
    assert isinstance(after.missing[1], ImageChangedError)
    write(shelf.dataset.root / NAME, OLD)  # it is back
    assert list(pictures.watched(shelf.choice, [best], "here", 100).found) == [1]


def test_planes_strongest_thumbnails_and_overlays(
    shelf: Shelf, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pixels in (OLD, NEW):
        write(shelf.dataset.root / NAME, pixels)
        seen = resources.image_of(shelf.choice, NAME)
        planes = pictures.planes(network, seen, LAYER)
        np.testing.assert_array_equal(planes, maps_of(network, pixels))
        table = pictures.strongest_by_layer(network, seen).set_index("layer")
        assert table.loc[LAYER, "value"] == pytest.approx(float(planes.max()), rel=1e-5)
        small = Image.fromarray(pixels).resize((96, 96), Image.Resampling.LANCZOS)
        assert same(drawn.thumbnail(shelf.choice, NAME), np.asarray(small))
        field = network.layers[LAYER].receptive_field.size
        middle = Activation(Unit(LAYER, 0), NAME, 14, 14, 1.0)
        box = network.layers[LAYER].box(14, 14)
        cut = pixels[box.top : box.bottom, box.left : box.right]
        monkeypatch.setattr(resources, "scanned_image", resources.image_of)
        assert cut.shape == (field, field, 3)
        assert same(drawn.patch_png(shelf.choice, middle), cut)
        levels, white = small_planes(planes)
        shown, shown_white = drawn.plane_pngs(planes, (network.fingerprint, seen.content, LAYER))
        assert shown_white == white
        for small_png, level in zip(shown, levels, strict=True):
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(small_png))), level)
        over = plane_over(seen.pixels, planes[0], network.layers[LAYER])
        assert same(
            drawn.overlay_png(seen.pixels, planes[0], network.layers[LAYER]), np.asarray(over)
        )


def test_planes_of_two_ways_of_reading_one_file(shelf: Shelf, network: Network) -> None:
    Image.fromarray(OLD[:, :90].copy()).save(shelf.dataset.root / "narrow.png")
    for resize in ("stretch", "crop", "stretch"):
        folder = ImageFolder(shelf.dataset.root, resize=resize)
        position = folder.position("narrow.png")
        seen = resources.reconstruction_cache().image(folder, position)
        np.testing.assert_array_equal(
            pictures.planes(network, seen, LAYER), maps_of(network, folder.read(position))
        )


# --- on the pages --------------------------------------------------------------------------------


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the last page gave the browser to draw: key -> data of the component."""
    given: dict[str, Any] = {}

    def draw(*, key: str, data: Any, **_: object) -> object:
        given[key] = data
        return object()

    monkeypatch.setattr("deconv_dashboard.gallery.tiles._tiles", draw)
    return given


def png(source: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


def shows(source: str, pixels: np.ndarray, window: Box) -> bool:
    """True if a tile is that window of a picture; what is beyond the border does not matter."""
    inside = window.clip(224, 224)
    top, left = inside.top - window.top, inside.left - window.left
    shown = png(source)[top : top + inside.height, left : left + inside.width]
    return np.array_equal(shown, pixels[inside.top : inside.bottom, inside.left : inside.right])


def of_image(data: Any, name: str) -> dict[str, Any]:
    """The patch tile of an image."""
    (found,) = [
        tile
        for panel in data["panels"]
        for tile in panel["tiles"]
        if tile["alt"].startswith("Image patch") and tile["alt"].endswith(f" {name}")
    ]
    return dict(found)


def test_the_image_page_shows_one_picture(
    shelf: Shelf, open_page: OpenPage, network: Network, tiles: dict[str, Any]
) -> None:
    for pixels in (OLD, NEW):
        write(shelf.dataset.root / NAME, pixels)
        app = open_page("image", **shelf.names, image=NAME, layer=LAYER)
        planes = maps_of(network, pixels)
        values = planes.reshape(len(planes), -1).max(axis=1)
        best = int(values.argmax())
        over = plane_over(pixels, planes[best], network.layers[LAYER])
        assert np.array_equal(png(tiles["image_picture"]["src"]), np.asarray(over))
        first = tiles["image_maps"]["panels"][0]["tiles"][0]
        assert first["value"] == str(best)
        row, column = np.unravel_index(planes[best].argmax(), planes[best].shape)
        box = network.layers[LAYER].receptive_field.box(int(row), int(column))
        assert shows(first["second"], pixels, box)
        table = app.dataframe[0].value.set_index("layer")
        assert table.loc[LAYER, "value"] == pytest.approx(float(values.max()), rel=1e-5)
        app.session_state["image_menu"] = True
        app.run()
        small = Image.fromarray(pixels).resize((192, 192), Image.Resampling.LANCZOS)
        thumbs = {t["value"]: t["src"] for t in tiles["image_thumbnails"]["panels"][0]["tiles"]}
        assert np.array_equal(png(thumbs[NAME]), np.asarray(small))


@pytest.mark.parametrize("page", ["layer", "feature_map"])
def test_pages_of_the_index_say_that_an_image_was_changed(
    shelf: Shelf, open_page: OpenPage, tiles: dict[str, Any], page: str, network: Network
) -> None:
    best = shelf.best()
    asked = {**shelf.names, "layer": LAYER, "map": str(best.unit.channel)}
    gallery = {"layer": "layer_top", "feature_map": "map_top"}[page]

    def opened() -> AppTest:
        app = open_page(page, **asked)
        asking = [button for button in app.button if button.key == "draw_sheet"]
        return asking[0].click().run() if asking else app

    opened()
    assert of_image(tiles[gallery], NAME)["src"]
    assert of_image(tiles[gallery], "a.bmp")["src"] if page == "layer" else True
    sheet = [
        tile["title"] for key in tiles if key.startswith("sheet_") for tile in _tiles(tiles[key])
    ]
    assert bool(sheet) == (page == "layer")
    assert not any("changed" in title for title in sheet)

    replace_picture(shelf)
    tiles.clear()
    app = opened()
    said = words(app) + " ".join(expander.label for expander in app.expander)
    assert "1 image missing, or changed since the scan" in said
    if gallery in tiles:
        tile = of_image(tiles[gallery], NAME)
        assert (tile["src"], tile["text"]) == ("", "image gone or changed")
    assert not {"fired_image", "fired_plane", "fired_reconstruction"} & set(tiles)
    if page == "layer":
        sheet = [
            t["title"] for key in tiles if key.startswith("sheet_") for t in _tiles(tiles[key])
        ]
        assert any("image gone or changed" in title for title in sheet)

    scan(network, ImageFolder(shelf.dataset.root), shelf.index_path, update=True)
    tiles.clear()
    app = open_page(page, **asked)
    assert "changed since the scan" not in words(app)
    found = ActivationIndex.open(shelf.index_path).top(
        LAYER, None if page == "layer" else best.unit.channel
    )
    for activation in found:
        tile = of_image(tiles[gallery], activation.image_id)
        box = network.layers[LAYER].receptive_field.box(activation.row, activation.column)
        pixels = NEW if activation.image_id == NAME else drawings.flat(9, 9, 9)
        assert shows(tile["src"], pixels, box)


def _tiles(data: Any) -> list[dict[str, Any]]:
    return [tile for panel in data["panels"] for tile in panel["tiles"]]


def test_a_download_holds_what_is_shown(shelf: Shelf) -> None:
    """There is no download of a picture that was changed."""
    best = shelf.best()
    replace_picture(shelf)
    shown = pictures.watched(shelf.choice, [best], "here", 100)
    assert not shown.all


def test_an_export_does_not_mix_two_pictures(shelf: Shelf, tmp_path: Path) -> None:
    best = shelf.best()
    replace_picture(shelf)
    left_out: dict[str, str] = {}
    how: dict[str, Any] = {"cancel": threading.Event(), "left_out": left_out}
    export(
        resources.network_of(shelf.choice),
        ImageFolder(shelf.dataset.root),
        ActivationIndex.open(shelf.index_path),
        Selection(units=(best.unit,), layers=(LAYER,)),
        tmp_path / "out.zip",
        **how,
    )
    assert list(left_out) == [NAME]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        told = json.loads(archive.read("manifest.json"))
    pictures = [one for chosen in told["maps"] for one in chosen["activations"] if "box" in one]
    assert pictures
    assert all(one["image_id"] != NAME for one in pictures)


def test_the_demos_first_answer_is_not_shown_over_other_pictures(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "images"
    shutil.copytree(demo.demo_images(), copied)
    monkeypatch.setattr("deconv_dashboard.data.registry.demo_images", lambda: copied)
    registry = home.registry
    dataset, network = registry.dataset("demo"), registry.network("demo")
    choice = Shelf(registry, dataset, network).choice
    stored = demo.demo_opening()
    answer = Answer(None, list(stored.activations))
    assert opening.opening_for(choice, stored.layer, answer) is not None
    first = copied / stored.activations[0].image_id
    shutil.copy(
        next(p for p in copied.rglob("*") if p.suffix == first.suffix and p != first), first
    )
    assert opening.opening_for(choice, stored.layer, answer) is None


def test_weights_that_were_replaced(
    shelf: Shelf, open_page: OpenPage, tmp_path: Path, tiles: dict[str, Any]
) -> None:
    """Pages of the index say so; the Image page, which needs no index, shows the weights of now."""
    copied = tmp_path / "mine.safetensors"
    save_features(narrow_network(), copied)
    network = shelf.registry.add_weights(copied)
    index_path = shelf.registry.index_path(shelf.dataset, network)
    shutil.copytree(shelf.index_path, index_path)
    names = {**shelf.names, "network": network.network_id}
    open_page("layer", **names, layer=LAYER)
    save_features(narrow_network(seed=5), copied)
    unseen = {**names, "layer": "conv2_2"}
    assert "with other weights" in words(open_page("layer", **unseen))
    open_page("image", **names, image=NAME, layer=LAYER)
    planes = maps_of(narrow_network(seed=5), OLD)
    best = int(planes.reshape(len(planes), -1).max(axis=1).argmax())
    expected = plane_over(OLD, planes[best], narrow_network(seed=5).layers[LAYER])
    assert np.array_equal(png(tiles["image_picture"]["src"]), np.asarray(expected))


ROWS: dict[str, Callable[..., None] | str] = {
    "_network": test_network,
    "_folder KeptFolder._images": test_images,
    "_index": test_index,
    "_top _maps _table": test_index,
    "_ranked _groups": test_index,
    "_image_ids": test_index,
    "_notes": test_notes,
    "settled_answers": test_index,
    "_file_hash": test_file_hash,
    "uploaded_image": test_uploaded_image,
    "_opening": test_opening,
    "picture_store": test_picture_store_and_tiles,
    "_kept_pictures": test_kept_pictures,
    "specificities": test_picture_store_and_tiles,
    "occlusions": test_occlusions,
    "reconstruction_cache": test_reconstruction_cache,
    "plane_store": test_planes_strongest_thumbnails_and_overlays,
    "strongest": test_planes_strongest_thumbnails_and_overlays,
    "turn warm_up prepared": "no content",
    "tile_png": test_picture_store_and_tiles,
    "_patch": test_planes_strongest_thumbnails_and_overlays,
    "_thumbnail": test_planes_strongest_thumbnails_and_overlays,
    "_overlay": test_planes_strongest_thumbnails_and_overlays,
    "plane_pngs": test_planes_strongest_thumbnails_and_overlays,
    "Store._kept": test_picture_store_and_tiles,
    "ReconstructionCache._kept": test_reconstruction_cache,
    "ReconstructionCache._work": "only tells how often; its key is that of the pixels",
    "ActivationIndex": test_index,
    "StoredPeaks._readable": test_index,
    "ImageFolder": test_images,
    "_children": "no content",
    "_said_by": test_said_by,
    "job_silence Silence._seen": test_job_silence,
    "_is_srgb": test_is_srgb,
    "font _has": "no content",
    "_cost _clash _script": "no content",
    "_all_folded": "no content",
    "classifiers": "no content",
    "_hints": "no content",
    "Network Graph": "no content",
    "previews": test_previews,
    "upload_passed_over": test_upload_passed_over,
    "found_copies": test_found_copies_and_hashes,
    "file_hashes": test_found_copies_and_hashes,
}


def test_every_row_has_its_test() -> None:
    text = str(resources.__doc__)
    table = text[text.index("===") : text.rindex("===")]
    rows = re.findall(r"^(\S.*?)  +\S", table, re.MULTILINE)
    assert {row for row in rows if not row.startswith(("of ", "kept", "---", "==="))} == set(ROWS)
    reasons = {one for one in ROWS.values() if isinstance(one, str)}
    assert reasons == {"no content", "only tells how often; its key is that of the pixels"}


def test_whatever_the_product_keeps_is_in_the_table() -> None:
    known = set(re.findall(r"\w+", str(resources.__doc__)))
    found = dict(_kept_by_the_product())
    assert {"_network", "tile_png", "labels", "previews", "_kept", "_seen"} <= set(found)
    known |= {"cache_data", "cache_resource"}
    said = re.compile(
        r"widget_key\(.*\)|pick_\w+|.*_(changes|drawn|error|trouble|blocked|question)|key|target_key"
        r"|maps_table.*"
    )
    unlisted = {name for name in found if name not in known and not said.fullmatch(name)}
    assert unlisted - _keys_of_widgets() == set()


def test_streamlit_keeps_nothing_elsewhere() -> None:
    for name, where in _kept_by_the_product():
        if name in ("cache_data", "cache_resource"):
            assert where in (
                "deconv_dashboard/server/resources.py",
                "deconv_dashboard/server/index_answers.py",
                "deconv_dashboard/server/drawn.py",
            )


def _keys_of_widgets() -> set[str]:
    """Every ``key=`` in the product; their values are what a person chose."""
    found = set()
    for path, tree in trees().items():
        constants = _constants(tree)
        for node in () if path.startswith("deconv_core/") else ast.walk(tree):
            for word in node.keywords if isinstance(node, ast.Call) else ():
                if word.arg == "key":
                    called = isinstance(word.value, ast.Call)  # key_showing(name, value)
                    name = ast.unparse(word.value.args[0] if called else word.value)
                    found.add(constants.get(name, name).removeprefix("f").strip("'\""))
    return found


def _constants(tree: ast.Module) -> dict[str, str]:
    return {
        ast.unparse(node.targets[0]): ast.unparse(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
    }


@functools.cache
def _kept_by_the_product() -> tuple[tuple[str, str], ...]:
    """(name, file) of decorated functions, of dicts that objects hold, and of session state."""
    return tuple(_things_kept())


def _things_kept() -> Iterator[tuple[str, str]]:
    for where, tree in trees().items():
        constants = _constants(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                said = " ".join(map(ast.unparse, node.decorator_list))
                if re.search(r"\bcache|cached_property", said):
                    yield node.name, where
                    yield from ((kind, where) for kind in re.findall(r"cache_\w+", said))
            elif (
                isinstance(node, ast.Assign | ast.AnnAssign)
                and node.value is not None
                and not where.startswith(("app", "pages"))  # theirs end with the run
            ):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    own = ast.unparse(target).startswith("self.")
                    held = own or node in tree.body
                    empty = re.fullmatch(
                        r"\{\}|\[\]|(OrderedDict|Counter|dict|defaultdict|set|LRUCache)\(.*\)",
                        ast.unparse(node.value),
                    )
                    if held and empty and not re.search("checkpoint|listing|from_module", where):
                        yield ast.unparse(target).removeprefix("self."), where
            if isinstance(node, ast.Subscript | ast.Call):
                of = node.value if isinstance(node, ast.Subscript) else node.func
                first = node.slice if isinstance(node, ast.Subscript) else [*node.args, None][0]
                if re.fullmatch(r"st\.session_state(\.(get|pop|setdefault))?", ast.unparse(of)):
                    name = ast.unparse(first) if first is not None else ""
                    yield constants.get(name, name).removeprefix("f").strip("'\""), where
