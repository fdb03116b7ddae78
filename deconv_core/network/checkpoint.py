"""Reads a PyTorch checkpoint (``.pth``, ``.pt``) without torch.

There are two formats: a zip with a pickle and one record for the values of each storage; and,
before torch 1.6, five pickles followed by the values. A tensor is part of a storage, with strides.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

from deconv_core.errors import WeightsError
from deconv_core.network.restricted_pickle import RestrictedUnpickler, Stored
from deconv_core.network.state_dicts import FEATURE, is_vgg, plain_names, state_in

_MAGIC = 0x1950A86A20F9469CFC6C
"""Begins checkpoints in the format before torch 1.6."""
_BYTES = MappingProxyType(
    {
        **{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "C64": 8, "BOOL": 1},
        **{"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1},
    }
)
"""Types of values, and the size of a value in bytes."""


_DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "complex64", "complex128", "bool"),
    *("int64", "int32", "int16", "int8", "uint8"),
)


class Storage(NamedTuple):
    """The values of one or more tensors in a checkpoint."""

    dtype: str
    key: str


class Tensor:
    """A tensor of a checkpoint: the arguments of the torch function that makes it."""

    def __init__(self, *given: Any) -> None:
        """Note it."""
        self.given = given

    def __setstate__(self, state: object) -> None:
        """Refuse to be changed."""
        raise pickle.UnpicklingError("it changes a tensor")


class Inert:
    """Something that training programs save beside the weights: nothing of it is kept."""

    def __init__(self, *_: object, **__: object) -> None:
        """Store nothing."""

    def __setstate__(self, state: object) -> None:
        """Store nothing."""

    def __setitem__(self, name: object, value: object) -> None:
        """Store nothing."""

    def append(self, value: object) -> None:
        """Store nothing."""


_BESIDE = (
    *("argparse.Namespace", "types.SimpleNamespace", "datetime.datetime", "datetime.timedelta"),
    *("pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath"),
    *("pathlib._local.PosixPath", "pathlib._local.WindowsPath", "_codecs.encode", "numpy.dtype"),
    *("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.ndarray"),
    *("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"),
    *("pytorch_lightning.utilities.parsing.AttributeDict", "collections.defaultdict"),
    *("builtins.list", "builtins.dict", "builtins.int", "builtins.float"),
    *("__builtin__.list", "__builtin__.dict", "__builtin__.int", "__builtin__.float"),
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
)
NAMES = MappingProxyType(
    {
        **dict.fromkeys(_BESIDE, Inert),
        **{"collections.OrderedDict": OrderedDict, "collections.Counter": dict},
        **{"builtins.set": set, "__builtin__.set": set, "torch.Size": tuple, "torch.device": str},
        **{"torch._utils._rebuild_tensor": Tensor, "torch._utils._rebuild_tensor_v2": Tensor},
        **{"torch._utils._rebuild_parameter": Tensor, "torch.nn.parameter.Parameter": "Parameter"},
        **{"torch._utils._rebuild_sparse_tensor": Tensor, "torch.serialization._get_layout": str},
        **{"torch._utils._rebuild_meta_tensor_no_storage": Tensor},
        **{"torch.DoubleStorage": "F64", "torch.FloatStorage": "F32", "torch.HalfStorage": "F16"},
        **{"torch.BFloat16Storage": "BF16", "torch.LongStorage": "I64", "torch.IntStorage": "I32"},
        **{"torch.ShortStorage": "I16", "torch.CharStorage": "I8", "torch.ByteStorage": "U8"},
        **{"torch.BoolStorage": "BOOL", "torch.ComplexFloatStorage": "C64"},
        **{f"torch.{name}": name for name in _DTYPES},
    }
)
"""The names that the pickle of a checkpoint may use."""

ADVICE = "Save the state dict alone: torch.save(model.state_dict(), ...)"

_Read = Callable[[Storage], bytes]


class _Unpickler(RestrictedUnpickler):
    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__(path, file, NAMES, ADVICE, "utf-8")
        self.dtypes: dict[str, str] = {}  # of the storages, by their keys

    def persistent_load(self, pid: object) -> Storage:
        match pid:
            case ("storage", str(dtype), str(key), _, _, *view) if not any(view):
                self.dtypes[key] = dtype
                return Storage(dtype, key)
        raise pickle.UnpicklingError("it refers to something that is no storage of numbers")


def read_checkpoint(path: Path, file: BinaryIO) -> dict[str, Stored]:
    """The tensors of the state dict in a checkpoint, by torchvision's names.

    The classifier of a VGG, six sevenths of its numbers, is left out.

    Raises:
        WeightsError: it carries code, holds no state dict or several, or a tensor does not hold its
            values.
        Exception: of any kind, if it is damaged.
    """
    zipped = file.read(4) == b"PK\x03\x04"
    file.seek(0)
    loaded, read = _from_zip(path, file) if zipped else _from_legacy(path, file)
    state = state_in(loaded, lambda given: isinstance(given, Tensor), path.name)
    shapes = {name: _shape(tensor) for name, tensor in state.items()}
    names = plain_names(shapes, path.name)
    if is_vgg({name: shapes[old] for name, old in names.items()}):
        names = {name: old for name, old in names.items() if FEATURE.fullmatch(name)}
    return {name: _dense(path, old, state[old], read) for name, old in names.items()}


def _shape(tensor: Tensor) -> tuple[Any, ...]:
    """The shape that a tensor claims; () if it says none."""
    inner = tensor.given[0] if tensor.given and isinstance(tensor.given[0], Tensor) else tensor
    claimed = inner.given[2] if len(inner.given) > 2 else ()
    return claimed if isinstance(claimed, tuple) else ()


def _from_zip(path: Path, file: BinaryIO) -> tuple[object, _Read]:
    archive = zipfile.ZipFile(file)
    _check_kind(path, archive.namelist())
    (content,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
    folder = content.removesuffix("data.pkl")
    order = f"{folder}byteorder"
    _check_order(order not in archive.namelist() or archive.read(order) == b"little")
    loaded = _Unpickler(path, io.BytesIO(archive.read(content))).load()
    return loaded, lambda storage: archive.read(f"{folder}data/{storage.key}")


def _check_kind(path: Path, names: Sequence[str]) -> None:
    """Refuse what torch writes into zips other than checkpoints."""
    for kind, signs in (
        ("TorchScript program", ("/constants.pkl", "/code/")),
        ("torch.export program", ("/archive_format", "serialized_exported_program.json")),
    ):
        if any(sign in f"/{name}" for name in names for sign in signs):
            raise WeightsError(f"{path.name} is a {kind}, which holds code. {ADVICE}")


def _from_legacy(path: Path, file: BinaryIO) -> tuple[object, _Read]:
    """Five pickles (magic, version, system, content, keys), then the values in the keys' order."""
    if _Unpickler(path, file).load() != _MAGIC:
        raise ValueError("it is neither a zip nor a pickle that torch wrote")
    _Unpickler(path, file).load()
    _check_order(_Unpickler(path, file).load()["little_endian"])
    unpickler = _Unpickler(path, file)
    loaded, size, places = unpickler.load(), path.stat().st_size, {}
    for key in _Unpickler(path, file).load():
        length = int.from_bytes(file.read(8), "little") * _BYTES[unpickler.dtypes[key]]
        places[key] = file.tell(), length
        if file.seek(length, io.SEEK_CUR) > size:
            raise EOFError("it ends too early")

    def read(storage: Storage) -> bytes:
        place, length = places[storage.key]
        file.seek(place)
        return file.read(length)

    return loaded, read


