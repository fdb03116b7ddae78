"""Reads the ``vgg19.npy`` of tensorflow-vgg: a pickle of Python 2 in a NumPy file."""

from __future__ import annotations

import codecs
import pickle
import re
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from deconv_core.errors import WeightsError
from deconv_core.network.restricted_pickle import RestrictedUnpickler, Stored

_CONVOLUTION = re.compile(r"conv[0-9]{1,2}_[0-9]{1,2}")
_TYPE = re.compile(r"[biufc](1|2|4|8|16)|b1|O8?")


class ArrayType:
    """A ``numpy.dtype`` as a pickle describes it; only plain numbers and objects."""

    def __init__(self, code: object, *_: object) -> None:
        """Take its short name, such as "f4"."""
        if not isinstance(code, str) or _TYPE.fullmatch(code) is None:
            raise pickle.UnpicklingError("an array of a type that is no plain number")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        """Take the order of its bytes."""
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


class Array:
    """A ``numpy.ndarray`` as a pickle describes it.

    NumPy's own ``__setstate__`` trusts the shape in the pickle: a few bytes can make it crash.
    """

    def __init__(self, *_: object) -> None:
        """Store nothing: the state has everything."""

    def __setstate__(self, state: Any) -> None:
        """Note it."""
        self.shape, self.type, self.fortran, self.data = state[-4:]


NAMES = MappingProxyType(
    {
        **{"numpy.core.multiarray._reconstruct": Array, "numpy.ndarray": "ndarray"},
        **{"numpy._core.multiarray._reconstruct": Array, "numpy.dtype": ArrayType},
        "_codecs.encode": codecs.encode,  # makes bytes, which protocol 2 lacks
    }
)
"""The names that the pickle in a ``.npy`` may use."""


def read_caffe_npy(path: Path, file: BinaryIO) -> dict[str, Stored]:
    """The convolutions conv1_1 ... conv5_4 by the names and in the layout of torchvision.

    torchvision numbers convolutions, rectifications and poolings in one list: two convolutions in a
    row are 2 apart, with a pooling between them 3 apart.

    Raises:
        WeightsError: it carries code, or is not tensorflow-vgg's dict.
        Exception: of any kind, if it is damaged.
    """
    content = _content(path, file)
    names = [name for name in content if _CONVOLUTION.fullmatch(name)]
    if not names:
        raise WeightsError(
            f"{path.name} has no conv1_1 ... conv5_4; expected tensorflow-vgg's dict"
        )
    found, number, block_before = {}, 0, 1
    for name in sorted(names, key=_place):
        weight, bias = _pair(path, name, content[name])
        if weight.ndim != 4:
            raise WeightsError(
                f"{name} in {path.name} has shape {weight.shape}; expected (3, 3, in, out)"
            )
        number += _place(name)[0] != block_before
        turned = weight.transpose(3, 2, 0, 1)  # from (height, width, in, out)
        found[f"features.{number}.weight"] = Stored("F32", turned.shape, turned.tobytes())
        found[f"features.{number}.bias"] = Stored("F32", bias.shape, bias.tobytes())
        number, block_before = number + 2, _place(name)[0]
    return found


def _place(name: str) -> list[int]:
    """[4, 2] for conv4_2."""
    return [int(number) for number in re.findall("[0-9]+", name)]


def _content(path: Path, file: BinaryIO) -> dict[str, object]:
    _skip_header(path, file)
    advice = "Expected tensorflow-vgg's dict of arrays"
    loaded = RestrictedUnpickler(path, file, NAMES, advice, "latin1").load()
    content = loaded.data[0] if isinstance(loaded, Array) else loaded
    if not isinstance(content, dict):
        raise WeightsError(
            f"{path.name} holds a {type(content).__name__}; expected the dict of tensorflow-vgg"
        )
    return {name: value for name, value in content.items() if isinstance(name, str)}


def _skip_header(path: Path, file: BinaryIO) -> None:
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(file)
    except (ValueError, KeyError, OSError, SyntaxError) as error:
        raise WeightsError(f"{path.name} is not a NumPy file: {error}") from error
    if dtype.kind != "O" or shape != ():
        raise WeightsError(
            f"{path.name} is an array of {dtype} {shape}; expected tensorflow-vgg's pickled dict"
        )


def _pair(path: Path, name: str, value: object) -> list[np.ndarray]:
    match value:
        case [Array() as weight, Array() as bias]:
            return [_floats(path, name, array) for array in (weight, bias)]
    raise WeightsError(f"{name} in {path.name} is not a list of weight and bias arrays")


def _floats(path: Path, name: str, array: Array) -> np.ndarray:
    kind = array.type.dtype
    if kind.kind != "f":
        raise WeightsError(f"{name} in {path.name} holds {kind}; expected floating point")
    data = array.data.encode("latin1") if isinstance(array.data, str) else array.data
    flat = np.frombuffer(data, kind)
    return flat.reshape(array.shape, order="F" if array.fortran else "C").astype("<f4")
