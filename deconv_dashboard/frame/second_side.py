"""The other side of a comparison on the Feature map page: another label, map or network."""

from __future__ import annotations

from dataclasses import replace

from deconv_core.errors import DeconvError
from deconv_core.units import Unit
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.depths import first_shown
from deconv_dashboard.frame.choice import (
    escape,
    named_maps,
    opened,
    quoted,
    short_name,
    strongest_map,
)
from deconv_dashboard.jobs.scans import finish_new_index
from deconv_dashboard.server import resources
from deconv_dashboard.values import Choice


def with_second(choice: Choice, notes: list[str]) -> Choice:
    """The choice with what the address compares it with; each wrong value there adds a note."""
    if choice.index is None or choice.page != "feature_map":
        return choice
    values = dict(choice.values)
    other = _other_network(choice, values, notes)
    unit = _other_map(choice, other, values, notes)
    if values.get("label2") and unit is not None:
        notes.append(
            "The address names a label and another map or network to compare with. Comparing "
            "with the map or network."
        )
        values.pop("label2")
    here = replace(choice, values=values)
    if unit is None:
        label = values.get("label2")
        return replace(here, second=replace(here, label=label)) if label else here
    if other is None and unit == choice.unit:  # only until another map is chosen
        return here
    there = {**values, "layer": unit.layer, "map": str(unit.channel)}
    second = replace(other or here, values=there)
    return replace(
        here,
        side=_called(here, second),
        second=replace(second, side=_called(second, here)),
    )


def scanned_by_others(choice: Choice) -> dict[str, NetworkChoice]:
    """Id -> network, of the other networks that have scanned the dataset."""
    return {
        network.network_id: network
        for network in choice.registry.networks()
        if network.network_id != choice.network.network_id
        and (choice.registry.index_path(choice.dataset, network) / "manifest.json").is_file()
    }


def _called(side: Choice, other: Choice) -> str:
    """What tells a side from the other one: its map, its network, or both."""
    if side.network == other.network:
        return str(side.unit)
    name = short_name(side.network)
    return name if side.unit == other.unit else f"{side.unit} of {name}"


def _other_network(choice: Choice, values: dict[str, str], notes: list[str]) -> Choice | None:
    """The choice with the network to compare with, and its scan; None for the same network."""
    asked = values.get("network2", choice.network.network_id)
    if asked == choice.network.network_id:
        values.pop("network2", None)
        return None
    registry, dataset = choice.registry, escape(choice.dataset.name)
    network = scanned_by_others(choice).get(asked)
    if network is None:
        notes.append(f"No other network “{quoted(asked)}” has scanned {dataset}.")
        values.pop("network2")
        return None
    path = registry.index_path(choice.dataset, network)
    finish_new_index(registry, path)
    stamp = resources.index_stamp(path)
    index, _ = opened(path, stamp)
    name = escape(short_name(network))
    if index is None:
        notes.append(f"The scan of {dataset} by {name} cannot be read.")
    elif choice.label and choice.label not in index.labels:
        notes.append(f"The scan by {name} has no image with the label {escape(choice.label)}.")
        index = None
    if index is None:
        values.pop("network2")
        return None
    return replace(
        choice,
        network=network,
        index=index,
        index_path=path,
        index_stamp=stamp,
        named=named_maps(registry, index, notes),
    )


def _other_map(
    choice: Choice, other: Choice | None, values: dict[str, str], notes: list[str]
) -> Unit | None:
    """The map to compare with; None for none.

    In another network it is the same map, or the strongest one of a middle layer if there is no
    such map.
    """
    there = other or choice
    if asked := values.get("map2"):
        try:
            unit = Unit.parse(asked)
        except DeconvError:
            unit = None
        if unit is not None and _has(there, unit):
            return unit
        name = escape(short_name(there.network))
        notes.append(f"{name} has no feature map “{quoted(asked)}” to compare with.")
        values.pop("map2")
    if other is None or _has(other, choice.unit):
        return choice.unit if other else None
    assert other.index is not None, "a scan was opened"
    layer = first_shown(other.layers)
    return Unit(layer, strongest_map(other.index, layer))


def _has(choice: Choice, unit: Unit) -> bool:
    layer = choice.layers.get(unit.layer)
    return layer is not None and unit.channel < layer.channels
