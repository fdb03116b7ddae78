"""Converts JSON to frozen dataclasses, with a check of every field and its type."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

_Made = TypeVar("_Made")
_LARGEST = 2**53
"""Largest allowed whole number."""


def from_json(kind: type[_Made], content: object) -> _Made:
    """Convert a JSON object to a dataclass.

    Fields may be str, bool, int, float, dict[str, float], dataclasses, tuples of these, and any of
    them or None.

    Raises:
        ValueError: a field is missing, unknown or of another type.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"{kind.__name__} is not an object")
    hints = _hints(typing.cast("Hashable", kind))
    if unknown := set(content) - set(hints):
        raise ValueError(f"{kind.__name__} has the unknown field {min(unknown)[:40]!a}")
    made = {name: _value(hints[name], f"{name}", value) for name, value in content.items()}
    try:
        return kind(**made)
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from None


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _value(wanted: Any, name: str, value: object) -> Any:
    if dataclasses.is_dataclass(wanted):
        return from_json(typing.cast("type[object]", wanted), value)
    arguments = typing.get_args(wanted)
    if isinstance(wanted, types.UnionType):
        (something,) = (kind for kind in arguments if kind is not types.NoneType)
        return None if value is None else _value(something, name, value)
    if typing.get_origin(wanted) is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], name, item) for item in value)
    if typing.get_origin(wanted) is dict and isinstance(value, Mapping):
        return {key: _value(arguments[1], name, item) for key, item in value.items()}
    right = type(value) is wanted or (wanted is float and type(value) is int)
    if not right or (isinstance(value, int) and abs(value) > _LARGEST):
        raise ValueError(f"{name} is not of the right type or size")
    return value
