"""Which architecture a state dict is of, by its names and shapes alone."""

from __future__ import annotations

from dataclasses import dataclass

from deconv_core.errors import DeconvError, WeightsError
from deconv_core.network.catalogue import SUPPORTED, shapes_of, split_name
from deconv_core.network.state_dicts import FAMILIES, Shapes

_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
_COUNTER = "num_batches_tracked"
_NAMED = 3


@dataclass(frozen=True)
class Recognised:
    """What a state dict is of.

    Attributes:
        architecture: of ``catalogue.SUPPORTED``.
        classes: how many scores it gives; 0 if the file has no classifier.
    """

    architecture: str
    classes: int


def recognise(shapes: Shapes, file: str, architecture: str | None = None) -> Recognised:
    """Tell the architecture of a state dict.

    Args:
        shapes: torchvision's name -> shape of each tensor (``state_dicts.plain_names``).
        file: its name, for messages.
        architecture: the one to take it for; None to find it.

    Raises:
        WeightsError: it fits none, or several; says which, and what is missing or left over.
        DeconvError: ``architecture`` is not a name of the catalogue.
    """
    if architecture is not None and split_name(architecture) != (architecture, ""):
        raise DeconvError(f"architecture {architecture!r} names weights; give the name alone")
    reasons = {name: _differences(shapes, name) for name in _candidates(shapes, architecture)}
    fitting = [name for name, reason in reasons.items() if not reason]
    if len(fitting) > 1:
        raise WeightsError(
            f"{file} fits {' and '.join(fitting)}; say which by architecture={fitting[0]!r}"
        )
    if fitting:
        return Recognised(fitting[0], _classes(shapes, fitting[0]))
    nearest = min(reasons, key=lambda name: len(reasons[name]), default="")
    if not nearest or (architecture is None and not _is_mostly(shapes, nearest)):
        raise WeightsError(
            f"{file} holds no network that is known here: {_beginning(shapes)}; give weights of "
            f"one of {', '.join(SUPPORTED)}, or save your own network with Network.save"
        )
    said = "; ".join(reasons[nearest][:_NAMED])
    more = len(reasons[nearest]) - _NAMED
    said += f"; and {more} more" if more > 0 else ""
    raise WeightsError(f"{file} looks like {nearest}, but {said}")


def _candidates(shapes: Shapes, architecture: str | None) -> list[str]:
    if architecture is not None:
        return [architecture]
    for beginning, families in FAMILIES:
        if any(name.startswith(beginning) for name in shapes):
            return [name for name in SUPPORTED if name.startswith(families)]
    return []


def _beginning(shapes: Shapes) -> str:
    names = [name[:100] for name in shapes]
    return f"its names begin {', '.join(names[:_NAMED])}" if names else "it has no tensors"


def _is_mostly(shapes: Shapes, architecture: str) -> bool:
    return 2 * len(shapes.keys() & shapes_of(architecture).keys()) > len(shapes)


def _needed(shapes: Shapes) -> Shapes:
    """Without what only training uses."""
    return {
        name: shape
        for name, shape in shapes.items()
        if not name.startswith(_AUXILIARY) and not name.endswith(_COUNTER)
    }


def _differences(shapes: Shapes, architecture: str) -> list[str]:
    """How a state dict differs from that of an architecture, in words.

    It may have other classes, or no classifier at all.
    """
    given, expected = _needed(shapes), _needed(shapes_of(architecture))
    last = _last_layer(expected)
    classifier = f"{last.partition('.')[0]}."
    if not any(name.startswith(classifier) for name in given):
        expected = {n: shape for n, shape in expected.items() if not n.startswith(classifier)}
    found = [f"{name} is missing" for name in expected if name not in given]
    found += [f"{name[:100]} is left over" for name in given if name not in expected]
    for name, shape in expected.items():
        seen = given.get(name)
        if seen is None or seen == shape:
            continue
        of_last = name.rpartition(".")[0] == last
        if not (of_last and len(seen) == len(shape) and seen[0] and seen[1:] == shape[1:]):
            found.append(f"{name} has shape {seen}, expected {shape}")
    return found


def _last_layer(shapes: Shapes) -> str:
    """The module that gives the scores: the last with 1,000 outputs."""
    return [name for name, shape in shapes.items() if shape[:1] == (1000,)][-1].rpartition(".")[0]


def _classes(shapes: Shapes, architecture: str) -> int:
    last = _last_layer(_needed(shapes_of(architecture)))
    return shapes.get(f"{last}.weight", (0,))[0]
