"""A layer's sample: seeded pairs of living maps, each measured once, in a file that continues."""

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deconv_core.errors import CancelledError, DeconvError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.specificity.layer_sample import measure_layers, sampled_pairs
from deconv_core.specificity.layer_table import made_from, read_layer_table
from deconv_core.specificity.measurement import measure
from deconv_core.specificity.table import layer_specificities
from tests.core.networks import DEAD


def test_pairs_are_seeded_and_of_living_maps(index: ActivationIndex) -> None:
    layer, dead = DEAD
    chosen = sampled_pairs(index, layer)
    channels = [found.unit.channel for found in chosen]
    living = [n for n in range(index.layers[layer].channels) if index.top(layer, n)]
    assert dead not in channels
    assert sorted(channels) == living
    assert all(found in index.top(layer, found.unit.channel) for found in chosen)
    assert chosen == sampled_pairs(index, layer)
    assert chosen[:2] == sampled_pairs(index, layer, 2)


def test_each_pair_is_measured(
    network: Network, images: ImageFolder, index: ActivationIndex
) -> None:
    table = measure_layers(network, images, index, ["conv3_1"], pairs=2, others=3)
    chosen = sampled_pairs(index, "conv3_1", 2)
    assert table["channel"].tolist() == [found.unit.channel for found in chosen]
    assert table["image_id"].tolist() == [found.image_id for found in chosen]
    assert table["other_maps"].tolist() == [3, 3]
    for found, row in zip(chosen, table.to_dict("records"), strict=True):
        (picture,) = reconstruct(network, images, [found])
        pixels = images.decode(images.position(found.image_id)).pixels
        *_, one = measure(network, picture, pixels, others=3)
        assert one.deletion is not None
        assert row["spearman"] == np.median([other.spearman for other in one.other_maps])
        assert row["left"] == one.deletion.own[-1]
        assert row["beaten"] == one.deletion.beaten


def test_a_stopped_sample_continues_from_its_file(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    file, cancel = tmp_path / "layers.csv", threading.Event()
    asked = network, images, index, ["conv1_2", "conv2_2"]
    whole = measure_layers(*asked, pairs=2, others=2)

    def after_two(done: int, total: int) -> None:
        assert total == 4
        if done == 2:
            cancel.set()

    with pytest.raises(CancelledError, match="stopped after 2 of 4 pictures"):
        measure_layers(*asked, file, pairs=2, others=2, progress=after_two, cancel=cancel)
    kept = read_layer_table(file, index, made_from(index, 2))
    pd.testing.assert_frame_equal(kept, whole[:2], check_dtype=False)
    # A wrong number in the file tells whether its rows are used or made again.
    kept.loc[0, "spearman"] = 0.125
    kept.to_csv(file, index=False)
    ended = measure_layers(*asked, file, pairs=2, others=2)
    assert ended["spearman"].tolist() == [0.125, *whole["spearman"][1:]]
    again = read_layer_table(file, index, made_from(index, 2))
    assert again["spearman"].tolist() == ended["spearman"].tolist()


def test_rows_of_other_settings_and_changed_images_do_not_count(
    network: Network, images: ImageFolder, index: ActivationIndex, tmp_path: Path
) -> None:
    file = tmp_path / "layers.csv"
    table = measure_layers(network, images, index, ["conv1_2"], file, pairs=2, others=2)
    key = made_from(index, 2)
    assert len(read_layer_table(file, index, key)) == 2
    assert read_layer_table(file, index).empty, "15 other maps are another measurement"
    table.assign(content=["0" * 8, table["content"][1]]).to_csv(file, index=False)
    assert read_layer_table(file, index, key)["channel"].tolist() == [table["channel"][1]]
    file.write_bytes(b"\xff" * 40)
    assert read_layer_table(file, index, key).empty
    file.write_text("layer,channel\nconv1_2,1\n")
    assert read_layer_table(file, index, key).empty
    table.astype({"spearman": object}).assign(spearman="much").to_csv(file, index=False)
    assert read_layer_table(file, index, key).empty, "a text in the place of a number"
    assert read_layer_table(tmp_path / "none.csv", index, key).empty


def test_layers_are_summed_up() -> None:
    columns = ["layer", "spearman", "random_networks", "beaten", "other_maps", "left"]
    rows = [
        ("conv2_2", 0.5, 0.25, 10, 10, 0.5, 1.0),
        ("conv2_2", 0.7, 0.75, 4, 10, 0.25, 0.75),
        ("conv2_2", 0.9, 0.5, 1, 10, 0.0, 0.5),
        ("conv1_2", 0.1, 0.0, 3, 6, 0.5, 0.5),
    ]
    first, second = layer_specificities(pd.DataFrame(rows, columns=[*columns, "left_random"]))
    assert (first.layer, first.pictures, first.spearman) == ("conv2_2", 3, 0.7)
    assert (first.random_networks, first.left, first.left_random) == (0.5, 0.25, 0.75)
    assert first.beaten == pytest.approx(0.5)
    assert (second.layer, second.pictures, second.beaten) == ("conv1_2", 1, 0.5)


def test_an_unknown_layer_is_refused_before_anything_is_measured(
    network: Network, images: ImageFolder, index: ActivationIndex
) -> None:
    with pytest.raises(DeconvError, match="conv9_9"):
        measure_layers(network, images, index, ["conv1_2", "conv9_9"], pairs=1)
