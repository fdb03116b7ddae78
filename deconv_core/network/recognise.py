"""Which architecture a state dict is of, by its names and shapes alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deconv_core.errors import WeightsError
from deconv_core.network.catalogue import SUPPORTED, shapes_of

Shapes = Mapping[str, tuple[int, ...]]

PREFIXES = ("module.", "model.", "net.", "backbone.", "encoder.", "_orig_mod.")
"""What training programs put before every name."""

_FAMILIES = (
    ("features.denseblock1.", "densenet"),
    ("inception3a.", "googlenet"),
    ("Mixed_5b.", "inception_v3"),
    ("trunk_output.", "regnet_x"),
    ("layers.8.0.layers.", "mnasnet"),
    ("features.1.conv.0.", "mobilenet_v2"),
    ("features.3.squeeze.", "squeezenet"),
    ("features.4.squeeze.", "squeezenet"),
    ("layer1.0.conv1.", ("resnet", "resnext", "wide_resnet")),
    ("features.0.", ("alexnet", "vgg")),
)
"""Beginning of a name that every network of a family has -> beginnings of its architectures."""
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Recognised:
    """What a state dict is of.

    Attributes:
        architecture: of ``catalogue.SUPPORTED``.
        classes: how many scores it gives.
        prefix: that every name of it has in the file, or "".
    """

    architecture: str
    classes: int
    prefix: str


def recognise(shapes: Shapes, file: str, architecture: str | None = None) -> Recognised:
    """Tell the architecture of a state dict.

    Args:
        shapes: name -> shape of each tensor of the file.
        file: its name, for messages.
        architecture: the one to take it for; None to find it.

    Raises:
        WeightsError: it fits none, or several; says which, and what is missing or left over.
    """
    prefix = _prefix(shapes)
    bare = {name.removeprefix(prefix): shape for name, shape in shapes.items()}
    candidates = [architecture] if architecture else _candidates(bare)
    if not candidates:
        first = ", ".join(list(bare)[:3])
        raise WeightsError(
            f"{file} holds no network that is known here: its names begin {first}; give weights of "
            f"one of {', '.join(SUPPORTED)}"
        )
    reasons = {name: _differences(bare, name) for name in candidates}
    fitting = [name for name, reason in reasons.items() if not reason]
    if len(fitting) > 1:
        raise WeightsError(
            f"{file} fits {' and '.join(fitting)}; say which by architecture={fitting[0]!r}"
        )
    if not fitting:
        nearest = min(reasons, key=lambda name: len(reasons[name]))
        said = "; ".join(reasons[nearest][:3])
        more = len(reasons[nearest]) - 3
        said += f"; and {more} more" if more > 0 else ""
        raise WeightsError(f"{file} looks like {nearest}, but {said}")
    return Recognised(fitting[0], _classes(bare, fitting[0]), prefix)


def _prefix(shapes: Shapes) -> str:
    """What all names begin with, of ``PREFIXES``, as often as it stands there."""
    found, names = "", list(shapes)
    while begins := next((p for p in PREFIXES if all(n.startswith(p) for n in names)), ""):
        found += begins
        names = [name.removeprefix(begins) for name in names]
    return found


def _candidates(shapes: Shapes) -> list[str]:
    for beginning, families in _FAMILIES:
        if any(name.startswith(beginning) for name in shapes):
            return [name for name in SUPPORTED if name.startswith(families)]
    return []


def _needed(shapes: Shapes) -> Shapes:
    """Without what only training uses."""
    return {
        name: shape
        for name, shape in shapes.items()
        if not name.startswith(_AUXILIARY) and not name.endswith(_COUNTER)
    }


def _differences(shapes: Shapes, architecture: str) -> list[str]:
    """How a state dict differs from that of an architecture, in words; its classes may."""
    given, expected = _needed(shapes), _needed(shapes_of(architecture))
    last = _last_layer(expected)
    found = [f"{name} is missing" for name in expected if name not in given]
    found += [f"{name} is left over" for name in given if name not in expected]
    for name, shape in expected.items():
        seen = given.get(name)
        if seen is None or seen == shape:
            continue
        of_last = name.rpartition(".")[0] == last
        if not (of_last and len(seen) == len(shape) and seen[1:] == shape[1:]):
            found.append(f"{name} has shape {seen}, expected {shape}")
    return found


def _last_layer(shapes: Shapes) -> str:
    """The module that gives the scores: the last with 1,000 outputs."""
    return [name for name, shape in shapes.items() if shape[:1] == (1000,)][-1].rpartition(".")[0]


def _classes(shapes: Shapes, architecture: str) -> int:
    last = _last_layer(_needed(shapes_of(architecture)))
    return shapes[f"{last}.weight"][0]
