"""What the indexes answered, kept for all sessions: each answer with the state of its index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.map_groups import MapGroups
from deconv_core.index.ranked_peaks import RankedPeaks
from deconv_core.units import Activation, Unit
from deconv_dashboard.server.locks import Store
from deconv_dashboard.server.resources import AS_TEXT
from deconv_dashboard.values import Choice

if TYPE_CHECKING:
    from deconv_core.exact import ExactTop


def question(
    choice: Choice, layer: str, channel: int | None, k: int, label: str | None
) -> tuple[Any, ...]:
    """Names one question to one state of one index."""
    return str(choice.index_path), choice.index_stamp, layer, channel, k, label, choice.copies


@st.cache_data(max_entries=512, show_spinner=False, hash_funcs=AS_TEXT)
def _top(_index: ActivationIndex, asked: tuple[Any, ...]) -> list[Activation]:
    layer, channel, k, label, copies = asked[-5:]
    return _index.top(layer, channel, k, label, copies=copies)


def top_of(
    choice: Choice, layer: str, channel: int | None, k: int, label: str | None
) -> list[Activation]:
    """``index.top``, kept."""
    return _top(_asked(choice), question(choice, layer, channel, k, label))


def _asked(choice: Choice) -> ActivationIndex:
    assert choice.index is not None, "pages ask only an index that is there"
    return choice.index


@st.cache_resource(show_spinner=False)
def settled_answers() -> Store[tuple[Any, ...], ExactTop]:
    """Answers of bfloat16 indexes that were checked in float32, shared by all sessions."""
    return Store(2000)


def best_of_maps(choice: Choice, units: Sequence[Unit]) -> list[Activation | None]:
    """The strongest activation of each of several maps; None for a dead one."""
    asked = (question(choice, unit.layer, unit.channel, 1, choice.label) for unit in units)
    found = [_top(_asked(choice), (*one[:-1], False)) for one in asked]
    return [one[0] if one else None for one in found]


@st.cache_data(max_entries=64, show_spinner=False)
def _maps(
    _index: ActivationIndex, path: str, stamp: str, layer: str, label: str | None
) -> pd.DataFrame:
    del path, stamp  # only name what is kept
    return _index.maps(layer, label)


def maps_of(choice: Choice, layer: str, label: str | None) -> pd.DataFrame:
    """``index.maps``, kept."""
    return _maps(_asked(choice), str(choice.index_path), choice.index_stamp, layer, label)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=AS_TEXT)
def _table(
    _index: ActivationIndex, path: str, stamp: str, table: str, asked: tuple[Any, ...], copies: bool
) -> pd.DataFrame:
    del path, stamp  # only name what is kept
    answer: Callable[..., pd.DataFrame] = getattr(_index, table)
    return answer(*asked, copies=copies)


def label_table_of(choice: Choice, layer: str, channel: int | None) -> pd.DataFrame:
    """``index.label_table``, kept."""
    return _table_of(choice, "label_table", layer, channel)


def similar_to(choice: Choice, unit: Unit) -> pd.DataFrame:
    """``index.similar`` with all maps that have a correlation, kept."""
    return _table_of(
        choice, "similar", unit.layer, unit.channel, choice.layers[unit.layer].channels
    )


def correlations_of(choice: Choice, layer: str) -> pd.DataFrame:
    """``index.correlations``, kept."""
    return _table_of(choice, "correlations", layer)


def percentiles_of(choice: Choice, layer: str, image: str | tuple[float, ...]) -> pd.DataFrame:
    """``index.percentiles``, kept."""
    return _table_of(choice, "percentiles", layer, image)


def _table_of(choice: Choice, table: str, *asked: Any) -> pd.DataFrame:
    place = str(choice.index_path), choice.index_stamp
    return _table(_asked(choice), *place, table, asked, choice.copies)


@st.cache_resource(max_entries=12, show_spinner=False, hash_funcs=AS_TEXT)
def _ranked(
    _index: ActivationIndex,
    path: str,
    stamp: str,
    unit: Unit,
    label: str | None,
    copies: bool,
) -> RankedPeaks:
    del path, stamp  # only name what is kept
    return _index.ranked(unit.layer, unit.channel, label, copies=copies)


def ranked_of(
    choice: Choice, unit: Unit, label: str | None, *, copies: bool | None = None
) -> RankedPeaks:
    """``index.ranked``, kept; ``copies`` None counts copies as the page does."""
    each = choice.copies if copies is None else copies
    place = str(choice.index_path), choice.index_stamp
    return _ranked(_asked(choice), *place, unit, label, each)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=AS_TEXT)
def _groups(_index: ActivationIndex, path: str, stamp: str, unit: Unit, copies: bool) -> MapGroups:
    del path, stamp  # only name what is kept
    return _index.groups(unit.layer, unit.channel, copies=copies)


def groups_of(choice: Choice, unit: Unit) -> MapGroups:
    """``index.groups``, kept."""
    place = str(choice.index_path), choice.index_stamp
    return _groups(_asked(choice), *place, unit, choice.copies)


def peaks_of(choice: Choice, unit: Unit) -> pd.DataFrame:
    """The peak of a map in every readable image, with copies; the smallest first."""
    return ranked_of(choice, unit, None, copies=True).table


@st.cache_resource(max_entries=8, show_spinner=False)
def _image_ids(_index: ActivationIndex, path: str, stamp: str) -> tuple[str, ...]:
    del path, stamp  # only name what is kept
    images = _index.images
    return tuple(images["image_id"][images["error"] == ""].astype(str).tolist())


def image_ids_of(choice: Choice) -> tuple[str, ...]:
    """The ids of the readable images of the index."""
    return _image_ids(_asked(choice), str(choice.index_path), choice.index_stamp)
