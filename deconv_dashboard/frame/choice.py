"""The choice of a page run: the address, checked against the data folder and the index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.names import visible
from deconv_core.units import Unit, as_stored
from deconv_dashboard import bands
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.notes_files import UnitNote
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.depths import first_shown
from deconv_dashboard.frame import address
from deconv_dashboard.jobs.scans import finish_new_index
from deconv_dashboard.server import resources
from deconv_dashboard.server.told import told
from deconv_dashboard.values import EACH, Choice

_LONGEST_QUOTE = 60
# Markdown turns these into links even where they are escaped; an invisible character prevents it.
_BECOMES_A_LINK = re.compile(r"www(?=\.)|:(?=//)|@(?=\w)", re.IGNORECASE)


def choose(page: str, notes: list[str]) -> Choice:
    """Read the address and correct its wrong values; each correction adds a note."""
    asked, registry = address.asked(page), resources.registry()
    network = _network(registry, asked, notes)
    dataset = _dataset(registry, asked, notes)
    path = registry.index_path(dataset, network)
    finish_new_index(registry, path)
    stamp = resources.index_stamp(path)
    index, problem = opened(path, stamp)
    values = {**asked, "network": network.network_id, "dataset": dataset.dataset_id}
    if index is not None:
        _check_labels(index, values, notes)
        _check_unit(page, index, values, notes)
    if values.get("label2") and values.get("label2") == values.get("label"):
        values.pop("label2")
    _check_display(page, values, notes)
    _check_list(page, index, values, notes)
    label = values.get("label") or None
    found = registry, network, dataset, label, index, path, stamp, problem, values, page
    return Choice(*found, named=named_maps(registry, index, notes))


def named_maps(
    registry: Registry, index: ActivationIndex | None, notes: list[str]
) -> Mapping[Unit, UnitNote]:
    """What people wrote about maps of the network; none, and a note, if it cannot be read."""
    if index is None:
        return {}
    try:
        return resources.notes_of(registry.home, index.manifest.fingerprint)
    except DeconvError as error:
        notes.append(f"Names are not shown: {escape(told(error))}.")
        return {}


def opened(path: Path, stamp: str) -> tuple[ActivationIndex | None, DeconvError | None]:
    """The index at a path, if there is one, and why it cannot be read."""
    try:
        return resources.index_of(path, stamp), None
    except DeconvError as error:
        return None, error


def _network(registry: Registry, asked: Mapping[str, str], notes: list[str]) -> NetworkChoice:
    try:
        return registry.network(asked.get("network", "demo"))
    except DeconvError:
        network = registry.networks()[0]
        notes.append(
            f"This computer has no network “{quoted(asked['network'])}”; "
            f"showing {escape(short_name(network))} instead."
        )
        return network


def _dataset(registry: Registry, asked: Mapping[str, str], notes: list[str]) -> Dataset:
    try:
        return registry.dataset(asked.get("dataset", "demo"))
    except DeconvError:
        dataset = registry.datasets()[0]
        notes.append(
            f"This computer has no dataset “{quoted(asked['dataset'])}”; showing "
            f"{escape(dataset.name)} instead."
        )
        return dataset


def _check_labels(index: ActivationIndex, values: dict[str, str], notes: list[str]) -> None:
    for name in ("label", "label2"):
        label = values.get(name)
        if not label:
            continue
        meant = as_stored(label, index.labels)
        if len(meant) == 1:
            values[name] = meant[0]
        else:
            notes.append(
                f"No image of this dataset has the label “{quoted(label)}”; showing all images."
            )
            values.pop(name)


def _check_unit(
    page: str, index: ActivationIndex, values: dict[str, str], notes: list[str]
) -> None:
    names = list(index.layers)
    layer = values.get("layer", "")
    if layer not in names:
        default = first_shown(index.layers)
        if layer:
            notes.append(f"This network has no layer “{quoted(layer)}”; showing {default}.")
            values.pop("map", None)
        values["layer"] = layer = default
    channels, asked = index.layers[layer].channels, values.get("map", "")
    if not asked and page == "feature_map":
        asked = str(strongest_map(index, layer))
    asked = asked or "0"
    if not 0 <= whole_number(asked) < channels:
        notes.append(
            f"{layer} has no feature map “{quoted(asked)}”; its maps have the numbers 0 to "
            f"{channels - 1}. Showing map 0."
        )
        asked = "0"
    if "map" in values or page == "feature_map":
        values["map"] = str(int(asked))


def strongest_map(index: ActivationIndex, layer: str) -> int:
    """The map of a layer with the largest activation; 0 if none fires or the index is damaged."""
    try:
        return next((found.unit.channel for found in index.top(layer, k=1)), 0)
    except DeconvError:  # the page says so itself
        return 0


def _check_display(page: str, values: dict[str, str], notes: list[str]) -> None:
    scale, k = values.get("scale", "clipped"), values.get("k", "9")
    if scale not in address.SCALES:
        notes.append(f"There is no scale “{quoted(scale)}”; using the shared one.")
        values.pop("scale")
    if not 1 <= whole_number(k) <= address.MOST:
        notes.append(
            f"“{quoted(k)}” pictures cannot be shown; choose 1 to {address.MOST}. Showing 9."
        )
        values.pop("k")
    if not 1 <= whole_number(values.get("rank", "1")) <= 2 * address.MOST:
        notes.append(f"There is no picture of rank “{quoted(values['rank'])}”; showing rank 1.")
        values.pop("rank")
    if (rule := values.get("rule", "deconvnet")) not in address.RULES:
        notes.append(
            f"There is no rule “{quoted(rule)}”; choose one of {', '.join(address.RULES)}. Using "
            "deconvnet."
        )
        values.pop("rule")
    if values.get("copies", EACH) != EACH:
        notes.append(
            f"The address says copies=“{quoted(values['copies'])}”; only copies={EACH} is known, "
            "which counts every copy. Counting copies once."
        )
        values.pop("copies")
    if values.get("once", address.MAPS) != address.MAPS:
        notes.append(
            f"The address says once=“{quoted(values['once'])}”; only once={address.MAPS} is known, "
            "which shows each feature map once. Showing the best images."
        )
        values.pop("once")
    if not bands.known(values.get("band", bands.TOP)):
        notes.append(
            f"There is no band “{quoted(values['band'])}” of the distribution; choose one of "
            f"{', '.join(bands.BANDS)}. Showing the top."
        )
        values.pop("band")
    if (tabs := address.TABS.get(page)) is not None:
        usual, parameter = next(iter(tabs)), address.TAB[page]
        if values.get(parameter, usual) not in tabs:
            notes.append(
                f"This page has no tab “{quoted(values[parameter])}”; showing {tabs[usual]}."
            )
            values.pop(parameter)


def _check_list(
    page: str, index: ActivationIndex | None, values: dict[str, str], notes: list[str]
) -> None:
    """The list of the Image page; the most unusual maps are known only to an index."""
    known = ("", address.UNUSUAL, address.ALL)
    if values.get("list", "") not in known:
        notes.append(
            f"The address says list=“{quoted(values['list'])}”; only list={address.UNUSUAL} "
            f"and list={address.ALL} are known. Listing the strongest maps."
        )
        values.pop("list")
    if page == "image" and index is None and values.get("list") == address.UNUSUAL:
        notes.append("Only a scan tells which maps are unusual. Listing the strongest maps.")
        values.pop("list")


def short_name(network: NetworkChoice) -> str:
    """A network's name; the demo network's without the part in brackets."""
    return network.name.partition(" (")[0] if network.network_id == "demo" else network.name


def whole_number(text: str) -> int:
    """A part of the address as a whole number; -1 if it is not one of at most 9 digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1


def quoted(text: str) -> str:
    """A text from the address, shortened, as plain text in Markdown."""
    return escape(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…")


def escape(text: str) -> str:
    """A text from files as plain text in Markdown, on one line; keeps its writing direction."""
    special = "\\`*_{}[]()<>#+-.!|$~:&=@\"'^"
    shown = _BECOMES_A_LINK.sub("\\g<0>\N{WORD JOINER}", visible(text))
    return "".join(f"\\{letter}" if letter in special else letter for letter in shown)
