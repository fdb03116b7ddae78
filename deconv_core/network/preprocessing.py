"""Preprocessing: how pixels become a network's input, and which preprocessing some weights expect.

A wrong preprocessing gives wrong pictures without any error, and few weight files name theirs. The
format of the file decides. If something in the file contradicts this, a person is asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from deconv_core.arguments import shown
from deconv_core.errors import DeconvError
from deconv_core.network.catalogue import SUPPORTED


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How 8-bit RGB pixels become the network's input: ``(pixels / divisor - mean) / deviation``.

    ``bgr_weights`` is True if the published weights expect blue first. ``words`` describe it for
    people.
    """

    name: str
    divisor: float
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    bgr_weights: bool
    words: str = ""


_CAFFE_MEAN, _ONES = (123.68, 116.779, 103.939), (1.0, 1.0, 1.0)
PREPROCESSINGS: Mapping[str, Preprocessing] = MappingProxyType(
    {
        made.name: made
        for made in (
            Preprocessing(
                *("torchvision", 255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), False),
                words="RGB, 0 to 1, then mean 0 and deviation 1",
            ),
            Preprocessing(
                *("caffe", 1.0, _CAFFE_MEAN, _ONES, True), words="BGR, 0 to 255, mean subtracted"
            ),
            Preprocessing(
                *("caffe-rgb", 1.0, _CAFFE_MEAN, _ONES, False),
                words="RGB, 0 to 255, mean subtracted",
            ),
        )
    }
)


Given = str | tuple[Sequence[float], Sequence[float]]
"""A name, or mean and deviation of each channel (red, green, blue) of pixels from 0 to 1."""

_NUMBER = r"(-?[0-9.e+-]{1,25})"
_OWN = re.compile(f"mean {','.join([_NUMBER] * 3)} deviation {','.join([_NUMBER] * 3)}", re.ASCII)


def preprocessing_named(name: str) -> Preprocessing:
    """Look up "torchvision", "caffe" or "caffe-rgb", or a name that ``own_preprocessing`` made.

    Raises:
        DeconvError: any other name.
    """
    if isinstance(name, str) and (found := _OWN.fullmatch(name)):
        try:
            numbers = [float(number) for number in found.groups()]
        except ValueError:
            numbers = [math.nan] * 6
        return own_preprocessing(numbers[:3], numbers[3:])
    if not isinstance(name, str) or name not in PREPROCESSINGS:
        allowed = " or ".join(repr(known) for known in PREPROCESSINGS)
        raise DeconvError(f"preprocessing {shown(name)} is not known; choose {allowed}")
    return PREPROCESSINGS[name]


def own_preprocessing(mean: Sequence[float], deviation: Sequence[float]) -> Preprocessing:
    """A preprocessing by its numbers, for pixels from 0 to 1; its name says them.

    Raises:
        DeconvError: not three numbers each, or a deviation that is not above 0.
    """
    means, deviations = _three("mean", mean), _three("deviation", deviation)
    if min(deviations) <= 0:
        raise DeconvError(f"the deviations are {deviations}; each must be above 0")
    known = PREPROCESSINGS["torchvision"]
    if (means, deviations) == (known.mean, known.deviation):
        return known
    said = (",".join(map(repr, numbers)) for numbers in (means, deviations))
    return Preprocessing(
        *("mean {} deviation {}".format(*said), 255.0, means, deviations, False),
        words="RGB, 0 to 1, then mean subtracted, divided by deviation",
    )


def _three(what: str, numbers: Sequence[float]) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(number) for number in numbers)
    except (TypeError, ValueError) as error:
        raise DeconvError(
            f"the {what} is {shown(numbers)}; expected three numbers, for red, green and blue"
        ) from error
    if not all(map(math.isfinite, (red, green, blue))):
        raise DeconvError(f"the {what} holds numbers that are not finite")
    return red, green, blue


def preprocessing_given(given: Given) -> Preprocessing:
    """The preprocessing of this name, or with this mean and deviation.

    Raises:
        DeconvError: it is neither.
    """
    if isinstance(given, tuple | list) and len(given) == 2:
        return own_preprocessing(*given)
    # Of anything else it says what is allowed.
    return preprocessing_named(given)


@dataclass(frozen=True, slots=True)
class Expected:
    """The preprocessing that a source of weights expects.

    Attributes:
        name: name of the preprocessing.
        reason: the reason, in words that follow "because".
        certain: False if this is only a guess from the format of the file.
    """

    name: str
    reason: str
    certain: bool = True


_BY_NAME = MappingProxyType(
    {
        "demo": Expected("torchvision", "the demo network was trained with it"),
        "vgg19": Expected("torchvision", "the weights are torchvision's own"),
        "random": Expected("torchvision", "it is the default; random weights expect none"),
    }
)
_PUBLISHED_BY_TORCHVISION = _BY_NAME["vgg19"]
_RANDOM = _BY_NAME["random"]
_NPY = Expected("caffe", "the file has the format of tensorflow-vgg, which holds Caffe's weights")
_OTHERS = Expected("torchvision", "the weights have torchvision's names", certain=False)


