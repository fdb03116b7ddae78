"""Reads a pickle that may use only the names in a table, so that nothing in it is executed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from deconv_core.errors import WeightsError


class Stored(NamedTuple):
    """A tensor of a file: type (named as in safetensors), shape, and values in order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows only the names of a table.

    A pickle makes objects by calling named functions and classes, and can set attributes on them.
    So a table holds only built-in types and functions, plain texts, and classes that store their
    arguments and have a ``__setstate__``, which is called instead of setting attributes.
    """

    def __init__(
        self, path: Path, file: BinaryIO, names: Mapping[str, object], advice: str, encoding: str
    ) -> None:
        """Read from ``file``, opened from ``path``; ``names`` maps "module.name" to its value.

        ``encoding`` is the encoding of texts that Python 2 wrote.
        """
        super().__init__(file, encoding=encoding)
        self._path, self._names, self._advice = path, names, advice

    def find_class(self, module: str, name: str) -> Any:
        """The value of this name in the table."""
        try:
            return self._names[f"{module}.{name}"]
        except KeyError:
            raise WeightsError(
                f"{self._path.name} asks for {module[:80]}.{name[:80]}: {_meaning(module, name)}; "
                f"nothing in it was executed. {self._advice}"
            ) from None


def _meaning(module: str, name: str) -> str:
    """What a file is that asks for a name outside the table."""
    if module.startswith(("torch.nn.modules.", "torchvision.models.")):
        return "it is a whole pickled module"
    if "qtensor" in name or (module == "torch" and name.startswith(("QInt", "QUInt", "qint"))):
        return "its weights are quantised"
    if name == "_rebuild_tensor_v3" or "float8" in name:
        return "its numbers are of a type that is not read here, such as 8-bit floats"
    return "it is not a file of plain tensors, or it carries code"
