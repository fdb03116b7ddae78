"""Read the convolutions of a VGG from a file somebody else made, executing nothing in it.

Three formats: PyTorch checkpoints (zip or the legacy format, ``weights_only``), safetensors, and
the ``vgg19.npy`` of tensorflow-vgg (a Python 2 pickle, read by an unpickler that admits nothing
but arrays). Pickles are walked before they are read, so that none builds more than its file is
worth. Each reader returns the same thing: a chain of (weight, bias) pairs and ``POOL``.
"""

from __future__ import annotations

import math
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from deconv_core.errors import WeightsError
from deconv_core.layers import POOL
from deconv_core.network.checkpoint_checks import check_checkpoint
from deconv_core.network.pickle_checks import check_pickle

Chain = Sequence[tuple[Tensor, Tensor] | str]

SUFFIXES = (".pth", ".pt", ".safetensors", ".npy")
LARGEST_FILE = 4 * 2**30
"""Bytes; VGG19 with its fully connected layers has 0.55e9."""

_ARRAY_TYPE = re.compile(r"[biufc](1|2|4|8|16)|b1|O8?")
_MOST_AXES, _LONGEST = 8, 2**40
_FEATURE = re.compile(r"(?:module\.)?features\.([0-9]{1,4})\.(\w{1,40})")
_CAFFE = re.compile(r"conv([0-9]{1,2})_([0-9]{1,2})")


