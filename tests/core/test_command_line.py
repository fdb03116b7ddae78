"""``python -m deconv_core scan``, ``top``, ``check``: files, columns, progress, exit codes."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from deconv_core.__main__ import main
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.sources import save_features
from tests.conftest import Popen, Run
from tests.core import drawings
from tests.core.networks import DEAD, narrow_network
from tests.core.weight_writers import features

ROOT = Path(__file__).parents[2]
PICTURES = {f"{'ab'[n % 2]}/{n}.png": drawings.noise(n, 3 + n) for n in range(10)}


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """``main`` takes over Ctrl-C; give it back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "narrow.safetensors"
    save_features(narrow_network(), path)
    return str(path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = drawings.save(tmp_path_factory.mktemp("photos"), PICTURES)
    (folder / "a/text.jpg").write_text("no picture")
    (folder / "b/notes.txt").write_text("not even named so")
    return folder


@pytest.fixture(scope="module")
def scanned(weights: str, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("made") / "index")
    kept = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    arguments = ["scan", str(photos), "--network", weights, "--index", path, "--progress", "none"]
    assert main([*arguments, "--block-size", "4"]) == 0
    signal.signal(signal.SIGINT, kept[0])
    signal.signal(signal.SIGTERM, kept[1])
    return path


def test_scan_tells_its_progress_as_json(
    weights: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "index"
    status = main(
        [
            *("scan", str(photos), "--network", weights, "--index", str(index)),
            *("--extensions", ".png,jpg", "--progress", "json", "--block-size", "3"),
        ]
    )
    assert status == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    *scans, end = lines
    assert {line["event"] for line in scans} == {"scan"}
    assert set(scans[0]) == {
        *("event", "done", "total", "found", "failed", "images_per_second", "seconds_left")
    }
    assert (scans[0]["done"], scans[0]["total"]) == (0, 11)
    assert (scans[-1]["done"], scans[-1]["failed"]) == (11, 1)
    assert end == {
        **{"event": "end", "complete": True, "images": 11, "failed": 1},
        **{"passed_over": {".txt": 1}, "message": "skipped: 1 .txt"},
    }
    assert ActivationIndex.open(index).complete


def test_scan_says_which_preprocessing_it_uses_and_asks_where_that_is_unclear(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, index = tmp_path / "vgg19-d01eb7cb.pth", str(tmp_path / "index")
    torch.save(features(), path)
    arguments = ["scan", str(photos), "--network", str(path), "--index", index]
    arguments += ["--progress", "none", "--label", "b"]
    assert main(arguments) == 1
    assert "--preprocessing caffe or torchvision" in capsys.readouterr().err
    assert not Path(index).exists()
    assert main([*arguments, "--preprocessing", "caffe"]) == 0
    said = capsys.readouterr().out
    told = "preprocessing: caffe (BGR, 0 to 255, mean subtracted), because "
    assert f"{told}it was chosen for these weights\n" in said
    assert ActivationIndex.open(index).manifest.preprocessing == "caffe"
    assert main(["top", index, "--layer", "conv1_2", "--out", str(tmp_path)]) == 0
    assert f"{told}the scan used it\n" in capsys.readouterr().out


def test_scan_ends_with_layers_in_which_many_maps_are_dead(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = features()
    state["features.10.weight"][:3], state["features.10.bias"][:3] = 0.0, -1.0  # conv3_1: 3 of 6
    state["features.10.bias"][3:] = 0.5
    torch.save(state, tmp_path / "mine.pth")
    arguments = ["scan", str(photos), "--network", str(tmp_path / "mine.pth"), "--label", "b"]
    assert main([*arguments, "--index", str(tmp_path / "index"), "--progress", "none"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert "of conv3_1 (3 of 6) never fire in the 5 images" in last
    assert "another preprocessing than torchvision" in last


def test_scan_says_what_was_not_read(
    weights: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a").symlink_to(photos / "a", target_is_directory=True)
    (tmp_path / "photos/bad\n.jpg").write_text("no picture")
    drawings.save(tmp_path / "photos", {"good.png": drawings.noise(1)})
    arguments = ["scan", str(tmp_path / "photos"), "--network", weights]
    assert main([*arguments, "--index", str(tmp_path / "index"), "--progress", "none"]) == 0
    said = capsys.readouterr().out
    assert "2 of 2 images are in" in said
    assert r"not read: 'bad\n.jpg': not a picture" in said
    assert "skipped: 'a': a link to a folder" in said


@pytest.fixture
def mixed(photos: Path, tmp_path: Path) -> Path:
    """One picture beside what phones, systems and people put into a folder."""
    folder = drawings.save(tmp_path / "mixed", {"dog/good.png": drawings.noise(1)})
    for name in (
        *("dog/1.HEIC", "dog/2.heic", "3.heic", "4.heic", "5.Heic", "clip.mov", "README"),
        *("dog/._good.png", ".DS_Store", ".ipynb_checkpoints/good.png"),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    (folder / "cat").symlink_to(photos / "a", target_is_directory=True)
    return folder


PASSED_OVER = (
    "skipped: 5 .heic, 1 without extension, 1 .mov, 3 hidden, 1 link to a folder "
    "(--follow-links follows links to folders; .heic cannot be read: convert them to JPEG or PNG)"
)


@pytest.mark.parametrize("progress", ["bar", "json", "none"])
def test_scan_says_in_one_line_what_was_passed_over(
    weights: str, mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], progress: str
) -> None:
    arguments = ["scan", str(mixed), "--network", weights, "--index", str(tmp_path / "index")]
    assert main([*arguments, "--progress", progress]) == 0
    said = capsys.readouterr().out
    if progress == "json":
        end = json.loads(said.splitlines()[-1])
        assert end["message"] == PASSED_OVER
        kinds = {"": 1, ".heic": 5, ".mov": 1, "hidden": 3, "link to a folder": 1}
        assert end["passed_over"] == kinds
        assert ActivationIndex.open(tmp_path / "index").manifest.passed_over == kinds
    else:
        assert PASSED_OVER in said.splitlines()


def test_links_are_followed_on_request_and_remembered(
    weights: str, mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = str(tmp_path / "index")
    arguments = ["scan", str(mixed), "--network", weights, "--index", index, "--progress", "none"]
    assert main([*arguments, "--follow-links"]) == 0
    assert "link to a folder" not in capsys.readouterr().out
    made = ActivationIndex.open(index)
    assert made.manifest.follow_links
    assert made.labels == {"cat": 5, "dog": 1}
    top = ["top", index, "--layer", "conv3_2", "--label", "cat", "--out", str(tmp_path / "out")]
    assert main(top) == 0
    assert "skipped: 5 .heic, 1 without extension, 1 .mov, 3 hidden (" in (capsys.readouterr().out)
    assert main(arguments) == 0  # as the index has it
    assert main([*arguments, "--update"]) == 0
    kept = ActivationIndex.open(index)
    assert kept.manifest.follow_links
    assert kept.labels == {"cat": 5, "dog": 1}
    assert main([*arguments, "--no-follow-links"]) == 1
    said = capsys.readouterr().err
    assert "6 removed" in said
    assert "links to folders: followed in the scan, not followed now" in said
    assert main([*arguments, "--no-follow-links", "--update"]) == 0
    left = ActivationIndex.open(index)
    assert (left.manifest.follow_links, len(left.images)) == (False, 1)


def test_a_rescan_reads_files_as_the_index_has_them(
    weights: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = str(tmp_path / "index")
    arguments = ["scan", str(photos), "--network", weights, "--index", index, "--progress", "none"]
    assert main([*arguments, "--resize", "crop", "--value-range", "file"]) == 0
    assert main([*arguments, "--update"]) == 0
    made = ActivationIndex.open(index).manifest
    assert (made.resize, made.value_range) == ("crop", "file")
    assert main([*arguments, "--resize", "stretch"]) == 1
    assert (
        "with resizing crop; now it is stretch; use the same resizing, or scan the images anew"
        in (capsys.readouterr().err)
    )


def test_without_any_image_the_error_says_what_was_passed_over(
    weights: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "linked").mkdir()
    for name in "ab":
        (tmp_path / "linked" / name).symlink_to(photos / name, target_is_directory=True)
    arguments = ["scan", str(tmp_path / "linked"), "--network", weights]
    assert main([*arguments, "--index", str(tmp_path / "index")]) == 1
    said = capsys.readouterr().err
    assert "skipped: 2 links to folders" in said
    assert "follow links to folders (follow_links=True, --follow-links)" in said


def test_a_label_that_no_image_has_is_said(
    weights: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["scan", str(photos), "--network", weights, "--progress", "none"]
    assert main([*arguments, "--index", str(tmp_path / "index"), "--labels", "b,dgo"]) == 0
    assert "no image has the label 'dgo'; used: 'b'" in capsys.readouterr().out


def test_scan_says_which_pictures_are_nearly_black(
    weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(7):
        values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
        Image.fromarray(values).save(tmp_path / f"photos/{number}.png")
    arguments = ["scan", str(tmp_path / "photos"), "--network", weights, "--progress", "none"]
    assert main([*arguments, "--index", str(tmp_path / "index")]) == 0
    said = capsys.readouterr().out.splitlines()
    notes = [line for line in said if "its values go from 0 to 4,095" in line]
    assert notes[0].startswith("note: '0.png': nearly black")
    assert len(notes) == 5
    assert any("7 images have" in line and "--value-range file" in line for line in said)
    stretched = [*arguments, "--index", str(tmp_path / "other"), "--value-range", "file"]
    assert main(stretched) == 0
    assert "nearly black" not in capsys.readouterr().out


def test_labels_and_resize_are_passed_on(weights: str, photos: Path, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    arguments = ["scan", str(photos), "--network", weights, "--index", index, "--progress", "none"]
    assert (
        main(
            [
                *arguments,
                "--labels",
                "b",
                "--resize",
                "crop",
                "--value-range",
                "file",
                "--precision",
                "float32",
            ]
        )
        == 0
    )
    made = ActivationIndex.open(index)
    assert made.labels == {"b": 5}
    assert (made.manifest.resize, made.manifest.value_range) == ("crop", "file")


def test_labels_one_by_one(weights: str, photos: Path, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    arguments = ["scan", str(photos), "--network", weights, "--index", index, "--progress", "none"]
    assert main([*arguments, "--label", "b", "--label", "no, such"]) == 0
    assert ActivationIndex.open(index).labels == {"b": 5}


def test_top_of_a_layer_draws_two_grids_and_a_table(
    scanned: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", scanned, "--layer", "conv2_2", "--out", str(tmp_path / "results")]) == 0
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [
        *("conv2_2.csv", "conv2_2_feat.png", "conv2_2_im.png")
    ]
    for name in ("conv2_2_feat.png", "conv2_2_im.png"):
        assert Image.open(tmp_path / "results" / name).size == (50, 50)
    assert (tmp_path / "results/conv2_2.csv").read_bytes()[:8] == b"\xef\xbb\xbfrank,"
    table = pd.read_csv(tmp_path / "results/conv2_2.csv")
    assert list(table.columns) == [
        *("rank", "image_id", "label", "layer", "channel", "row", "column", "value"),
        *("top", "left", "height", "width"),
        *("network", "weights", "preprocessing", "dataset", "resize", "rule", "program"),
    ]
    top = ActivationIndex.open(scanned).top("conv2_2")
    assert table["image_id"].tolist() == [activation.image_id for activation in top]
    assert table["channel"].tolist() == [activation.unit.channel for activation in top]
    assert "grey is 0; same colour scale in all tiles" in capsys.readouterr().out


def test_the_patch_grid_shows_the_patches(scanned: str, tmp_path: Path) -> None:
    assert main(["top", scanned, "--layer", "conv2_2", "--out", str(tmp_path)]) == 0
    grid = np.asarray(Image.open(tmp_path / "conv2_2_im.png"))
    for place, row in pd.read_csv(tmp_path / "conv2_2.csv").iterrows():
        if (row["height"], row["width"]) != (14, 14):
            continue
        top, left = 2 + place // 3 * 16, 2 + place % 3 * 16
        expected = PICTURES[row["image_id"]][row["top"] :, row["left"] :][:14, :14]
        assert np.array_equal(grid[top : top + 14, left : left + 14], expected)


def test_top_of_a_map_and_label_has_both_in_its_names(scanned: str, tmp_path: Path) -> None:
    arguments = ["top", scanned, "--layer", "conv3_4", "--channel", "5", "--label", "a"]
    assert main([*arguments, "--k", "4", "--tile-size", "60", "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"conv3_4_map5_a{ending}" for ending in (".csv", "_feat.png", "_im.png")
    ]
    assert Image.open(tmp_path / "conv3_4_map5_a_feat.png").size == (2 + 3 * 62, 2 + 2 * 62)
    table = pd.read_csv(tmp_path / "conv3_4_map5_a.csv")
    assert table["label"].tolist() == ["a"] * 4
    assert table["channel"].tolist() == [5] * 4


@pytest.mark.parametrize(
    ("scale", "said"),
    [("shared", "same colour scale"), ("tile", "its own scale"), ("99.5", "strongest 0.5 %")],
)
def test_scales(
    scanned: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], scale: str, said: str
) -> None:
    assert main(
        ["top", scanned, "--layer", "conv1_2", "--scale", scale, "--out", str(tmp_path)]
    ) == 0  # fmt: skip
    assert said in capsys.readouterr().out


def test_a_dead_map_is_said_and_nothing_is_drawn(
    scanned: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layer, channel = DEAD
    arguments = ["top", scanned, "--layer", layer, "--channel", str(channel)]
    assert main([*arguments, "--out", str(tmp_path / "results")]) == 0
    assert "nothing to draw" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()


def test_fewer_than_k_is_said(
    scanned: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", scanned, "--layer", "conv1_1", "--k", "50", "--out", str(tmp_path)]) == 0
    assert "it fires in 10 of 11 images" in capsys.readouterr().out


def test_copies_are_told_after_a_scan_and_count_once_or_each(
    weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawings.save(
        tmp_path / "photos",
        {name: drawings.noise(1, 9) for name in ("a/1.png", "b/1\n.png", "b/2.png", "c.png")}
        | {"a/3.png": drawings.noise(2, 5), "z.png": drawings.noise(2, 5)}
        | {"a/4.png": drawings.noise(3, 5)},
    )
    index = str(tmp_path / "index")
    arguments = ["scan", str(folder), "--network", weights, "--index", index, "--progress", "none"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert r"4 copies of 2 pictures: 'a/1.png' = 'b/1\n.png' = 'b/2.png' = …, 'a/3.png' =" in said
    arguments = ["top", index, "--layer", "conv1_1", "--k", "9", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert "it fires in 3 of 3 different images" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out/conv1_1.csv", keep_default_na=False).set_index("image_id")
    assert sorted(table.index) == ["a/1.png", "a/3.png", "a/4.png"]
    assert table["copies"].to_dict() == {"a/1.png": 3, "a/3.png": 1, "a/4.png": 0}
    assert table["copy_ids"]["a/1.png"] == "b/1\n.png; b/2.png; c.png"
    assert main([*arguments, "--copies"]) == 0
    assert "it fires in 7 of 7 images" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "out/conv1_1_copies.csv")) == 7
    assert len(pd.read_csv(tmp_path / "out/conv1_1.csv")) == 3


def test_moved_images_and_network_are_named(
    scanned: str, photos: Path, weights: str, tmp_path: Path
) -> None:

    moved, network = tmp_path / "moved", tmp_path / "moved.safetensors"
    shutil.copytree(photos, moved)
    shutil.copy(weights, network)
    arguments = ["top", scanned, "--layer", "pool2", "--out", str(tmp_path / "results")]
    assert main([*arguments, "--images", str(moved), "--network", str(network)]) == 0
    assert (tmp_path / "results/pool2_feat.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "conv9_1"], "'conv9_1' is not a layer"),
        (["--layer", "conv1_1", "--channel", "99"], "no feature map 99"),
        (["--layer", "conv1_1", "--label", "cat"], "no readable image has the label 'cat'"),
        (["--layer", "conv1_1", "--k", "0"], "k is 0"),
        (["--layer", "conv1_1", "--scale", "loud"], "the scale 'loud' is not known"),
        (["--layer", "conv1_1", "--scale", "101"], "percentile is 101"),
        (["--layer", "conv1_1", "--tile-size", "0"], "tile_size is 0"),
        (["--layer", "conv1_1", "--images", "/nowhere"], "is not a folder"),
        (["--layer", "conv1_1", "--network", "missing.pth"], "there is no weight file"),
        (["--layer", "conv1_1", "--network", "random"], "the index was made with other weights"),
    ],
)
def test_errors_of_top_end_with_1_and_one_line(
    scanned: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert main(["top", scanned, *arguments, "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tile-size", "1000000"], "tile_size is 1000000 pixels; choose 1 to 4096"),
        (["--tile-size", "-7"], "tile_size is -7 pixels; choose 1 to 4096"),
        (["--k", "-1"], "k is -1; give a whole number of at least 1"),
        (["--channel", "-1"], "no feature map -1"),
        (["--channel", "9" * 30], "no feature map 9"),
        (["--scale", "nan"], "the percentile is nan; give a number above 0"),
        (["--images", ""], "the path is empty"),
        (["--network", ""], "the path is empty"),
        (["--out", ""], "the path is empty"),
        (["--out", "a\0b"], "is not a folder or file; check the path"),
        (["--out", "\ud800"], "is not a folder or file; check the path"),
        (["--out", "FILE"], "is not a folder; choose another folder for the results"),
        (["--out", "FILE/results"], "is not a folder; choose another folder for the results"),
        (["--out", "PHOTOS"], "would be scanned too"),
        (["--out", "s3://bucket/results"], "is not a folder of this computer"),
    ],
)
def test_what_top_cannot_do_is_said_before_anything_is_made(
    scanned: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    given = [a.replace("FILE", str(file)).replace("PHOTOS", str(photos)) for a in arguments]
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "results")]
    before = sorted(photos.rglob("*"))
    assert main(["top", scanned, "--layer", "conv1_1", *out, *given]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [file]
    assert sorted(photos.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--block-size", "0"], "block_size is 0; give a whole number from 1 to 1,048,575"),
        (["--block-size", "-3"], "block_size is -3; give a whole number from 1"),
        (["--block-size", "1" + "0" * 20], "block_size is 1"),
        (["--extensions", ""], "cannot read files of type nothing; choose among"),
        (["--extensions", ".exe"], "cannot read files of type .exe; choose among"),
        (["--network", "no.pth"], "there is no weight file"),
        (["--index", ""], "the path is empty"),
        (["--index", "a\0b"], "is not a folder or file; check the path"),
        (["--index", "PHOTOS"], "in the place of the folder of images"),
        (["--index", "PHOTOS/index"], "in the folder of images"),
        (["--within", ""], "the path is empty"),
        (["--engine", "ray", "--workers", "0"], "workers is 0; give a whole number of at least 1"),
        (["--engine", "ray", "--cpus", "-1"], "cpus is -1; give a whole number of at least 1"),
        (["--engine", "ray", "--gpus", "3"], "gpus is 3; give a whole number from 0 to 1"),
    ],
)
def test_what_scan_cannot_do_is_said_and_nothing_is_left(
    weights: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    given = [argument.replace("PHOTOS", str(photos)) for argument in arguments]
    before = sorted(photos.rglob("*"))
    command = ["scan", str(photos), "--network", weights, "--index", str(tmp_path / "i"), *given]
    assert main([*command, "--progress", "none"]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert sorted(photos.rglob("*")) == before


def test_names_that_no_terminal_can_show_are_shown_in_another_way(
    run: Run, weights: str, photos: Path, tmp_path: Path
) -> None:
    """A folder whose name is not Unicode, as disks from elsewhere have it."""
    strange, index = os.fsencode(tmp_path) + b"/caf\xe9", os.fsencode(tmp_path / "index")
    shutil.copytree(os.fsencode(photos), strange)
    command = [sys.executable, "-m", "deconv_core"]
    scan = [*command, "scan", strange, "--network", weights, "--index"]
    done = run([*scan, index], cwd=ROOT, text=False)
    assert b"11 of 11 images are in" in done.stdout
    top = [*command, "top", index, "--layer", "conv1_1", "--out", strange + b"-results"]
    done = run(top, cwd=ROOT, text=False)
    assert b"caf\\udce9-results/conv1_1_feat.png" in done.stdout
    done = run([*scan, strange + b"2"], cwd=ROOT, text=False)
    assert done.returncode == 1
    assert b"is not valid Unicode; choose another folder" in done.stderr


def test_errors_of_scan_are_json_too(
    weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["scan", "--network", weights, "--index", str(tmp_path / "i"), "--progress", "json"]
    assert main([*arguments, str(tmp_path / "nowhere")]) == 1
    said = capsys.readouterr()
    (line,) = [json.loads(line) for line in said.out.splitlines()]
    assert line["event"] == "error"
    assert "is not a folder" in line["message"]
    assert main([*arguments, str(tmp_path)]) == 1
    assert "no images to scan" in capsys.readouterr().out


def test_an_index_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", str(tmp_path / "nothing"), "--layer", "conv1_1"]) == 1
    assert "there is no index at" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["dream"], ["top", "index"], ["scan", "photos"]])
def test_a_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others on Windows")
def test_an_interrupted_scan_ends_with_130_and_goes_on(
    popen: Popen, run: Run, weights: str, photos: Path, tmp_path: Path
) -> None:
    command = [
        *(sys.executable, "-m", "deconv_core", "scan", str(photos), "--network", weights),
        *("--index", str(tmp_path / "index"), "--block-size", "1", "--progress", "json"),
    ]
    child = popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if json.loads(line)["done"] >= 2:
            child.send_signal(signal.SIGINT)
            break
    rest = [json.loads(line) for line in child.stdout]
    assert child.wait(timeout=240) == 130
    assert rest[-1]["event"] == "end"
    assert rest[-1]["complete"] is False
    done = run(command, cwd=ROOT)
    assert done.returncode == 0
    first = json.loads(done.stdout.splitlines()[0])
    assert first["found"] >= 2
    assert ActivationIndex.open(tmp_path / "index").complete


def test_specificity_prints_a_table(
    weights: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = str(tmp_path / "index")
    arguments = ["scan", str(photos), "--network", weights, "--index", index, "--labels", "a"]
    assert main([*arguments, "--extensions", "png", "--progress", "none"]) == 0
    capsys.readouterr()
    layers = ["--layer", "conv1_2", "--layer", "conv3_1"]
    assert main(["specificity", index, *layers, "--pairs", "1"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert table["layer"].tolist() == ["conv1_2", "conv3_1"]
    assert table["beaten"][1] <= table["other_maps"][1]
    assert table[["spearman", "cosine", "edges"]].notna().all(axis=None)
    assert table["left"].isna().tolist() == [True, False], "5 × 5 pixels are too few"
    file = str(tmp_path / "layers.csv")
    assert main(["specificity", index, *layers, "--pairs", "1", "--out", file]) == 0
    assert capsys.readouterr().out == ""
    assert pd.read_csv(file)["spearman"].tolist() == table["spearman"].tolist()


def test_check_names_damage_and_repairs_it(
    weights: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, block = str(tmp_path / "index"), tmp_path / "index/blocks/000001.parquet"
    arguments = ["scan", str(photos), "--network", weights, "--index", index, "--labels", "a"]
    arguments += ["--extensions", "png", "--block-size", "2", "--progress", "none"]
    assert main(arguments) == 0
    capsys.readouterr()
    assert main(["check", index]) == 0
    assert f"no errors in {index}" in capsys.readouterr().out

    whole = block.read_bytes()
    block.write_bytes(whole[:-9])
    assert main(["check", index]) == 1
    said = capsys.readouterr().err
    assert f"error: block {block} is missing or damaged" in said
    assert f"{index}: files with errors: 1" in said
    assert block.read_bytes() == whole[:-9], "without --repair nothing is changed"

    assert main(["check", index, "--repair"]) == 0
    assert "no errors in" in capsys.readouterr().out
    assert block.read_bytes() == whole


def test_check_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 1
    assert "there is no index at" in capsys.readouterr().err


def test_check_cannot_repair_a_lost_manifest_and_says_what_can(
    weights: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "index"
    arguments = ["scan", str(photos), "--network", weights, "--index", str(index)]
    assert main([*arguments, "--progress", "none"]) == 0
    (index / "manifest.json").unlink()
    assert main(["check", str(index), "--repair"]) == 1
    assert "scan the same images with the same network" in capsys.readouterr().err
    assert main([*arguments, "--progress", "none"]) == 0
    assert main(["check", str(index)]) == 0


def test_folders_and_files_may_be_given_as_file_addresses(
    weights: str, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "with blanks").symlink_to(photos, target_is_directory=True)
    index, folder = tmp_path / "an index", (tmp_path / "with blanks").as_uri()
    assert "%20" in folder
    arguments = ["scan", folder, "--network", Path(weights).as_uri(), "--progress", "none"]
    assert main([*arguments, "--index", index.as_uri()]) == 0
    made = ActivationIndex.open(index)
    assert made.image_root == tmp_path / "with blanks"
    assert made.total == 11