def expected_by(source: str, given: Given | None = None) -> Expected:
    """The preprocessing that a source of ``load_network`` expects; reads only the file's header.

    Raises:
        DeconvError: ``given`` is not a preprocessing.
    """
    if given is not None:
        return Expected(preprocessing_given(given).name, "it was chosen for these weights")
    if source in _BY_NAME:
        return _BY_NAME[source]
    architecture, _, weights = source.partition(":")
    if architecture in SUPPORTED:
        return _RANDOM if weights == "random" else _PUBLISHED_BY_TORCHVISION
    path = Path(source).expanduser()
    stated = _stated(path)
    if stated is not None:
        return Expected(stated, "the weight file says so")
    return _NPY if path.suffix.lower() == ".npy" else _OTHERS


def expected_of(module: object, given: Given | None = None) -> Expected:
    """The preprocessing that a module expects: what timm writes on its models, or the usual one.

    Raises:
        DeconvError: ``given`` is not a preprocessing.
    """
    if given is not None:
        return expected_by("", given)
    configuration = getattr(module, "pretrained_cfg", None)
    if isinstance(configuration, dict) and {"mean", "std"} <= configuration.keys():
        made = own_preprocessing(configuration["mean"], configuration["std"])
        return Expected(made.name, "the model's configuration says so")
    return Expected("torchvision", "it is the default; the module says nothing else")


def _stated(path: Path) -> str | None:
    """The preprocessing that the header of a safetensors file names, or None."""
    if path.suffix.lower() != ".safetensors":
        return None
    try:
        with safe_open(path, framework="np") as file:
            return (file.metadata() or {}).get("preprocessing")
    except Exception:  # loading the weights reports the error later
        return None


@dataclass(frozen=True, slots=True)
class CaffeSigns:
    """Signs in a file that suggest Caffe's preprocessing.

    Attributes:
        reasons: the signs, each a sentence without a full stop; empty if there are none.
        suggested: "caffe" or "caffe-rgb".
    """

    reasons: tuple[str, ...]
    suggested: str = "caffe"


_SMALL = 0.008
"""If the root mean square of the first layer's weights is smaller, they look made for 0 to 255.

For inputs of deviation 1, as from torchvision's preprocessing, it is 0.06 to 0.45: He's
initialisation 0.06 to 0.28, PyTorch's 0.11, the demo network 0.23. The same network for inputs of 0
to 255 has 1/57 of this (255 times the deviation 0.225)."""

_PUBLISHED = MappingProxyType(
    {
        "d01eb7cb": ("caffe", "Caffe's VGG19 as it was published for PyTorch"),
        "00b39a1b": ("caffe", "Caffe's VGG16 as it was published for PyTorch"),
        "88682ab5": ("caffe-rgb", "Caffe's VGG16 as torchvision publishes it, for RGB"),
    }
)
"""First digits of a SHA-256 in the name of a published file -> its preprocessing, its description.
"""

_FIRST_BIASES = MappingProxyType(
    {
        "VGG16": (0.73430, 0.09340, 0.06776, 0.88630, 0.25995, 0.66427, -0.01583, 0.32491, 0.68601),
        "VGG19": (0.73018, 0.06494, 0.03429, 0.82604, 0.25780, 0.54868, -0.01244, 0.34790, 0.55109),
    }
)
"""Biases of the first maps of conv1_1 in the Caffe release. The size of its weights gives no sign:
it is the same as in torchvision's VGG."""
_NEAR = 0.01


def signs_of_caffe(
    file_name: str, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]
) -> CaffeSigns:
    """Look for signs that weights with torchvision's names expect Caffe's preprocessing.

    Args:
        file_name: name of the weight file.
        weight: weights of the first convolution, (out, in, 3, 3), as stored in the file.
        bias: biases of the first convolution, (out,).
    """
    reasons, suggested = [], "caffe"
    for beginning, (preprocessing, what) in _PUBLISHED.items():
        if beginning in file_name.lower():
            reasons.append(f"“{beginning}” in the file's name belongs to {what}")
            suggested = preprocessing
    if "caffe" in file_name.lower():
        reasons.append("the file's name says “caffe”")
    for network, known in _FIRST_BIASES.items():
        if bias.shape == (64,) and np.abs(bias[: len(known)] - np.array(known)).max() < _NEAR:
            reasons.append(f"the biases of the first layer equal those of Caffe's {network}")
            # In the corner of Caffe's first filter, red has the larger weight than blue.
            red_first = weight[0, 0, 0, 0] > weight[0, 2, 0, 0]
            suggested = "caffe-rgb" if red_first else "caffe"
    size = float(np.sqrt(np.mean(np.square(weight, dtype=np.float64)))) if weight.size else 0.0
    if 0 < size < _SMALL:
        reasons.append(
            f"the first layer's weights are very small ({size:.2g}), as for pixels of 0 to 255"
        )
    return CaffeSigns(tuple(reasons), suggested)
