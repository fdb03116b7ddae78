"""Preprocessing: how pixels become a network's input, and which preprocessing some weights expect.

A wrong preprocessing gives wrong pictures without any error, and few weight files name theirs. The
format of the file decides. If something in the file contradicts this, a person is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from deconv_core.arguments import shown
from deconv_core.errors import DeconvError


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


def preprocessing_named(name: str) -> Preprocessing:
    """Look up "torchvision", "caffe" or "caffe-rgb".

    Raises:
        DeconvError: any other name.
    """
    if not isinstance(name, str) or name not in PREPROCESSINGS:
        allowed = " or ".join(repr(known) for known in PREPROCESSINGS)
        raise DeconvError(f"preprocessing {shown(name)} is not known; choose {allowed}")
    return PREPROCESSINGS[name]


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
_NPY = Expected("caffe", "the file has the format of tensorflow-vgg, which holds Caffe's weights")
_OTHERS = Expected("torchvision", "the weights have torchvision's names", certain=False)


def expected_by(source: str, given: str | None = None) -> Expected:
    """The preprocessing that a source of ``load_network`` expects; reads only the file's header.

    Raises:
        DeconvError: ``given`` is not a preprocessing.
    """
    if given is not None:
        return Expected(preprocessing_named(given).name, "it was chosen for these weights")
    if source in _BY_NAME:
        return _BY_NAME[source]
    path = Path(source).expanduser()
    stated = _stated(path)
    if stated is not None:
        return Expected(stated, "the weight file says so")
    return _NPY if path.suffix.lower() == ".npy" else _OTHERS


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
