"""Checks of arguments: each error message names the argument, its value and what is allowed."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeVar

from deconv_core.errors import DeconvError

_Kind = TypeVar("_Kind")


def whole_number(name: str, given: object, least: int | None = 0, most: int | None = None) -> int:
    """A count or a position as a plain int; accepts numpy's integers, but no floats and no bools.

    Args:
        name: name of the argument.
        given: its value.
        least: the smallest allowed value; None for no limit.
        most: the largest allowed value; None for no limit.

    Raises:
        DeconvError: the value is not allowed.
    """
    number = None if isinstance(given, bool) else _index(given)
    too_small = number is None or (least is not None and number < least)
    if number is None or too_small or (most is not None and number > most):
        allowed = "" if least is None else f" of at least {least}"
        allowed = allowed if most is None else f" from {least} to {most:,}"
        raise DeconvError(f"{name} is {shown(given)}; give a whole number{allowed}")
    return number


def real_number(
    name: str, given: object, allowed: str = "a number", *, finite: bool = True
) -> float:
    """A number as a plain float, by default a finite one; accepts no bools.

    Raises:
        DeconvError: the value is not allowed.
    """
    is_flag, number = isinstance(given, bool), None
    if not is_flag and isinstance(given, numbers.Real):
        with suppress(OverflowError):  # a whole number of many digits
            number = float(given)
    if number is None or (finite and not math.isfinite(number)):
        raise DeconvError(f"{name} is {shown(given)}; give {allowed}")
    return number


def flag(name: str, given: object) -> bool:
    """The value, if it is True or False.

    Raises:
        DeconvError: it is not a bool.
    """
    if not isinstance(given, bool):
        raise DeconvError(f"{name} is {shown(given)}; give True or False")
    return given


def text(name: str, given: object, allowed: str) -> str:
    """The value, if it is a text.

    Raises:
        DeconvError: it is not a text.
    """
    if not isinstance(given, str):
        raise DeconvError(f"{name} is {shown(given)}; give {allowed}")
    return given


def instance(name: str, given: object, kind: type[_Kind], example: str) -> _Kind:
    """The value, if it is an object of the class ``kind``.

    Raises:
        DeconvError: it is of another class.
    """
    if not isinstance(given, kind):
        raise DeconvError(
            f"{name} is {shown(given)}; give {_a(kind.__name__)}, for example {example}"
        )
    return given


def callbacks(progress: object, cancel: object) -> None:
    """Check the arguments ``progress`` and ``cancel`` of long work; both may be None.

    Raises:
        DeconvError: ``progress`` is not a function and not False, or ``cancel`` is not an event.
    """
    if progress is not None and progress is not False and not callable(progress):
        raise DeconvError(f"progress is {shown(progress)}; give a function, or False for none")
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise DeconvError(f"cancel is {shown(cancel)}; give a threading.Event")


def listed(name: str, given: object, kinds: tuple[type, ...], example: str) -> list[Any]:
    """The items of a list, tuple or generator, if all of them are of the classes ``kinds``.

    Raises:
        DeconvError: it is a single item, or not a list, or holds items of other classes.
    """
    wanted = " or ".join(_a(kind.__name__) for kind in kinds)
    if isinstance(given, kinds):
        raise DeconvError(f"{name} is {_a(type(given).__name__)} alone; give a list of them: [it]")
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise DeconvError(f"{name} is {shown(given)}; give a list, for example {example}")
    items = list(given)
    for item in items:
        if not isinstance(item, kinds):
            raise DeconvError(
                f"{name} holds {shown(item)}; each item has to be {wanted}, for example {example}"
            )
    return items


def shown(given: object) -> str:
    """A value as error messages show it, short and on one line."""
    if isinstance(given, int) and given.bit_length() > 128:
        return "a number of many digits"
    if given is None or isinstance(given, numbers.Number):
        return str(given)
    if isinstance(given, str):
        return ascii(given[:60])
    return _a(type(given).__name__)


def _index(given: object) -> int | None:
    try:
        return operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        return None


def _a(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"