def read_weight_file(path: Path) -> Chain:
    """Read the convolutions and poolings of a weight file by its suffix.

    Raises:
        WeightsError: missing, of another format, truncated, carrying code, or not a VGG chain.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise WeightsError(
            f"{path.name} is not a weight file; give one that ends in {', '.join(SUFFIXES)}"
        )
    if not path.is_file():
        raise WeightsError(f"there is no weight file at {path}")
    size = path.stat().st_size
    if not 0 < size <= LARGEST_FILE:
        raise WeightsError(f"{path.name} has {size:,} bytes; expected 1 to {LARGEST_FILE:,}")
    match path.suffix.lower():
        case ".safetensors":
            return _chain_from_state(path, _read_safetensors(path))
        case ".npy":
            return _chain_from_caffe(path, _read_npy(path))
        case _:
            return _chain_from_state(path, _read_checkpoint(path))


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if _FEATURE.fullmatch(name)]  # noqa: SIM118
            return {name: file.get_tensor(name).clone() for name in names}
    except Exception as error:  # also types that this torch does not know
        raise WeightsError(f"{path.name} is not a whole safetensors file: {error}") from error


def _read_checkpoint(path: Path) -> Mapping[str, Tensor]:
    try:
        check_checkpoint(path)
        loaded = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        reason = next(iter(str(error).splitlines()), "")
        raise WeightsError(
            f"{path.name} is not a file of plain tensors, or it carries code; nothing in it was "
            f"executed. Save the state dict alone: torch.save(model.state_dict(), ...). ({reason})"
        ) from error
    except Exception as error:  # torch raises many kinds on damaged files
        raise WeightsError(
            f"{path.name} is not a readable PyTorch checkpoint (truncated or of another format): "
            f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping):
        raise WeightsError(
            f"{path.name} holds a {type(loaded).__name__}; expected a state dict of tensors"
        )
    features = {
        name: tensor
        for name, tensor in loaded.items()
        if isinstance(name, str) and isinstance(tensor, Tensor) and _FEATURE.fullmatch(name)
    }
    for name, tensor in features.items():
        _check_whole(path, name, tensor)
    size = sum(tensor.numel() * tensor.element_size() for tensor in features.values())
    if size > path.stat().st_size:
        raise WeightsError(
            f"the tensors in {path.name} share their values: together they claim {size:,} bytes, "
            "more than the file has; expected each to hold its own"
        )
    return {name: tensor.clone() for name, tensor in features.items()}  # needs the file no more


def _check_whole(path: Path, name: str, tensor: Tensor) -> None:
    """Refuse a tensor that does not hold all the values it claims."""
    dense = tensor.layout is torch.strided and tensor.device.type == "cpu"
    if not dense or tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        raise WeightsError(
            f"{name} in {path.name} does not hold a value for each place of its shape "
            f"{tuple(tensor.shape)} ({tensor.layout}, {tensor.device.type}); expected dense tensors"
        )


def _chain_from_state(path: Path, state: Mapping[str, Tensor]) -> Chain:
    """Order ``features.N.weight`` / ``.bias`` and find the poolings from the gaps in N.

    torchvision numbers convolution, ReLU and pooling in one list: two convolutions in a row are
    2 apart, with a pooling between them 3 apart.
    """
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        match = _FEATURE.fullmatch(name)
        if match is not None:
            found.setdefault(int(match[1]), {})[match[2]] = tensor
    if not found:
        raise WeightsError(
            f"{path.name} has no tensors named features.0.weight, features.0.bias, ...; expected "
            "the state dict of a torchvision VGG, whole or its features only"
        )
    if any("running_mean" in tensors for tensors in found.values()):
        raise WeightsError(
            f"{path.name} is a VGG with batch normalisation; expected one without (fold it into "
            "the convolutions first)"
        )
    chain: list[tuple[Tensor, Tensor] | str] = []
    previous = -2
    for index, tensors in sorted(found.items()):
        if index - previous not in (2, 3) or set(tensors) != {"weight", "bias"}:
            raise WeightsError(
                f"{path.name} does not continue as a VGG at features.{index}: found "
                f"{', '.join(sorted(tensors))} {index - previous} after the convolution before; "
                "expected weight and bias, 2 after (or 3 with a pooling between)"
            )
        if index - previous == 3:
            chain.append(POOL)
        chain.append((_floats(path, tensors["weight"]), _floats(path, tensors["bias"])))
        previous = index
    return _vgg_chain(path, [*chain, POOL])


def _chain_from_caffe(path: Path, arrays: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Chain:
    """Order ``conv1_1`` ... ``conv5_4``; turn weights from (h, w, in, out) to (out, in, h, w)."""
    chain: list[tuple[Tensor, Tensor] | str] = []
    block = 1
    for name in sorted(arrays, key=lambda name: tuple(map(int, _CAFFE.fullmatch(name).groups()))):  # type: ignore[union-attr]
        weight, bias = arrays[name]
        if weight.ndim != 4:
            raise WeightsError(
                f"{name} in {path.name} has shape {weight.shape}; expected (3, 3, in, out)"
            )
        if int(_CAFFE.fullmatch(name)[1]) != block:  # type: ignore[index]
            chain.append(POOL)
            block += 1
        turned = torch.from_numpy(np.ascontiguousarray(weight.transpose(3, 2, 0, 1)))
        chain.append((_floats(path, turned), _floats(path, torch.from_numpy(bias.copy()))))
    return _vgg_chain(path, [*chain, POOL])


def _floats(path: Path, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        raise WeightsError(f"{path.name} holds {tensor.dtype} weights; expected floating point")
    return tensor.to(torch.float32)


def _vgg_chain(path: Path, chain: Chain) -> Chain:
    convolutions, pools = sum(s != POOL for s in map(_kind, chain)), list(chain).count(POOL)
    if pools != 5 or convolutions not in (8, 10, 13, 16):
        raise WeightsError(
            f"{path.name} has {convolutions} convolutions in {pools} blocks; expected VGG19 "
            "(16 in 5 blocks) or one of VGG11, 13, 16 (8, 10, 13 in 5 blocks), of any width"
        )
    return chain


def _kind(step: tuple[Tensor, Tensor] | str) -> str:
    return step if isinstance(step, str) else "conv"


def _read_npy(path: Path) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Read the convolutions of tensorflow-vgg's ``vgg19.npy``: name -> [weight, bias]."""
    try:
        with path.open("rb") as file:
            _skip_object_header(path, file)
            start = file.tell()
            check_pickle(file, path.stat().st_size)
            file.seek(start)
            loaded: Any = _ArrayUnpickler(file, encoding="latin1").load()
        content = loaded.array.item() if isinstance(loaded, _PickledArray) else loaded
    except WeightsError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise WeightsError(
            f"{path.name} is not a whole vgg19.npy: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(content, dict):
        raise WeightsError(
            f"{path.name} holds a {type(content).__name__}; expected the dict of tensorflow-vgg"
        )
    arrays: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, value in content.items():
        if isinstance(name, str) and _CAFFE.fullmatch(name):
            pair = list(value) if isinstance(value, list | tuple) else []
            if len(pair) != 2 or not all(isinstance(array, _PickledArray) for array in pair):
                raise WeightsError(f"{name} in {path.name} is not a list of weight and bias arrays")
            weight, bias = (_plain(path, name, pickled.array) for pickled in pair)
            arrays[name] = weight, bias
    if not arrays:
        raise WeightsError(
            f"{path.name} has no conv1_1 ... conv5_4; expected tensorflow-vgg's dict"
        )
    return arrays


def _plain(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        raise WeightsError(f"{name} in {path.name} holds {array.dtype}; expected floating point")
    return array.astype(np.float32)


def _skip_object_header(path: Path, file: BinaryIO) -> None:
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


class _PickledType:
    """A ``numpy.dtype`` as a pickle describes it; only plain numbers and objects."""

    def __init__(self, code: str, *_: object) -> None:
        if not isinstance(code, str) or _ARRAY_TYPE.fullmatch(code) is None:
            raise pickle.UnpicklingError("an array of a type that is no plain number")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _PickledArray:
    """A ``numpy.ndarray`` as a pickle describes it.

    NumPy's own ``__setstate__`` believes the shape it is told: a few bytes can make it take all
    memory, or crash the process. Here the content must fill the shape exactly.
    """

    def __init__(self) -> None:
        self.array = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        shape, kind, fortran, data = state[-4:]
        if len(shape) > _MOST_AXES or not all(0 <= side <= _LONGEST for side in shape):
            raise pickle.UnpicklingError("an array of an impossible shape")
        if kind.dtype == object:
            content = np.empty(len(data), object)
            content[:] = data
        else:
            content = np.frombuffer(
                data.encode("latin1") if isinstance(data, str) else data, kind.dtype
            )
        if math.prod(shape) != content.size:
            raise pickle.UnpicklingError(f"{content.size} values for an array of shape {shape}")
        self.array = content.reshape(shape, order="F" if fortran else "C")


class _Admitted:
    """What a pickle may ask for: no attribute can be set on it, unlike on a function or a class."""

    __slots__ = ("_call",)
    _call: Callable[..., object] | None

    def __init__(self, call: Callable[..., object] | None) -> None:
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments: object) -> object:
        if self._call is None:
            raise pickle.UnpicklingError("an array made without its content")
        return self._call(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise pickle.UnpicklingError("a change to the program itself")


_NDARRAY = _Admitted(None)
"""Stands for ``numpy.ndarray``: nothing can be made from it."""


def _reconstruct(kind: object, *_: object) -> _PickledArray:
    if kind is not _NDARRAY:
        raise pickle.UnpicklingError("an array made from something else")
    return _PickledArray()


def _latin1(text: str, codec: str) -> bytes:
    """The one use of ``_codecs.encode`` in pickles of arrays: bytes written as text."""
    if not isinstance(text, str) or codec not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("text encoded otherwise than as latin1")
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    """Admits what pickled arrays need and nothing else."""

    _ADMITTED: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): _Admitted(_reconstruct),
        ("numpy._core.multiarray", "_reconstruct"): _Admitted(_reconstruct),
        ("numpy", "ndarray"): _NDARRAY,
        ("numpy", "dtype"): _Admitted(_PickledType),
        ("_codecs", "encode"): _Admitted(_latin1),
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ADMITTED[module, name]
        except KeyError:
            raise WeightsError(
                f"this .npy file asks for {module[:80]}.{name[:80]}: it carries code, and nothing "
                "in it was executed; expected tensorflow-vgg's dict of arrays"
            ) from None

    def persistent_load(self, pid: object) -> Any:
        del pid  # its text may be endless
        raise WeightsError("this .npy file refers to outside data; expected plain arrays")
