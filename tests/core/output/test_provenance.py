"""What saved pictures and tables say they were made from."""

import io
from dataclasses import replace

import pandas as pd
from PIL import Image

from deconv_core import __version__
from deconv_core.output.provenance import Provenance

MADE = Provenance(
    network="VGG19 Ünïcode",
    fingerprint="ab12",
    preprocessing="torchvision",
    dataset="=photos",
    resize="crop",
    input_size=(32, 48),
    rule="guided",
)


def test_it_is_one_line_for_people() -> None:
    assert MADE.line == (
        "VGG19 Ünïcode · =photos, centre crop, 32 × 48 · guided backpropagation · "
        f"deconvnet-dashboard {__version__}"
    )


def test_a_png_says_it_in_its_metadata() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (2, 2)).save(stream, "PNG", pnginfo=MADE.png_info("conv1_1 · Hündchen"))
    said = Image.open(stream).info
    assert said["Title"] == "conv1_1 · Hündchen"
    assert said["Software"] == "deconvnet-dashboard"
    assert said["network"] == "VGG19 Ünïcode"
    assert (said["weights"], said["dataset"], said["resize"]) == ("ab12", "=photos", "crop")
    assert (said["preprocessing"], said["rule"]) == ("torchvision", "guided")
    assert said["program"] == f"deconvnet-dashboard {__version__}"


def test_a_png_made_from_two_networks_names_what_differs() -> None:
    stream = io.BytesIO()
    second = replace(MADE, network="random", fingerprint="cd34")
    Image.new("RGB", (2, 2)).save(stream, "PNG", pnginfo=MADE.png_info("both", second))
    said = Image.open(stream).info
    assert (said["network"], said["network 2"]) == ("VGG19 Ünïcode", "random")
    assert (said["weights"], said["weights 2"]) == ("ab12", "cd34")
    assert [name for name in said if name.endswith(" 2")] == ["network 2", "weights 2"]


def test_a_table_says_it_in_columns_and_keeps_its_own() -> None:
    table = MADE.in_table(pd.DataFrame({"image_id": ["a", "b"], "rule": ["gradient", "gradient"]}))
    assert table["network"].tolist() == ["VGG19 Ünïcode"] * 2
    assert table["rule"].tolist() == ["gradient"] * 2
    assert table.columns[:2].tolist() == ["image_id", "rule"]
