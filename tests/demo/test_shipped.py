"""What ships in deconv_core/demo: pictures, weights, index and stories agree with one another."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from deconv_core import ActivationIndex, ImageFolder, Scale, load_network, reconstruct, scan
from deconv_core.demo import (
    Story,
    demo_classifier,
    demo_images,
    demo_index,
    demo_opening,
    demo_specificity,
    demo_stories,
    demo_weights,
    opening_files,
)
from deconv_core.output.rendering import tile
from deconv_core.specificity.layer_sample import measure_layers, sampled_pairs
from deconv_core.specificity.layer_table import incomplete_layers, read_layer_table
from demo.augment import normalised
from demo.drawing import LABELS
from demo.network import plain_features
from demo.opening import LAYER, SCALE
from demo.stories import LEAST_CROSSED_SCORE, LEAST_GAIN, LEAST_SCORE, SCORE_SEED, Set
from tests.thorough import THOROUGH


@pytest.fixture(scope="module")
def shipped() -> ActivationIndex:
    return ActivationIndex.open(demo_index())


def test_the_sample_set_is_rich_and_small() -> None:
    images = ImageFolder(demo_images())
    assert len(images) >= 240
    assert len(images.labels) >= 10
    assert {"people", "dog"} <= set(images.labels)
    assert sum(entry.path.stat().st_size for entry in images) <= 6_000_000
    assert demo_weights().stat().st_size <= 6_000_000


def test_the_index_covers_every_picture_and_names_no_place_outside(
    shipped: ActivationIndex,
) -> None:
    assert shipped.complete
    assert list(shipped.images["image_id"]) == [
        entry.image_id for entry in ImageFolder(demo_images())
    ]
    assert (shipped.images["error"] == "").all()
    assert shipped.image_root == demo_images()
    assert not Path(shipped.manifest.image_root).is_absolute()


def test_the_shipped_measurements_are_of_the_sampled_pictures(shipped: ActivationIndex) -> None:
    table = read_layer_table(demo_specificity(), shipped)
    assert incomplete_layers(table, shipped) == ()
    for layer, rows in table.groupby("layer"):
        chosen = sampled_pairs(shipped, layer)
        assert rows["channel"].tolist() == [found.unit.channel for found in chosen]
        assert rows["image_id"].tolist() == [found.image_id for found in chosen]
    # Measured again on this computer: sums are rounded in another order.
    found = ["conv2_1", "conv3_2"]
    again = measure_layers(
        load_network("demo"), ImageFolder(demo_images()), shipped, found, pairs=1
    )
    stored = table[table["layer"].isin(found)].drop_duplicates("layer")
    for column in ("spearman", "cosine", "random_networks", "edges", "left", "left_random"):
        assert again[column].tolist() == pytest.approx(stored[column].tolist(), abs=0.02)
    assert (again["beaten"].to_numpy() - stored["beaten"].to_numpy()).max() <= 1


def test_the_stored_index_is_what_a_fresh_scan_finds(
    shipped: ActivationIndex, tmp_path: Path
) -> None:
    for entry in list(ImageFolder(demo_images()))[::11]:
        target = tmp_path / "images" / entry.image_id
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(entry.path, target)
    fresh = scan(load_network("demo"), ImageFolder(tmp_path / "images"), tmp_path / "index")
    for layer in ("conv1_1", "conv2_2", "conv3_4", "conv4_4", "conv5_4"):
        for channel in range(0, fresh.layers[layer].channels, 5):
            stored = shipped.peaks(layer, channel).set_index("image_id")
            new = fresh.peaks(layer, channel).set_index("image_id")
            both = stored.loc[new.index]
            largest = max(float(stored["value"].max()), 1e-6)
            difference = np.abs(both["value"] - new["value"])
            assert (difference <= 1e-4 * np.maximum(both["value"], 1e-3 * largest)).all()
            moved = (both["row"] != new["row"]) | (both["column"] != new["column"])
            # Another processor may choose between places that tie within rounding, never often.
            assert moved.mean() <= 0.1


def test_the_network_is_vgg19_narrow() -> None:
    network = load_network("demo")
    assert network.architecture == "VGG19"
    assert [layer.name for layer in network.layers.values()][-2:] == ["conv5_4", "pool5"]


def test_the_opening_is_what_the_public_functions_give(shipped: ActivationIndex) -> None:
    opening, found = demo_opening(), shipped.top(LAYER)
    assert (opening.layer, opening.scale) == (LAYER, SCALE)
    assert list(opening.activations) == found
    pictures = reconstruct(load_network("demo"), ImageFolder(demo_images()), found)
    scale = Scale.named(SCALE, pictures)
    assert opening.caption == scale.caption
    for picture, drawn, patch in zip(
        pictures, opening.reconstructions, opening.patches, strict=True
    ):
        np.testing.assert_array_equal(pixels_of(patch), np.asarray(tile(picture, "patch", scale)))
        now = np.asarray(tile(picture, "reconstruction", scale)).astype(int)
        # Another processor may round a value to the next of the 256 greys.
        assert np.abs(pixels_of(drawn).astype(int) - now).max() <= 2


def test_the_opening_is_small() -> None:
    assert sum(file.stat().st_size for file in opening_files()) <= 300_000


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_stories_pick_out_parts_well_above_chance() -> None:
    stories = demo_stories()
    assert 6 <= len(stories) <= 10
    assert len({story.part.rpartition("/")[2] for story in stories}) >= 5
    assert sum(story.unit.layer.startswith("conv4") for story in stories) >= 2
    assert any(set(story.labels) == {"dog", "people"} for story in stories)
    for story in stories:
        least = LEAST_SCORE if len(story.labels) == 1 else LEAST_CROSSED_SCORE
        assert story.score >= least
        assert story.score >= LEAST_GAIN * story.chance


@pytest.mark.skipif(not THOROUGH, reason="draws 256 pictures: only in the thorough profile")
def test_a_story_scores_the_same_when_measured_again() -> None:
    story = next(s for s in demo_stories() if len(s.labels) == 1)
    check_again(story, None, LABELS)


def test_a_story_of_two_labels_scores_the_same_when_measured_again() -> None:
    story = next(s for s in demo_stories() if len(s.labels) == 2)
    check_again(story, story.labels[0], story.labels)


def check_again(story: Story, label: str | None, labels: Sequence[str]) -> None:
    layer, channel = story.unit.layer, story.unit.channel
    drawn = Set.drawn(load_network("demo"), 16, SCORE_SEED, (layer,), labels)
    again = drawn.score_of(layer, channel, story.part, label)
    assert again is not None
    assert again.score == pytest.approx(story.score, abs=2e-3)
    assert again.chance == pytest.approx(story.chance, abs=1e-5)


def test_the_classifier_knows_the_drawings() -> None:
    """Scores by torch's own layers; the drawings were never used to fit it."""
    head = load_network("demo").head
    assert head is not None
    assert head.classes == LABELS
    with safe_open(demo_classifier(), framework="pt") as file:
        weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
    features, images = plain_features(load_file(demo_weights())), ImageFolder(demo_images())
    right = 0
    for number in range(0, len(images), 4):
        with torch.inference_mode():
            maps = features(normalised(torch.from_numpy(images.read(number).copy())[None]))
        scores = maps.mean((2, 3)) @ weight.T + bias
        torch.testing.assert_close(head(maps), scores)
        right += LABELS[int(scores.argmax())] == images[number].label
    assert right >= 0.95 * len(images) / 4
