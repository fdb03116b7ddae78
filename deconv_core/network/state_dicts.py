"""The state dict of one network in what training programs save: wrappers, prefixes, old names.

Pure functions of names and shapes, without torch: the process that reads pickles uses them too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deconv_core.errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]

FAMILIES = (
    ("features.denseblock1.", "densenet"),
    ("inception3a.", "googlenet"),
    ("Mixed_5b.", "inception_v3"),
    ("trunk_output.", "regnet_x"),
    ("layers.8.0.layers.", "mnasnet"),
    ("features.1.conv.0.", "mobilenet_v2"),
    ("features.3.squeeze.", "squeezenet"),
    ("layer1.0.conv1.", ("resnet", "resnext", "wide_resnet")),
    ("features.0.", ("alexnet", "vgg")),
)
"""Beginning of a name that every network of a family has -> beginnings of its architectures."""
FEATURE = re.compile(r"features\.([0-9]{1,4})\.(\w{1,40})")
"""A tensor of a plain list of layers, as VGG and AlexNet have it."""

WRAPPERS = (
    *("state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "module"),
    *("model_ema", "state_dict_ema", "ema_state_dict", "ema", "params_ema"),
)
"""What training programs call the state dict among other things; averaged weights come last."""
_PREFIXES = ("model.", "net.", "backbone.", "encoder.")
_WRAPPING_MODULES = frozenset(("module", "_orig_mod"))
"""Of DataParallel and torch.compile, anywhere in a name."""
_DEPTH = 5
_BARE = re.compile(r"[0-9]{1,4}\.\w{1,40}")
_OLD_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\.\w+)")


def state_in(loaded: object, is_tensor: Callable[[object], bool], file: str) -> dict[str, Any]:
    """Name -> tensor of the state dict in what a checkpoint holds.

    Raises:
        WeightsError: it holds none, or several that nothing tells apart.
    """
    if not isinstance(loaded, dict):
        raise WeightsError(
            f"{file} holds a {type(loaded).__name__}; expected a state dict of tensors"
        )
    inside = [
        str(name)
        for name, part in loaded.items()
        if isinstance(name, str) and _holds_weights(part, is_tensor)
    ]
    if wrappers := [name for name in WRAPPERS if name in inside]:
        return state_in(loaded[wrappers[0]], is_tensor, file)
    own = {name: t for name, t in loaded.items() if isinstance(name, str) and is_tensor(t)}
    if any(_is_weight(name) for name in own) or not inside:
        return own
    if len(inside) > 1:
        raise several(file, inside)
    return state_in(loaded[inside[0]], is_tensor, file)


def _is_weight(name: str) -> bool:
    return name.endswith("weight") or "." in name


def _holds_weights(part: object, is_tensor: Callable[[object], bool], depth: int = _DEPTH) -> bool:
    if not isinstance(part, dict) or not depth:
        return False
    return any(
        isinstance(name, str)
        and ((is_tensor(inner) and _is_weight(name)) or _holds_weights(inner, is_tensor, depth - 1))
        for name, inner in part.items()
    )


def several(file: str, found: Sequence[str]) -> WeightsError:
    """The error for a file of several networks."""
    named = " and ".join(repr(name[:100]) for name in sorted(found)[:4])
    return WeightsError(
        f"{file} holds {len(found)} networks, {named}; save the state dict of one of them alone"
    )


def plain_names(shapes: Shapes, file: str) -> dict[str, str]:
    """Torchvision's name -> the file's name, for each tensor of a state dict.

    Raises:
        WeightsError: the file holds several networks.
    """
    names = {_unwrapped(name): name for name in shapes}
    prefix = _prefix(names, file)
    if prefix is None:  # bare features
        common = _common_prefix(list(names))
        bare = {name.removeprefix(common): old for name, old in names.items()}
        if bare and all(_BARE.fullmatch(name) for name in bare):
            return {f"features.{name}": old for name, old in bare.items()}
        return bare
    inside = {n.removeprefix(prefix): old for n, old in names.items() if n.startswith(prefix)}
    outside = {n: old for n, old in names.items() if not n.startswith(prefix) and shapes[old]}
    return {**outside, **{_OLD_DENSENET.sub(r"\1\2", name): old for name, old in inside.items()}}


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPING_MODULES)


def _prefix(names: Mapping[str, str], file: str) -> str | None:
    """What stands before the names of the network; None if they tell no network."""
    for beginning, _ in FAMILIES:
        found = {name[:place] for name in names if (place := f".{name}".find(f".{beginning}")) >= 0}
        if len(found) > 1:
            raise several(file, sorted(prefix.rstrip(".") or beginning for prefix in found))
        if found:
            return found.pop()
    return None


def _common_prefix(names: Sequence[str]) -> str:
    """What all names begin with, of the usual prefixes, as often as it stands there."""
    found = ""
    while begins := next((p for p in _PREFIXES if all(n.startswith(p) for n in names)), ""):
        if not names:
            break
        found += begins
        names = [name.removeprefix(begins) for name in names]
    return found


def is_vgg(shapes: Shapes) -> bool:
    """True for the names of a VGG, whole or its features only, with other shapes than AlexNet's."""
    features = [name for name in shapes if name.startswith("features.")]
    if not features or not all(FEATURE.fullmatch(name) for name in features):
        return False
    return shapes.get("features.0.weight", ())[2:] != (11, 11)
