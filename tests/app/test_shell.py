"""The frame of every page: addresses, and corrections of wrong addresses."""

import re
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

import deconv_dashboard
from deconv_core import ImageFolder, Network, scan
from deconv_core.errors import CancelledError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.progress import ScanProgress
from tests.app.conftest import Home, OpenPage, address, words

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["layer", "feature_map", "image", "method"])
def test_every_page_opens_cold(open_page: OpenPage, page: str) -> None:
    app = open_page(page)
    assert "my drawings" in words(app)


@pytest.mark.parametrize("page", ["layer", "feature_map", "image"])
def test_without_an_index_the_page_says_what_to_do(
    open_page: OpenPage, home: Home, page: str
) -> None:
    shutil.rmtree(home.index_path)
    app = open_page(page)
    if page != "image":  # one image can be looked into without a scan
        assert "Nothing has been scanned yet" in words(app)
    assert "Not scanned yet" in words(app)


def test_without_an_index_other_networks_that_scanned_it_are_offered(
    open_page: OpenPage, home: Home
) -> None:
    app = open_page("layer", network="random")
    links = [link.proto.label for link in app.get("page_link")]
    assert any(label.startswith("Show the scan by ") for label in links)


@pytest.mark.parametrize(
    ("name", "text", "note"),
    [
        ("network", "zz", "no network “zz”"),
        ("dataset", "../etc", "no dataset “../etc”"),
    ],
)
def test_unknown_names_fall_back_with_a_note(
    open_page: OpenPage, name: str, text: str, note: str
) -> None:
    app = open_page("method", **{name: text})
    assert note in words(app)
    assert address(app)[name] == "demo"


@pytest.mark.parametrize(
    ("name", "text", "note", "corrected"),
    [
        ("layer", "conv9_9", "no layer “conv9_9”", "conv4_4"),
        ("map", "-3", "no feature map “-3”", "0"),
        ("map", "7.5", "no feature map “7.5”", "0"),
        ("map", "٣", "no feature map “٣”", "0"),
        ("map", "99999", "no feature map “99999”", "0"),
        ("label", "cat", "label “cat”", None),
        ("label2", "cat", "label “cat”", None),
        ("scale", "log", "no scale “log”", None),
        ("k", "0", "“0” pictures", None),
        ("k", "101", "“101” pictures", None),
        ("rank", "0", "no picture of rank “0”", None),
        ("rank", "1.3", "no picture of rank “1.3”", None),
    ],
)
def test_nonsense_in_the_address_falls_back_with_a_note(
    open_page: OpenPage, name: str, text: str, note: str, corrected: str | None
) -> None:
    app = open_page("feature_map", **{name: text})
    assert note in words(app)
    assert address(app).get(name) == corrected


def test_the_address_names_defaults_too(
    open_page: OpenPage, home: Home, index: ActivationIndex
) -> None:
    app = open_page("feature_map")
    strongest = str(index.top("conv4_4", k=1)[0].unit.channel)
    assert address(app) == {**home.names, "layer": "conv4_4", "map": strongest}


def test_an_unfinished_index_answers_and_says_so(
    open_page: OpenPage, home: Home, network: Network, images: ImageFolder
) -> None:
    shutil.rmtree(home.index_path)
    stop = threading.Event()

    def enough(state: ScanProgress) -> None:
        if state.done >= 6:
            stop.set()

    with suppress(CancelledError):
        scan(network, images, home.index_path, block_size=6, progress=enough, cancel=stop)
    app = open_page("layer")
    assert "Answers so far" in words(app)
    assert f"of {len(images)} images" in words(app)


def test_a_damaged_index_is_an_error_in_words(open_page: OpenPage, home: Home) -> None:
    (home.index_path / "manifest.json").write_text("{")
    app = open_page("layer")
    assert "The index cannot be read" in words(app)


def test_changing_the_label_changes_the_address(open_page: OpenPage) -> None:
    app = open_page("layer")
    app.selectbox(key="pick_label").select("people").run()
    assert address(app)["label"] == "people"
    app.selectbox(key="pick_label").select("").run()
    assert "label" not in address(app)


def test_changing_the_dataset_forgets_label_and_image(open_page: OpenPage, home: Home) -> None:
    app = open_page("layer", label="people")
    app.selectbox(key="pick_dataset").select("demo").run()
    assert address(app)["dataset"] == "demo"
    assert "label" not in address(app)


def test_a_damaged_block_is_an_error_in_words(open_page: OpenPage, home: Home) -> None:
    for file in home.index_path.rglob("*.parquet"):
        if file.name != "images.parquet":
            file.write_bytes(file.read_bytes()[:100])
    assert open_page("feature_map").error


def test_a_frame_needs_no_torch() -> None:
    """Importing what every page imports first must not load torch: the frame would wait for it."""
    program = (
        "import sys; from deconv_dashboard.frame import pickers, shell; "
        "from deconv_dashboard.gallery import answers, contact_sheet, downloads, tour, "
        "where_it_fired; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0


def test_no_style_asks_the_whole_page_what_is_in_it() -> None:
    """The browser would look through the page again whenever a file of an upload arrives."""
    styles = Path(deconv_dashboard.__file__).parent.rglob("*.css")
    asked = [
        anchor
        for style in styles
        for anchor in re.findall(r"([^\s,>+~{}]*):has\(", style.read_text("utf-8"))
    ]
    assert set(asked) <= {'[data-testid="stHeader"]'}
