"""What a pickle would build, read off its instructions before anything is built.

Unpicklers that admit harmless names only still do as they are told with memory and time: a place in
the memo numbered four billion, a string longer than the file, a tuple that holds itself thirty
times over, one string copied a thousand times. Here the instructions are walked without carrying
any out, on a stack that knows only how large things are; what costs more than its file is worth is
refused.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Container
from typing import BinaryIO

MOST_INSTRUCTIONS = 200_000
"""VGG19's files have a few thousand."""
_FREE_WORK = 200_000
_BYTES_A_STEP = 16

# How many bytes a counted argument's length takes (pickletools names these kinds by negatives).
_LENGTH_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_INSTRUCTIONS = {op.code: op for op in pickletools.opcodes}
_REFUSED = {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}
_OTHER_NAMES = {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ_EX"}
_CALLS = {"REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST", "BUILD", "BINPERSID"}
_HASHES = {"SETITEM", "SETITEMS", "DICT", "ADDITEMS", "FROZENSET"}
_HOLDERS = {"LIST", "DICT", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET"}
_FILLED = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"}
_GETS, _PUTS = {"GET", "BINGET", "LONG_BINGET"}, {"PUT", "BINPUT", "LONG_BINPUT"}

_Thing = list["_Thing"] | int
"""What lies on the stack: a container with what is in it, or the weight of something plain."""


def check_pickle(file: BinaryIO, size: int, names: Container[str] | None = None) -> None:
    """Walk the pickle that begins where ``file`` stands, to its end.

    Args:
        file: seekable; left behind the pickle.
        size: of the whole file in bytes; nothing in it can claim more.
        names: "module name" of what it may ask for by name; None leaves that to the unpickler.

    Raises:
        pickle.UnpicklingError: it is damaged, asks for another name, or would take more memory or
            time than a file of its size has a right to.
    """
    walker = _Walker(file, size, names)
    for _ in range(MOST_INSTRUCTIONS):
        if walker.step():
            return
    raise pickle.UnpicklingError(f"it has more than {MOST_INSTRUCTIONS:,} instructions")


class _Walker:
    """The state of a walk: stack, memo, and how much work may still be asked for."""

    def __init__(self, file: BinaryIO, size: int, names: Container[str] | None) -> None:
        self._file, self._size, self._names = file, size, names
        self._stack: list[_Thing | None] = []  # None stands for a mark
        self._memo: dict[int, _Thing] = {}
        self._work_left = _FREE_WORK + size // _BYTES_A_STEP

    def step(self) -> bool:
        """Walk one instruction; True if it was the last."""
        code = self._read(1)
        op = _INSTRUCTIONS.get(code.decode("latin1"))
        if op is None or op.name in _REFUSED:
            raise pickle.UnpicklingError(f"it has the instruction {code!r}")
        argument, weight = self._argument(op.arg)
        self._check_name(op.name, argument)
        if op.name in _PUTS or op.name == "MEMOIZE":
            self._put(len(self._memo) if op.name == "MEMOIZE" else _number(op.name, argument))
        elif op.name in _GETS:
            self._stack.append(self._got(_number(op.name, argument)))
        elif op.name == "FRAME" and int.from_bytes(argument, "little") > self._left():
            raise pickle.UnpicklingError("it claims to be longer than its file")
        elif op.name == "MARK":
            self._stack.append(None)
        elif op.name == "DUP":
            self._stack.append(self._top())
        else:
            self._change(op, weight)
        return op.name == "STOP"

    def _argument(self, kind: pickletools.ArgumentDescriptor | None) -> tuple[bytes, int]:
        """The bytes of a short argument, or b"" for a counted one; and what it weighs."""
        if kind is None:
            return b"", 1
        if kind.n == pickletools.UP_TO_NEWLINE:
            lines = 2 if kind.name == "stringnl_noescape_pair" else 1
            text = b" ".join(self._line() for _ in range(lines))
            return text, 1 + len(text) // 64
        if kind.n >= 0:
            return self._read(kind.n), 1
        length = int.from_bytes(self._read(_LENGTH_BYTES[kind.n]), "little")
        if length > self._left():
            raise pickle.UnpicklingError(f"it claims {length:,} bytes that its file does not have")
        self._file.seek(length, 1)
        return b"", 1 + length // 64

    def _change(self, op: pickletools.OpcodeInfo, weight: int) -> None:
        """Take from the stack what an instruction takes, and put there what it makes."""
        taken = self._taken(op)
        filled = op.name in _FILLED
        if op.name in _CALLS or op.name in _HASHES:
            self._work(taken[1:] if filled else taken)
        if filled or op.name == "BUILD":
            if filled and isinstance(taken[0], list):
                taken[0].extend(taken[1:])
            self._stack.append(taken[0])
        elif op.name in _HOLDERS or op.name in _CALLS:
            self._stack.append(taken)
        else:
            made: list[_Thing] = [[] if op.name.startswith("EMPTY_") else weight]
            self._stack += made * len(op.stack_after)

    def _taken(self, op: pickletools.OpcodeInfo) -> list[_Thing]:
        """What an instruction takes off the stack, the lowest first, without the mark."""
        wanted = [kind.name for kind in op.stack_before]
        taken: list[_Thing] = []
        if "mark" in wanted:
            while (thing := self._pop()) is not None:
                taken.append(thing)
            wanted = wanted[: wanted.index("mark")]
        for _ in wanted:
            taken.append(self._top())
            self._stack.pop()
        return taken[::-1]

    def _work(self, things: list[_Thing]) -> None:
        """Count everything that a call or a hash would go through, as often as it would."""
        waiting = list(things)
        while waiting:
            thing = waiting.pop()
            self._work_left -= thing if isinstance(thing, int) else 1
            if self._work_left < 0:
                raise pickle.UnpicklingError("it would build far more than its file holds")
            if isinstance(thing, list):
                waiting += thing[: self._work_left + 1]

    def _check_name(self, instruction: str, argument: bytes) -> None:
        if self._names is None:
            return
        if instruction in _OTHER_NAMES:
            raise pickle.UnpicklingError(f"it has the instruction {instruction}")
        if instruction == "GLOBAL" and argument.decode("latin1") not in self._names:
            asked = argument[:80].decode("latin1").replace(" ", ".")
            raise pickle.UnpicklingError(f"it asks for {asked!a}")

    def _put(self, number: int) -> None:
        if number > 2 * len(self._memo) + 1000:  # picklers number them in order
            raise pickle.UnpicklingError(f"it remembers something under the number {number}")
        self._memo[number] = self._top()

    def _got(self, number: int) -> _Thing:
        try:
            return self._memo[number]
        except KeyError:
            raise pickle.UnpicklingError(f"it recalls what is not there ({number})") from None

    def _top(self) -> _Thing:
        if not self._stack or (thing := self._stack[-1]) is None:
            raise pickle.UnpicklingError("it takes what is not there")
        return thing

    def _pop(self) -> _Thing | None:
        if not self._stack:
            raise pickle.UnpicklingError("it takes what is not there")
        return self._stack.pop()

    def _left(self) -> int:
        return self._size - self._file.tell()

    def _read(self, count: int) -> bytes:
        found = self._file.read(count)
        if len(found) < count:
            raise pickle.UnpicklingError("it ends too early")
        return found

    def _line(self) -> bytes:
        found = self._file.readline(min(self._left(), 2**16))
        if not found.endswith(b"\n"):
            raise pickle.UnpicklingError("it ends too early")
        return found[:-1]


def _number(instruction: str, argument: bytes) -> int:
    if instruction in ("PUT", "GET"):
        if not argument.isdigit() or len(argument) > 9:
            raise pickle.UnpicklingError(f"it numbers something {argument[:20]!r}")
        return int(argument)
    return int.from_bytes(argument, "little")
