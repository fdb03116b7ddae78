"""Read a pickle that may name only what a table holds, so that nothing in it is executed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from deconv_core.errors import WeightsError


class Stored(NamedTuple):
    """A tensor in a file: its type, named as safetensors does, its shape, its values in order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview


class RestrictedUnpickler(pickle.Unpickler):
    """Gives a pickle the names of a table and nothing else.

    A pickle makes objects by calling what it names, and can set attributes on it. So a table holds
    built-in types and functions, plain texts, and classes that note what they are given and have a
    ``__setstate__``, which is called instead of setting attributes.
    """

    def __init__(
        self, path: Path, file: BinaryIO, names: Mapping[str, object], advice: str, encoding: str
    ) -> None:
        """Read from ``file``, which is at ``path``; ``names`` maps "module.name" to what is given.

        ``encoding`` is that of the texts that Python 2 wrote.
        """
        super().__init__(file, encoding=encoding)
        self._path, self._names, self._advice = path, names, advice

    def find_class(self, module: str, name: str) -> Any:
        """The thing of this name in the table."""
        try:
            return self._names[f"{module}.{name}"]
        except KeyError:
            raise WeightsError(
                f"{self._path.name} asks for {module[:80]}.{name[:80]}: it is not a file of plain "
                f"tensors, or it carries code; nothing in it was executed. {self._advice}"
            ) from None
