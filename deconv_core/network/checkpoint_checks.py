"""Whether a PyTorch checkpoint may be given to ``torch.load``, by its structure alone.

``torch.load(weights_only=True)`` runs no code, but unpacks what a zip claims to hold and builds
what a pickle asks for, however large. Only what plain checkpoints need is let through, in a zip
that every reader reads the same way.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

import torch

from deconv_core.network.pickle_checks import check_pickle

LARGEST_RECORD = 64 * 2**20
"""Bytes of a record of a zip checkpoint that is no tensor: its pickle, its version."""
_MOST_RECORDS = 20_000
_END_BYTES, _END_64_BYTES = 22, 56 + 20
_PICKLES_BEFORE_TENSORS = 5  # of the legacy format: magic, version, system, content, storage keys

_DTYPES = sorted(name for name, kind in vars(torch).items() if isinstance(kind, torch.dtype))
_STORAGES = ("Untyped", "Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char")
NAMES = frozenset(
    (
        *("collections OrderedDict", "collections Counter", "__builtin__ set", "builtins set"),
        *("torch Size", "torch device", "torch.nn.parameter Parameter"),
        *("torch.serialization _get_layout", "torch.storage UntypedStorage"),
        *("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2"),
        *("torch._utils _rebuild_parameter", "torch._utils _rebuild_sparse_tensor"),
        *("torch._utils _rebuild_meta_tensor_no_storage",),
        *(f"torch {name}" for name in _DTYPES),
        *(f"torch {name}Storage" for name in (*_STORAGES, "Byte", "Bool")),
        *(f"torch {name}Storage" for name in ("ComplexFloat", "ComplexDouble")),
    )
)
"""What the pickle of a checkpoint may ask for: tensors and what holds them. Not, for example,
``bytearray`` and ``encode``, which torch admits, and which make as many bytes as they are told."""


def check_checkpoint(path: Path) -> None:
    """Look at a ``.pth`` file without loading it.

    Raises:
        pickle.UnpicklingError: its pickle asks for code, or for more than the file is worth.
        ValueError: it is damaged, or no file that ``torch.save`` writes.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"  # what torch.load goes by
        file.seek(0)
        if zipped:
            _check_zip(file, size)
            return
        if file.read(1) != pickle.PROTO:  # also keeps out the tar files of torch before 0.2
            raise ValueError("it is neither a zip nor a pickle")
        file.seek(0)
        for _ in range(_PICKLES_BEFORE_TENSORS):
            check_pickle(file, size, NAMES)


def _check_zip(file: BinaryIO, size: int) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            _check_ends_plainly(file, size, archive.start_dir)
            infos = archive.infolist()
            _check_records(infos, size)
            for info in infos:
                if info.filename.endswith(".pkl"):
                    content = archive.read(info)
                    check_pickle(io.BytesIO(content), len(content), NAMES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"it is no whole zip: {error}") from error


def _check_records(infos: list[zipfile.ZipInfo], size: int) -> None:
    """Nothing is packed, so nothing can swell; no two records have one name."""
    if len(infos) > _MOST_RECORDS:
        raise ValueError(f"it has {len(infos):,} records; at most {_MOST_RECORDS:,} are read")
    if len({info.filename.lower() for info in infos}) < len(infos):
        raise ValueError("two records have one name")
    for info in infos:
        tensor = "/data/" in info.filename
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(f"the record {info.filename[:80]!a} is compressed")
        if info.file_size > (size if tensor else LARGEST_RECORD):
            raise ValueError(f"the record {info.filename[:80]!a} is too large")


def _check_ends_plainly(file: BinaryIO, size: int, directory: int) -> None:
    """The table of contents ends where the end record begins, and that ends the file.

    Then no reader can find another table than the one that was checked.
    """
    file.seek(max(0, size - _END_BYTES - _END_64_BYTES))
    tail = file.read()
    end = tail[-_END_BYTES:]
    if not end.startswith(b"PK\x05\x06"):
        raise ValueError("something follows the end of the zip")
    length, start = struct.unpack_from("<II", end, 12)
    last = size - _END_BYTES
    if tail[:-_END_BYTES][-20:].startswith(b"PK\x06\x07"):
        last -= _END_64_BYTES
        length, start = struct.unpack_from("<QQ", tail, 40)
        (record,) = struct.unpack_from("<Q", tail, 56 + 8)
        if record != last:
            raise ValueError("its two end records contradict each other")
    if start != directory or start + length != last:
        raise ValueError("its table of contents is not where it claims")