def _check_order(little: object) -> None:
    if not little:
        raise ValueError("its numbers have their highest byte first; expected the lowest")


def _dense(path: Path, name: str, tensor: Tensor, read: _Read) -> Stored:
    """Read a tensor that holds all the values it claims."""
    is_parameter = tensor.given and isinstance(tensor.given[0], Tensor)
    match tensor.given[0].given if is_parameter else tensor.given:
        case (Storage(dtype) as storage, first, tuple(shape), tuple(strides), *_) if all(
            type(number) is int and number >= 0 for number in (first, *shape, *strides)
        ):
            each, values = _BYTES[dtype], read(storage)
            if math.prod(shape) * each <= len(values):
                return Stored(dtype, shape, _in_order(values, each, first, shape, strides))
    raise WeightsError(
        f"{name} in {path.name} does not hold a value for each place of its shape; expected dense "
        "tensors"
    )


def _in_order(
    values: bytes, each: int, first: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> bytes | memoryview:
    """Values of a storage in the order of their places, the last axis fastest."""
    count = math.prod(shape)
    in_order = strides == tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if not count or (in_order and (first + count) * each <= len(values)):
        return memoryview(values)[first * each :][: count * each]
    import numpy as np  # few files need it, and a process without starts in half the time

    steps = [stride * each for stride in strides]
    return np.ndarray(shape, f"V{each}", values, first * each, steps).tobytes()
