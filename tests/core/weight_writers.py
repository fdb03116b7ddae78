"""Weight files as other programs write them, and as nobody should."""

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from tests.core.networks import random_chain

TORCHVISION_NUMBERS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
CAFFE_NAMES = (
    *("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv3_4"),
    *("conv4_1", "conv4_2", "conv4_3", "conv4_4", "conv5_1", "conv5_2", "conv5_3", "conv5_4"),
)

State = dict[str, torch.Tensor]


def features() -> State:
    """A narrow VGG19 as torchvision names it."""
    convolutions = [step for step in random_chain(7) if not isinstance(step, str)]
    state = {}
    for number, (weight, bias) in zip(TORCHVISION_NUMBERS, convolutions, strict=True):
        state[f"features.{number}.weight"], state[f"features.{number}.bias"] = weight, bias
    return state


def python2_npy(content: object) -> bytes:
    """What ``numpy.save`` of Python 2 wrote for an object: a header, then a protocol-2 pickle."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header += b" " * (-(len(header) + 11) % 16) + b"\n"
    boxed = np.empty((), object)
    boxed[()] = content
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + python2(boxed)


def python2(value: object) -> bytes:
    """A protocol-2 pickle with the module names NumPy had then."""
    written = pickle.dumps(value, protocol=2)
    return written.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def caffe_arrays() -> dict[str, list[np.ndarray]]:
    """The narrow VGG19 as tensorflow-vgg keeps it: HWIO, blue first, with fc6-fc8."""
    arrays = {}
    for name, number in zip(CAFFE_NAMES, TORCHVISION_NUMBERS, strict=True):
        weight = features()[f"features.{number}.weight"].numpy()  # (out, in, h, w)
        hwio = np.ascontiguousarray(np.moveaxis(weight, (0, 1), (3, 2)))
        arrays[name] = [hwio, features()[f"features.{number}.bias"].numpy()]
    for name in ("fc6", "fc7", "fc8"):
        arrays[name] = [np.zeros((12, 3), np.float32), np.zeros(3, np.float32)]
    return arrays


class Payload:
    """Runs a command when it is unpickled by anything careless."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def payloads(marker: Path) -> list[object]:
    return [
        Payload(os.system, f"touch '{marker}'"),
        Payload(exec, f"open({str(marker)!r}, 'w').close()"),
        Payload(io.open, str(marker), "w"),
        {"features.0.weight": Payload(os.system, f"touch '{marker}'")},
        {"conv1_1": [Payload(os.system, f"touch '{marker}'"), np.zeros(4)]},
    ]


class HugeArray:
    """Pickles as an array that claims a shape its few bytes do not fill."""

    def __init__(self, shape: tuple[int, ...], kind: str, data: object) -> None:
        self.state = (1, shape, np.dtype(kind), False, data)

    def __reduce__(self) -> tuple[object, ...]:
        made = np.zeros(0).__reduce__()
        return made[0], (np.ndarray, (0,), b"b"), self.state
