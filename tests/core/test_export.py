import csv
import gc
import io
import json
import re
import threading
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from deconv_core import (
    ActivationIndex,
    DeconvError,
    ImageFolder,
    Network,
    Scale,
    Unit,
    compose_grid,
    load_network,
    reconstruct,
    scan,
)
from deconv_core.errors import CancelledError
from deconv_core.export import export
from deconv_core.output.export_page import PageSection, PageTile, section_html
from deconv_core.output.selection import Selection, parse_units, strongest_maps
from deconv_core.pictures import Reconstruction
from deconv_core.reconstruction import whole_image as image_passes
from deconv_core.specificity.measurement import measure
from tests.core import drawings, networks

MAP, LAYER = Unit("conv2_1", 3), "conv3_1"


@pytest.fixture(scope="module")
def archive(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    tmp_path_factory: pytest.TempPathFactory,
) -> zipfile.ZipFile:
    target = tmp_path_factory.mktemp("export") / "out.zip"
    export(network, images, index, Selection((MAP,), (LAYER,)), target, dataset="Drawn <b>")
    return zipfile.ZipFile(target)


def picture(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(archive.read(name))))


def test_grids_are_those_of_compose_grid(
    archive: zipfile.ZipFile, network: Network, images: ImageFolder, index: ActivationIndex
) -> None:
    pictures = reconstruct(network, images, index.top(MAP.layer, MAP.channel))
    for kind, name in (("reconstruction", "reconstructions"), ("patch", "patches")):
        expected = compose_grid(pictures, kind, scale=Scale.named("clipped", pictures))
        np.testing.assert_array_equal(
            picture(archive, f"conv2_1/map3/{name}.png"), np.asarray(expected)
        )


def test_every_tile_and_the_table(archive: zipfile.ZipFile, index: ActivationIndex) -> None:
    top = index.top(LAYER)
    rows = list(csv.DictReader(io.StringIO(archive.read("conv3_1/layer/table.csv").decode())))
    assert [row["image_id"] for row in rows] == [activation.image_id for activation in top]
    names = {n for n in archive.namelist() if n.startswith("conv3_1/layer/tiles/")}
    assert len(names) == 2 * len(top)
    assert picture(archive, "conv3_1/layer/tiles/1_patch.png").shape == (24, 24, 3)


def test_pictures_and_tables_say_what_they_were_made_from(
    archive: zipfile.ZipFile, network: Network
) -> None:
    row = next(csv.DictReader(io.StringIO(archive.read("conv2_1/map3/table.csv").decode())))
    assert (row["dataset"], row["resize"], row["rule"]) == ("Drawn <b>", "stretch", "deconvnet")
    for name in ("conv2_1/map3/reconstructions.png", "conv2_1/map3/tiles/1_patch.png"):
        said = Image.open(io.BytesIO(archive.read(name))).info
        assert (said["weights"], said["dataset"]) == (network.fingerprint, "Drawn <b>")


def test_manifest(archive: zipfile.ZipFile, network: Network, images: ImageFolder) -> None:
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["fingerprint"] == network.fingerprint
    assert manifest["images_scanned"] == len(images)
    assert manifest["scale"] == "clipped"
    assert [entry["folder"] for entry in manifest["maps"]] == ["conv2_1/map3", "conv3_1/layer"]
    assert manifest["maps"][0]["activations"][0]["value"] > 0


def test_it_says_which_preprocessing_was_used_and_why(tmp_path: Path) -> None:
    images = ImageFolder(drawings.save(tmp_path / "photos", {"a.png": drawings.noise(1)}))
    network = load_network("demo", "caffe-rgb")
    index = scan(network, images, tmp_path / "index")
    target = export(network, images, index, Selection((MAP,)), tmp_path / "out.zip")
    held = zipfile.ZipFile(target)
    manifest = json.loads(held.read("manifest.json"))
    assert manifest["preprocessing"] == "caffe-rgb"
    assert manifest["preprocessing_reason"] == "it was chosen for these weights"
    page = held.read("index.html").decode()
    assert "caffe-rgb, because it was chosen for these weights" in page
    assert "1 of 1 scanned, stretched to 224 × 224" in page
    assert manifest["program"] in page


