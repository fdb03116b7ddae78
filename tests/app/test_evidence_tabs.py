"""The tabs Labels and Similar maps of the Feature map page."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.units import Unit
from deconv_dashboard.gallery import contact_sheet, similar_panel, tiles
from tests.app.conftest import OpenPage, words

LAYER, MAP = "conv4_4", 3


def test_labels_are_sorted_by_their_area(open_page: OpenPage, index: ActivationIndex) -> None:
    app = open_page("feature_map", layer=LAYER, map=str(MAP), tab="labels")
    table = app.dataframe[0].value
    assert set(table["label"]) == set(index.labels)
    assert list(table["auc"]) == sorted(table["auc"], reverse=True)
    copies = {image for group in index.equal_images for image in list(group)[1:]}
    peaks = index.peaks(LAYER, MAP)
    peaks = peaks[~peaks["image_id"].isin(copies)]
    for label, area in zip(table["label"], table["auc"], strict=True):
        assert area == pytest.approx(roc_auc_score(peaks["label"] == label, peaks["value"]))
    assert "Which labels it tells apart" in words(app)


def test_similar_maps_come_first_and_opposed_ones_apart(
    open_page: OpenPage, index: ActivationIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, dict[Unit, str]] = {}

    def map_tiles(choice: object, units: list[Unit], key: str, said: dict[Unit, str]) -> None:
        assert list(said) == units
        asked[key] = said

    monkeypatch.setattr(similar_panel, "map_tiles", map_tiles)
    open_page("feature_map", layer=LAYER, map=str(MAP), tab="similar")
    values = index.values(LAYER).values
    alive = np.flatnonzero(values.max(axis=1) > values.min(axis=1))
    found = {int(c): np.corrcoef(values[MAP], values[c])[0, 1] for c in alive if c != MAP}
    best = sorted(found, key=lambda c: -found[c])
    assert [unit.channel for unit in asked["similar"]] == best[:6]
    assert asked["similar"][Unit(LAYER, best[0])] == f"r = {found[best[0]]:.2f}".replace("-", "−")
    opposed = [c for c in best[::-1] if found[c] < 0][:6]
    assert [unit.channel for unit in asked.get("opposed", {})] == opposed


def test_tiles_of_similar_maps_link_to_them(
    open_page: OpenPage, index: ActivationIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tiles.Tile] = []
    plain = contact_sheet.gallery

    def gallery(panels: list[tiles.Panel], *rest: object, **how: object) -> object:
        drawn.extend(tile for panel in panels for tile in panel.tiles)
        return plain(panels, *rest, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(contact_sheet, "gallery", gallery)
    open_page("feature_map", layer=LAYER, map=str(MAP), tab="similar")
    best = index.similar(LAYER, MAP).iloc[0]
    assert drawn[0].value == f"{LAYER}/{int(best['channel'])}"
    assert f"map={int(best['channel'])}" in drawn[0].href
    assert "tab=similar" in drawn[0].href
    assert drawn[0].png


def test_a_dead_map_has_no_similar_ones(open_page: OpenPage, index: ActivationIndex) -> None:
    dead = next((n, maps) for n in index.layers if (maps := index.maps(n))["dead"].any())
    channel = int(dead[1][dead[1]["dead"]]["channel"].iloc[0])
    app = open_page("feature_map", layer=dead[0], map=str(channel), tab="similar")
    assert "no correlation can be computed" in words(app)
