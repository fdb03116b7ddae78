"""Search of places to go to: feature maps, layers, labels and images. Does not use Streamlit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from deconv_core.layers import Layer
from deconv_core.names import visible
from deconv_core.units import Unit, composed
from deconv_dashboard.data.names import distinct
from deconv_dashboard.data.notes_files import UnitNote

_EACH = 5
"""So many places of a kind are listed."""
_LONGEST = 200
_ADDRESS = re.compile(r"(?:(?P<layer>.*?)[\s/]+)?(?P<channel>\d{1,6})")
_IN_WORDS = re.compile(r"(?:feature )?map (?P<channel>\d{1,6}) of (?P<layer>\S+)(?: ·.*)?")


@dataclass(frozen=True, slots=True)
class Place:
    """A place to go to.

    Attributes:
        kind: "map", "layer", "label" or "image".
        value: the address of a map ("conv4_4/171"), the name of a layer, a label, or an image id.
        title: the value for people, and the name of a map; no two of a kind look the same.
    """

    kind: str
    value: str
    title: str


def find_places(
    query: str,
    layers: Mapping[str, Layer],
    named: Mapping[Unit, UnitNote],
    labels: Iterable[str],
    image_ids: Sequence[str],
    *,
    here: str = "",
) -> list[Place]:
    """The places that a typed text may mean, the most likely first.

    Args:
        query: an address ("conv4_4/171", "4_4 171", "171"), a layer, or a part of a layer, of a
            map's name, of a label or of an image id. Several words may stand in any order.
        layers: the layers of the network.
        named: notes of maps; those of other networks' maps are passed over.
        labels: the labels of the images.
        image_ids: the ids of the images.
        here: the layer that a number alone belongs to.
    """
    text = _plain(query[:_LONGEST])
    if not text:
        return []
    units = [*_addressed(text, layers, here), *_called(text, layers, named)]
    found = [
        *(("map", str(unit), _title(unit, named)) for unit in dict.fromkeys(units)),
        *(("layer", name, name) for name in _layers(text, layers)[:_EACH]),
        *(("label", label, label) for label in _texts(text, [one for one in labels if one])),
        *(("image", image_id, image_id) for image_id in _texts(text, image_ids)),
    ]
    places = [Place(kind, value, visible(title)) for kind, value, title in found]
    shown = distinct(places, lambda place: f"{place.kind} {place.title}")
    return [replace(one, title=label.partition(" ")[2]) for one, label in shown.items()]


def _plain(text: str) -> str:
    """A typed text without what does not matter in a search: case, composition, spaces."""
    return " ".join(_folded(text).split())


@lru_cache(4)
def _all_folded(texts: tuple[str, ...]) -> list[str]:
    """Each text folded; in one go, as there may be a hundred thousand."""
    folded = _folded("\0".join(texts)).split("\0")
    return folded if len(folded) == len(texts) else [_folded(one) for one in texts]


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else composed(text).casefold()


def _addressed(text: str, layers: Mapping[str, Layer], here: str) -> list[Unit]:
    """The maps that an address may mean."""
    match = _IN_WORDS.fullmatch(text) or _ADDRESS.fullmatch(text)
    if match is None:
        return []
    part, channel = match["layer"], int(match["channel"])
    meant = _layers(part, layers) if part else [here, *reversed(list(layers))]
    fitting = (name for name in meant if name in layers and channel < layers[name].channels)
    return [Unit(name, channel) for name in dict.fromkeys(fitting)][:_EACH]


def _layers(part: str, layers: Mapping[str, Layer]) -> list[str]:
    """Layers with this name; without one, those whose names end with it, then contain it."""
    part = part.rstrip("/")
    names = {name: _folded(name) for name in layers}
    exact = [name for name, plain in names.items() if plain == part]
    ending = [name for name, plain in names.items() if plain.endswith(part)]
    holding = [name for name, plain in names.items() if part in plain]
    return exact or list(dict.fromkeys([*ending, *holding]))


def _called(text: str, layers: Mapping[str, Layer], named: Mapping[Unit, UnitNote]) -> list[Unit]:
    """The maps with a name that contains the words; starred ones first."""
    there = {
        unit: note
        for unit, note in named.items()
        if note.name and unit.layer in layers and unit.channel < layers[unit.layer].channels
    }
    stars_first = sorted(there, key=lambda unit: not there[unit].star)
    places = _fitting(text, [there[unit].name for unit in stars_first])
    return [stars_first[place] for place in places]


def _texts(text: str, texts: Sequence[str]) -> list[str]:
    return [texts[place] for place in _fitting(text, texts)]


def _fitting(text: str, texts: Sequence[str]) -> list[int]:
    """Positions of the texts that contain all words: equal ones first, then by where they begin."""
    first, *others = sorted(text.split(), key=len, reverse=True)
    plain = _all_folded(tuple(texts))
    places = [place for place, one in enumerate(plain) if first in one]
    for word in others:
        places = [place for place in places if word in plain[place]]
    equal = [place for place in places if plain[place] == text]
    part = f"/{text}"
    begins = [place for place in places if plain[place].startswith(text) or part in plain[place]]
    return list(dict.fromkeys([*equal[:_EACH], *begins[:_EACH], *places[:_EACH]]))[:_EACH]


def _title(unit: Unit, named: Mapping[Unit, UnitNote]) -> str:
    name = named[unit].name if unit in named else ""
    return f"{unit} · {name}" if name else str(unit)
