"""The measure behind the stories: average precision over places, on examples worked by hand."""

import numpy as np
import pytest
from PIL import Image

from demo.drawing import Drawing
from demo.selectivity import average_precision, part_cells, ranks, scores


def ap(values: list[float], positive: list[bool]) -> float:
    return average_precision(ranks(np.array(values, np.float32))[np.array(positive)])


def test_a_perfect_ranking_scores_one() -> None:
    assert ap([4, 3, 2, 1], [True, True, False, False]) == 1.0


def test_positives_at_places_two_and_four_score_a_half() -> None:
    # precision 1/2 at the first positive, 2/4 at the second
    assert ap([4, 3, 2, 1], [False, True, False, True]) == pytest.approx(0.5)


def test_equal_values_share_the_precision_of_their_group() -> None:
    # 3 alone: precision 1/1; the tied pair ends at place 3 with 2 found: 2/3
    assert ap([3, 2, 2, 1], [True, False, True, False]) == pytest.approx((1 + 2 / 3) / 2)


def test_a_map_that_knows_nothing_scores_the_chance_level() -> None:
    assert ap([1] * 10, [True, True] + [False] * 8) == pytest.approx(0.2)


def test_a_cell_counts_from_half_covered() -> None:
    mask = np.zeros((224, 224), bool)
    mask[0:4, 0:8] = True  # half of the first 8 x 8 cell
    mask[0:3, 8:16] = True  # less than half of the second
    cells = part_cells(mask, 28)
    assert cells[0, 0]
    assert cells.sum() == 1


def test_scores_of_a_layer_against_a_direct_count() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((224, 224), bool)
    mask[:64, :64] = True
    image = Image.new("RGB", (224, 224))
    drawings = [Drawing(image, "dog", {"eye": mask}), Drawing(image, "car", {})]
    maps = rng.normal(size=(2, 3, 14, 14)).astype(np.float32)
    found = {s.channel: s for s in scores("conv5_1", maps, drawings)}
    positive = np.zeros((2, 14, 14), bool)
    positive[0, :4, :4] = True
    for channel in range(3):
        pairs = sorted(zip(maps[:, channel].ravel(), positive.ravel(), strict=True), reverse=True)
        precisions, hits = [], 0
        for place, (_, hit) in enumerate(pairs, 1):
            hits += hit
            if hit:
                precisions.append(hits / place)
        assert found[channel].score == pytest.approx(np.mean(precisions))
        assert found[channel].chance == pytest.approx(16 / 392)


def test_a_label_limits_the_pictures() -> None:
    mask = np.ones((224, 224), bool)
    image = Image.new("RGB", (224, 224))
    drawings = [Drawing(image, "dog", {"eye": mask}), Drawing(image, "car", {"eye": ~mask})]
    maps = np.ones((2, 1, 14, 14), np.float32)
    (dog,) = scores("conv5_1", maps, drawings, "dog")
    assert dog.score == dog.chance == 1.0
