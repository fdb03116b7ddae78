"""Bands of the distribution on the Feature map page, and the row from strongest to weakest."""

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard import bands
from deconv_dashboard.gallery import spread_row, tiles
from tests.app.conftest import OpenPage, address, key_now, words

UNIT = "conv4_4", 3


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, tiles.Panel]:
    """The panels that a page draws in rows, by their headings."""
    found: dict[str, tiles.Panel] = {}
    plain = tiles.gallery

    def gallery(panels: list[tiles.Panel], *rest: object, **how: object) -> object:
        found.update({panel.heading: panel for panel in panels})
        return plain(panels, *rest, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(spread_row, "gallery", gallery)
    return found


@pytest.fixture
def ascending(index: ActivationIndex) -> pd.DataFrame:
    """Oracle: every image once by (peak, id), the smallest first."""
    copies = {image for group in index.equal_images for image in list(group)[1:]}
    peaks = index.peaks(*UNIT)
    peaks = peaks[~peaks["image_id"].isin(copies)]
    order = np.lexsort((peaks["image_id"], peaks["value"]))
    return peaks.iloc[order].reset_index(drop=True)


def open_unit(open_page: OpenPage, **asked: str) -> AppTest:
    return open_page("feature_map", layer=UNIT[0], map=str(UNIT[1]), **asked)


@pytest.mark.parametrize(("name", "low", "high"), [("75", 0.7, 0.8), ("25", 0.2, 0.3)])
def test_a_band_shows_images_of_its_ranks(
    name: str, low: float, high: float, open_page: OpenPage, ascending: pd.DataFrame
) -> None:
    app = open_unit(open_page, band=name)
    share = ascending.index.to_numpy() / len(ascending)
    part = ascending[(share >= low) & (share < high) & (ascending["value"] > 0)]
    if part.empty:
        assert not len(app.dataframe)
        return
    table = app.dataframe[0].value
    assert list(table["image_id"]) == list(part["image_id"])[::-1]
    assert list(table["rank_of_all"]) == [len(ascending) - rank for rank in part.index[::-1]]
    assert np.allclose(table["percentile"], part.index[::-1] / len(ascending))
    assert f"Percentiles {low * 100:g} to {high * 100:g} of the peaks" in words(app)


def test_the_weakest(open_page: OpenPage, ascending: pd.DataFrame) -> None:
    app = open_unit(open_page, band="weakest", k="3")
    firing = ascending[ascending["value"] > 0]
    assert list(app.dataframe[0].value["image_id"]) == list(firing["image_id"][:3])[::-1]


def test_a_bar_of_the_histogram(open_page: OpenPage, ascending: pd.DataFrame) -> None:
    least, below = ascending["value"].iloc[-3] * 0.999, ascending["value"].iloc[-1] * 0.999
    band = bands.bar(float(least), float(below))
    app = open_unit(open_page, band=band)
    first, _, last = band.partition("to")
    inside = (ascending["value"] >= float(first)) & (ascending["value"] < float(last))
    assert set(app.dataframe[0].value["image_id"]) == set(ascending["image_id"][inside])
    assert address(app)["band"] == band


def test_a_bar_of_shares_is_another_band_of_each_map(
    open_page: OpenPage, index: ActivationIndex
) -> None:
    band = bands.bar(0.5, 0.875, of_largest=True)
    app = open_unit(open_page, band=band, map2="conv5_2/3", k="100", copies="each")
    table = app.dataframe[0].value
    for layer, channel in (UNIT, ("conv5_2", 3)):
        peaks = index.peaks(layer, channel)
        share = peaks["value"] / peaks["value"].max()
        inside = peaks["image_id"][(share >= 0.5) & (share < 0.875)]
        assert len(inside)
        assert set(table["image_id"][table["layer"] == layer]) == set(inside)
    assert words(app).count("Peaks from 50 % to below 87.5 % of the largest one: ") == 2
    assert address(app)["band"] == band


def test_silent_images_are_shown_whole(
    open_page: OpenPage,
    index: ActivationIndex,
    drawn: dict[str, tiles.Panel],
) -> None:
    maps = index.maps("conv5_4")
    channel = int(maps[(maps["share"] < 1) & ~maps["dead"]]["channel"].iloc[0])
    app = open_page("feature_map", layer="conv5_4", map=str(channel), band="silent", k="25")
    peaks = index.peaks("conv5_4", channel)
    silent = set(peaks["image_id"][peaks["value"] <= 0])
    shown = {tile.value for tile in drawn["Images in which the map is silent"].tiles}
    assert shown
    assert shown <= silent
    assert "The map is silent in" in words(app)
    assert not len(app.dataframe)


def test_the_row_goes_from_the_strongest_to_the_weakest(
    open_page: OpenPage, ascending: pd.DataFrame, drawn: dict[str, tiles.Panel]
) -> None:
    app = open_unit(open_page)
    shown = [tile.value for tile in drawn["From strongest to weakest"].tiles]
    firing = ascending[ascending["value"] > 0]["image_id"].tolist()[::-1]
    assert shown[0] == firing[0]
    assert shown[-1] == firing[-1]
    places = [firing.index(image_id) for image_id in shown]
    steps = np.diff(places)
    assert len(shown) == min(9, len(firing))
    assert steps.min() >= 1
    assert steps.max() - steps.min() <= 1
    assert all(tile.png for tile in drawn["From strongest to weakest"].tiles)
    assert drawn["From strongest to weakest"].tiles[0].title.startswith("1 · ")
    assert f"of the {len(firing)} images in which the map fires" in words(app)


def test_the_choice_of_a_band_is_in_the_address(open_page: OpenPage) -> None:
    app = open_unit(open_page)
    app.button_group(key=key_now(app, "pick_band")).set_value("weakest").run()
    assert address(app)["band"] == "weakest"
    assert "in which the map fires weakest" in words(app)
    app.button(key="next_map").click().run()
    assert address(app)["band"] == "weakest"
    app.button_group(key=key_now(app, "pick_band")).set_value("top").run()
    assert "band" not in address(app)


@pytest.mark.parametrize("band", ["<b>", "1to", "to2", "nan to inf", "101", "1e99to2", "1to2min"])
def test_an_unknown_band_is_said(band: str, open_page: OpenPage) -> None:
    app = open_unit(open_page, band=band)
    assert any("There is no band" in warning.value for warning in app.warning)
    assert "band" not in address(app)


@pytest.mark.parametrize(("least", "below"), [(0.0, 0.5), (1e-7, 2e-7), (123456.0, 2e8), (3, 4)])
def test_the_name_of_a_bar_is_read_back(least: float, below: float) -> None:
    assert bands.known(bands.bar(least, below))
    assert bands.known(bands.bar(least, below, of_largest=True))