def test_manifest_and_page_are_whole_although_written_piece_by_piece(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    units = tuple(Unit("conv4_1", channel) for channel in range(7))
    target = export(network, images, index, Selection(units, ("conv4_1",)), tmp_path / "out.zip")
    held = zipfile.ZipFile(target)
    text = held.read("manifest.json").decode()
    manifest = json.loads(text)
    assert text == json.dumps(manifest, indent=1)
    folders = ["conv4_1/layer", *(f"conv4_1/map{channel}" for channel in range(7))]
    assert [entry["folder"] for entry in manifest["maps"]] == folders
    page = held.read("index.html").decode()
    assert re.findall(r'<section id="([^"]+)"', page) == folders
    assert re.findall(r'<a href="#([^"]+)"', page) == folders
    assert page.count("<section") == page.count("</section>") == 8
    assert page.startswith("<!doctype html>\n<html")
    assert page.endswith("</section></main></body></html>\n")


def test_pictures_of_one_map_are_forgotten_before_the_next(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    counts: list[int] = []

    def count(*_: int) -> None:
        counts.append(sum(type(held) is Reconstruction for held in gc.get_objects()))

    units = tuple(Unit("conv2_2", channel) for channel in range(5))
    count()
    export(network, images, index, Selection(units, k=4), tmp_path / "out.zip", progress=count)
    assert len(counts) == 6
    assert set(counts) == {counts[0]}


def test_from_a_bfloat16_index_each_image_is_passed_once_for_all_maps(
    network: Network, images: ImageFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approximate = scan(network, images, tmp_path / "index", precision="bfloat16")
    passed: list[int] = []
    made = image_passes.pass_image
    monkeypatch.setattr(
        *(image_passes, "pass_image"),
        lambda *asked, **how: (passed.append(1), made(*asked, **how))[1],
    )
    units = tuple(Unit("conv2_1", channel) for channel in range(4))
    export(network, images, approximate, Selection(units, k=2), tmp_path / "out.zip")
    assert 0 < len(passed) <= len(images)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_one_that_fails_in_the_middle_leaves_nothing(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    tmp_path: Path,
    error: type[BaseException],
) -> None:
    def fail(*_: int) -> None:
        raise error("in the middle")

    with pytest.raises(error, match="in the middle"):
        export(network, images, index, Selection((MAP,)), tmp_path / "out.zip", progress=fail)
    assert list(tmp_path.iterdir()) == []


def test_no_path_of_this_computer_is_given_away(
    archive: zipfile.ZipFile, images: ImageFolder
) -> None:
    for name in ("manifest.json", "index.html"):
        assert str(images.root) not in archive.read(name).decode()


def test_page_links_only_to_what_is_there_and_runs_nothing(archive: zipfile.ZipFile) -> None:
    page = archive.read("index.html").decode()
    for place in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert place in archive.namelist()
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_page_writes_activations_in_four_digits() -> None:
    tiles = tuple(PageTile(1, "a.png", 3, value) for value in (13.0, 9.96, 1234.5, 0.25))
    page = section_html(PageSection("A map", "m", "", tiles, by_map=False))
    assert re.findall(r"[\d.]+(?=</span></li>)", page) == ["13.00", "9.960", "1234", "0.2500"]


def test_page_escapes_names(archive: zipfile.ZipFile) -> None:
    page = archive.read("index.html").decode()
    assert "Drawn &lt;b&gt;" in page
    assert "<b>" not in page


def test_a_file_name_that_is_html(network: Network, tmp_path: Path) -> None:
    folder = tmp_path / "evil"
    drawings.save(folder, {'<img src=x onerror=alert(1)>&".png': drawings.noise(1, 8)})
    images = ImageFolder(folder)
    index = scan(network, images, tmp_path / "index")
    target = export(network, images, index, Selection((MAP,)), tmp_path / "out.zip")
    page = zipfile.ZipFile(target).read("index.html").decode()
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;&quot;.png" in page


def test_a_name_turns_nothing_round_on_the_page(network: Network, tmp_path: Path) -> None:
    turning = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    drawings.save(tmp_path / "photos", {f"cat{turning}gpj.png": drawings.noise(1, 8)})
    images = ImageFolder(tmp_path / "photos")
    index = scan(network, images, tmp_path / "index")
    target = export(network, images, index, Selection((MAP,)), tmp_path / "o.zip", dataset=turning)
    page = zipfile.ZipFile(target).read("index.html").decode()
    assert not set(turning) & set(page)
    assert f"<bdi>cat{12 * chr(0xFFFD)}gpj.png</bdi>" in page
    manifest = json.loads(zipfile.ZipFile(target).read("manifest.json"))
    found = manifest["maps"][0]["activations"]
    assert {entry["image_id"] for entry in found} == {f"cat{turning}gpj.png"}


def test_names_of_maps_are_in_page_manifest_and_table(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    best = index.top(LAYER)[0].unit
    names = {str(MAP): "=1+1 <i>mouths</i> \u202e", str(best): "noses"}
    chosen = Selection((MAP,), (LAYER,), names=names)
    held = zipfile.ZipFile(export(network, images, index, chosen, tmp_path / "out.zip"))
    page = held.read("index.html").decode()
    assert "feature map 3 · =1+1 &lt;i&gt;mouths&lt;/i&gt; \N{REPLACEMENT CHARACTER}" in page
    assert f"map {best.channel} <bdi>noses</bdi>, " in page
    one, layer = (
        list(csv.DictReader(io.StringIO(held.read(f"{place}/table.csv").decode("utf-8-sig"))))
        for place in ("conv2_1/map3", "conv3_1/layer")
    )
    assert {row["name"] for row in one} == {"'=1+1 <i>mouths</i> \u202e"}
    assert [row["name"] for row in layer] == [
        "noses" if int(row["channel"]) == best.channel else "" for row in layer
    ]
    maps = {entry["channel"]: entry for entry in json.loads(held.read("manifest.json"))["maps"]}
    assert maps[3]["name"] == names[str(MAP)]
    assert "name" not in maps[None]
    assert maps[None]["activations"][0]["name"] == "noses"


def test_tables_have_the_mark_that_excel_looks_for(archive: zipfile.ZipFile) -> None:
    tables = [name for name in archive.namelist() if name.endswith("/table.csv")]
    assert len(tables) == 2
    assert all(archive.read(name)[:8] == b"\xef\xbb\xbfrank," for name in tables)
    labels = [name for name in archive.namelist() if name.endswith("/label_table.csv")]
    assert len(labels) == 2
    assert all(archive.read(name)[:11] == b"\xef\xbb\xbfchannel," for name in labels)


def test_label_tables_are_those_of_the_index(
    archive: zipfile.ZipFile, index: ActivationIndex
) -> None:
    for layer, channel in ((LAYER, None), (MAP.layer, MAP.channel)):
        expected = index.label_table(layer, channel)
        expected = expected[expected["precision_9"].notna()].reset_index(drop=True)
        found = pd.read_csv(archive.open(f"{layer}/label_table.csv"), keep_default_na=False)
        made = ["network", "weights", "preprocessing", "dataset", "resize", "rule", "program"]
        assert found.columns.tolist() == [*expected.columns, *made]
        assert found["label"].tolist() == expected["label"].tolist()
        np.testing.assert_allclose(found["auc"].astype(float), expected["auc"])


def test_a_label_table_has_the_chosen_maps_and_their_names(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    layer, dead = networks.DEAD
    units = tuple(Unit(layer, channel) for channel in range(index.layers[layer].channels))
    chosen = Selection(units, k=1, names={str(units[0]): "=mouths"}, single_tiles=False)
    held = zipfile.ZipFile(export(network, images, index, chosen, tmp_path / "out.zip"))
    table = pd.read_csv(held.open(f"{layer}/label_table.csv"), keep_default_na=False)
    maps = index.maps(layer)
    assert dead not in set(table["channel"])
    assert set(table["channel"]) == set(maps.loc[~maps["dead"], "channel"])
    assert set(table.loc[table["channel"] == 0, "name"]) == {"'=mouths"}
    assert set(table.loc[table["channel"] != 0, "name"]) == {""}


def test_images_of_one_label_need_no_label_table(network: Network, tmp_path: Path) -> None:
    images = ImageFolder(drawings.save(tmp_path / "photos", {"a.png": drawings.noise(1)}))
    index = scan(network, images, tmp_path / "index")
    held = zipfile.ZipFile(export(network, images, index, Selection((MAP,)), tmp_path / "o.zip"))
    assert not [name for name in held.namelist() if "label_table" in name]


def test_a_band_is_drawn_instead_of_the_top(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    chosen = Selection((MAP,), (LAYER,), k=3, band=(0.25, 0.75), single_tiles=False)
    held = zipfile.ZipFile(export(network, images, index, chosen, tmp_path / "out.zip"))
    manifest = json.loads(held.read("manifest.json"))
    assert manifest["band"] == [0.25, 0.75]
    one, layer = manifest["maps"]
    expected = index.sample(MAP.layer, MAP.channel, 0.25, 0.75, 3)
    assert [a["image_id"] for a in one["activations"]] == [a.image_id for a in expected]
    assert len(expected) == 3
    assert [a["image_id"] for a in layer["activations"]] == [
        a.image_id for a in index.top(LAYER, k=3)
    ]
    page = held.read("index.html").decode()
    assert "3 evenly spaced from 25 % to 75 % of the distribution over all images" in page


def test_specificity_is_measured_if_it_is_asked_for(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    wanted = Selection((Unit("conv3_1", 3),), k=2, specificity=True)
    target = export(network, images, index, wanted, tmp_path / "out.zip")
    with zipfile.ZipFile(target) as written:
        table = pd.read_csv(io.BytesIO(written.read("conv3_1/map3/specificity.csv")))
        assert json.loads(written.read("manifest.json"))["specificity_other_maps"] == 15
    top = index.top("conv3_1", 3, 2)
    assert table["image_id"].tolist() == [found.image_id for found in top]
    for picture, row in zip(
        reconstruct(network, images, top), table.to_dict("records"), strict=True
    ):
        pixels = images.decode(images.position(picture.activation.image_id)).pixels
        *_, one = measure(network, picture, pixels, others=15)
        assert one.deletion is not None
        median = float(np.median([other.spearman for other in one.other_maps]))
        assert row["spearman"] == pytest.approx(median, abs=1e-3)
        assert row["left"] == pytest.approx(one.deletion.own[-1], abs=1e-3)


def test_copies_are_told_in_manifest_table_and_page(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    wanted = Selection(layers=(LAYER,), k=20, single_tiles=False)
    opened = zipfile.ZipFile(export(network, images, index, wanted, tmp_path / "once.zip"))
    manifest = json.loads(opened.read("manifest.json"))
    assert (manifest["copies_in_all"], manifest["copies_counted"]) == (3, False)
    found = {a["image_id"]: a["copies"] for a in manifest["maps"][0]["activations"]}
    assert found["people/red again.png"] == ["people/red.png"]
    assert found["z.png"] == []
    assert len(found) == 17
    text = opened.read("conv3_1/layer/table.csv").decode("utf-8-sig")
    rows = {row["image_id"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows["dog/grey again.png"]["copies"] == "1"
    assert rows["dog/grey again.png"]["copy_ids"] == "dog/grey.png"
    page = opened.read("index.html").decode()
    assert page.count('<span title="dog/noise.png">and 1 copy</span>') == 1
    assert "top 20 over all images, copies counted once" in page
    wanted = Selection(layers=(LAYER,), k=20, single_tiles=False, copies=True)
    opened = zipfile.ZipFile(export(network, images, index, wanted, tmp_path / "each.zip"))
    manifest = json.loads(opened.read("manifest.json"))
    assert manifest["copies_counted"] is True
    assert len(manifest["maps"][0]["activations"]) == 20
    assert not any(a["copies"] for a in manifest["maps"][0]["activations"])
    assert "every copy counted" in opened.read("index.html").decode()


def test_the_same_export_is_the_same_bytes(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    first = export(network, images, index, Selection((MAP,)), tmp_path / "1.zip")
    second = export(network, images, index, Selection((MAP,)), tmp_path / "2.zip")
    assert first.read_bytes() == second.read_bytes()


def test_it_unpacks_into_one_folder(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    wanted, target = Selection((MAP,), k=2), tmp_path / "out.zip"
    flat = zipfile.ZipFile(export(network, images, index, wanted, tmp_path / "flat.zip"))
    for _ in range(2):  # the second time it replaces an export in a folder
        held = zipfile.ZipFile(export(network, images, index, wanted, target, folder="mine"))
        inside = {f"mine/{name}": flat.read(name) for name in flat.namelist()}
        assert {name: held.read(name) for name in held.namelist()} == inside


def test_maps_come_in_the_order_chosen(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    chosen = [("conv3_1", 2), ("conv1_1", 1), ("conv3_1", 0), ("conv1_1", 0), ("conv3_1", 2)]
    units = tuple(Unit(*one) for one in chosen)
    wanted = Selection(units, ("conv4_1", "conv3_1"), k=1, single_tiles=False)
    held = zipfile.ZipFile(export(network, images, index, wanted, tmp_path / "out.zip"))
    folders = ["conv3_1/layer", "conv3_1/map2", "conv1_1/map1", "conv3_1/map0", "conv1_1/map0"]
    folders += ["conv4_1/layer"]
    page = held.read("index.html").decode()
    assert re.findall(r'<section id="([^"]+)"', page) == folders
    assert re.findall(r'<a href="#([^"]+)"', page) == folders
    maps = json.loads(held.read("manifest.json"))["maps"]
    assert [entry["folder"] for entry in maps] == folders


def test_settings_are_obeyed(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    wanted = Selection((MAP,), k=2, label="dog", scale="99.5", tile_size=40, single_tiles=False)
    opened = zipfile.ZipFile(export(network, images, index, wanted, tmp_path / "out.zip"))
    assert picture(opened, "conv2_1/map3/patches.png").shape == (44, 128, 3)
    manifest = json.loads(opened.read("manifest.json"))
    found = manifest["maps"][0]["activations"]
    assert [entry["image_id"].split("/")[0] for entry in found] == ["dog", "dog"]
    assert not [name for name in opened.namelist() if "/tiles/" in name]


def test_a_dead_map_is_said_to_be_dead(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    dead = Unit(*networks.DEAD)
    opened = zipfile.ZipFile(
        export(network, images, index, Selection((dead,)), tmp_path / "out.zip")
    )
    assert sorted(opened.namelist()) == ["index.html", "manifest.json"]
    assert "No image activates this feature map" in opened.read("index.html").decode()


def test_progress_counts_maps_and_layers(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    wanted = Selection((MAP,), (LAYER,))
    export(
        network, images, index, wanted, tmp_path / "o.zip", progress=lambda *two: told.append(two)
    )
    assert told == [(1, 2), (2, 2)]


def test_cancelled_leaves_nothing(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    cancel = threading.Event()
    wanted = Selection((MAP,), (LAYER,))
    with pytest.raises(CancelledError):
        export(
            network,
            images,
            index,
            wanted,
            tmp_path / "out.zip",
            progress=lambda *_: cancel.set(),
            cancel=cancel,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Selection(), "nothing is chosen"),
        (Selection((Unit("conv9_9", 0),)), "conv9_9"),
        (Selection((Unit("conv2_1", 99),)), "99"),
        (Selection((MAP,), scale="loud"), "loud"),
        (Selection((MAP,), label="nobody"), "nobody"),
    ],
)
def test_what_cannot_be_exported(
    network: Network,
    images: ImageFolder,
    index: ActivationIndex,
    tmp_path: Path,
    wanted: Selection,
    words: str,
) -> None:
    with pytest.raises(DeconvError, match=words):
        export(network, images, index, wanted, tmp_path / "out.zip")
    assert list(tmp_path.iterdir()) == []


def test_an_export_replaces_an_export_and_nothing_else(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    chosen, target, folder = Selection((MAP,), k=1), tmp_path / "out.zip", tmp_path / "folder.zip"
    first = export(network, images, index, chosen, target).read_bytes()
    assert export(network, images, index, Selection((MAP,), k=2), target).read_bytes() != first
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "holiday.zip", "w") as mine:
        mine.writestr("manifest.json", '{"program": "my web app"}')
    (tmp_path / "notes.zip").write_text("mine")
    before = {path: path.is_dir() or path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("holiday.zip", "notes.zip", "folder.zip"):
        with pytest.raises(DeconvError, match=f"{name} exists already and is not an export"):
            export(network, images, index, chosen, tmp_path / name)
    assert {path: path.is_dir() or path.read_bytes() for path in tmp_path.iterdir()} == before


def test_strongest_maps_are_the_strongest(index: ActivationIndex) -> None:
    layer = networks.DEAD[0]
    maps = index.maps(layer).set_index("channel")["max"]
    strongest = [unit.channel for unit in strongest_maps(index, layer, 99)]
    assert list(maps[strongest]) == sorted(maps[maps > 0], reverse=True)
    assert networks.DEAD[1] not in strongest


def test_addresses_and_ranges(index: ActivationIndex) -> None:
    units = parse_units("conv2_1/3, pool1/0-2;\n conv2_1/3,", index.layers)
    assert [str(unit) for unit in units] == ["conv2_1/3", "pool1/0", "pool1/1", "pool1/2"]


@pytest.mark.parametrize("text", ["conv2_1", "conv2_1/99", "conv2_1/2-1", "conv9_9/1", "a/b"])
def test_addresses_that_are_none(index: ActivationIndex, text: str) -> None:
    with pytest.raises(DeconvError):
        parse_units(text, index.layers)
