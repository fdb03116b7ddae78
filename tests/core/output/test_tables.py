"""Tables of activations and reconstructions."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.output.tables import activation_table, csv_file, table_csv
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.units import Activation, Unit, label_of
from tests.core import independent

MAP = Unit("conv1_1", 0)
COLUMNS = [
    *("rank", "image_id", "label", "layer", "channel", "row", "column", "value"),
    *("top", "left", "height", "width"),
]


def test_a_row_by_hand(network: Network) -> None:
    # conv3_4: stride 4, size 48, offset -22: rows 3 * 4 - 22 = -10 ... 38, columns 58 ... 106.
    found = activation_table(
        [Activation(Unit("conv3_4", 5), "dog/x/1.jpg", 3, 20, 2.5)], network.layers
    )
    assert list(found.columns) == COLUMNS
    assert found.loc[0].tolist() == [
        1,
        "dog/x/1.jpg",
        "dog",
        "conv3_4",
        5,
        3,
        20,
        2.5,
        0,
        58,
        38,
        48,
    ]


def test_reconstructions_and_their_activations_give_the_same_table(
    index: ActivationIndex, network: Network, images: ImageFolder
) -> None:
    top = index.top("conv4_2")
    made = reconstruct(network, images, top)
    pd.testing.assert_frame_equal(activation_table(made), activation_table(top, index.layers))
    for row, activation in zip(activation_table(made).itertuples(), top, strict=True):
        first, end, left, right = independent.window_of(
            "conv4_2", activation.row, activation.column
        )
        assert (row.top, row.left, row.height, row.width) == (
            first,
            left,
            end - first,
            right - left,
        )


def test_without_layers_the_boxes_are_missing(index: ActivationIndex) -> None:
    found = activation_table(index.top("conv1_1"))
    assert list(found.columns) == COLUMNS
    assert found[["top", "left", "height", "width"]].isna().all(axis=None)
    assert found["rank"].tolist() == list(range(1, 10))


def test_copies_are_counted_and_named() -> None:
    top = [Activation(Unit("conv1_1", 0), name, 0, 0, 1.0) for name in ("a.png", "b.png", "=c.png")]
    copies = {"a.png": ("=x.png", "b/a.png"), "=c.png": ("=d.png",)}
    found = activation_table(top, copies=copies)
    assert list(found.columns) == [*COLUMNS, "copies", "copy_ids"]
    assert found["copies"].tolist() == [2, 0, 1]
    assert found["copy_ids"].tolist() == ["=x.png; b/a.png", "", "=d.png"]
    again = list(csv.DictReader(io.StringIO(table_csv(found), newline="")))
    assert [row["copies"] for row in again] == ["2", "0", "1"]
    assert [row["copy_ids"] for row in again] == ["'=x.png; b/a.png", "", "'=d.png"]
    assert list(activation_table([], copies={}).columns) == [*COLUMNS, "copies", "copy_ids"]


def test_names_of_maps_are_a_column_if_there_are_any(index: ActivationIndex) -> None:
    top = index.top("conv3_1", channel=2)
    assert "name" not in activation_table(top, names={"conv3_1/1": "other"})
    assert set(activation_table(top, names={"conv3_1/2": "dogs"})["name"]) == {"dogs"}
    assert list(activation_table([], names={"conv3_1/2": "dogs"})) == list(activation_table([]))


def test_nothing_gives_a_table_with_the_same_columns() -> None:
    found = activation_table([])
    assert list(found.columns) == COLUMNS
    assert found.empty


def test_a_csv_gives_the_values_back(index: ActivationIndex) -> None:
    top = index.top("conv2_2")
    text = activation_table(top, index.layers).to_csv(index=False)
    again = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert again["image_id"].tolist() == [activation.image_id for activation in top]
    assert np.array_equal(
        again["value"].to_numpy(np.float32), np.array([a.value for a in top], np.float32)
    )


NAMES = ("=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "＝1", "'a", "''=1", "a=1", "a'b", "ü", "1")


def test_a_csv_holds_no_formula_and_gives_every_name_back() -> None:
    ids = [f"{folder}/{name}.jpg" for name in NAMES for folder in NAMES] + list(NAMES)
    activations = [Activation(Unit("conv1_1", 0), name, 0, 0, -1.5) for name in ids]
    text = table_csv(activation_table(activations))
    again = list(csv.DictReader(io.StringIO(text, newline="")))
    for column in ("image_id", "label"):
        assert not [row for row in again if row[column][:1] in tuple("=+-@\t\r＝")]
    assert [row["image_id"].removeprefix("'") for row in again] == ids
    assert [row["label"].removeprefix("'") for row in again] == [label_of(name) for name in ids]
    assert {row["value"] for row in again} == {"-1.5"}
    plain = [n for n, name in enumerate(ids) if name[0] in "aü1"]
    assert [again[n]["image_id"] for n in plain] == [ids[n] for n in plain]


DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # OWASP's list


@pytest.mark.parametrize("first", DANGEROUS)
def test_no_cell_begins_a_formula_whatever_separates_the_cells(first: str) -> None:
    names = [f"{first}1+1.jpg", f"a;{first}1+1.jpg", f"a,{first}1+1.jpg", f'a";{first}1.jpg', ";=1"]
    text = table_csv(pd.DataFrame({"rank": [1] * 5, "File": names, "value": [-1.5] * 5}))
    for separator in ",;":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            texts = [cell for cell in row if cell != "-1.5"]
            assert not [cell for cell in texts if cell.startswith(DANGEROUS)]
    again = pd.read_csv(io.StringIO(text))
    assert again["File"].tolist() == [
        f"'{first}1+1.jpg",
        f"a;'{first}1+1.jpg",
        f"a,{first}1+1.jpg",
        f"a\";'{first}1.jpg",
        ";'=1",
    ]
    assert again["value"].tolist() == [-1.5] * 5


def test_a_csv_file_begins_with_the_mark_that_excel_looks_for() -> None:
    names = ["é", "Zürich/ж", "α–×", "猫.jpg", "e\u0301"]
    content = csv_file(activation_table([Activation(MAP, name, 0, 0, 0.5) for name in names]))
    assert content[:3] == b"\xef\xbb\xbf"
    assert content[3:8] == b"rank,"
    assert content.count(b"\xef\xbb\xbf") == 1
    again = pd.read_csv(io.BytesIO(content))
    assert list(again.columns) == COLUMNS
    assert again["image_id"].tolist() == names
    assert again["rank"].tolist() == [1, 2, 3, 4, 5]
    assert next(csv.reader(io.StringIO(content.decode("utf-8-sig")))) == COLUMNS
