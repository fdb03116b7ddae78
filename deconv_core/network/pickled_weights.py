"""A program that reads the convolutions of a pickled weight file and writes them as safetensors.

``python -m deconv_core.network.pickled_weights FILE`` writes to its standard output. Nothing in the
file is executed. But a pickle of a few bytes can demand any amount of memory and time. So this is a
separate process, which limits itself before it reads.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from deconv_core.errors import WeightsError
from deconv_core.network.checkpoint import read_checkpoint
from deconv_core.network.limited_process import END_OF_MEMORY, REFUSED, limit_this_process
from deconv_core.network.restricted_pickle import Stored


def converted(path: Path) -> Iterator[bytes | memoryview]:
    """The convolutions in a pickled weight file, with torchvision's names, as safetensors.

    Raises:
        WeightsError: it is damaged, of another format, or carries code.
        MemoryError: reading it needs more memory than allowed.
    """
    found = _read(path)
    claimed, size = sum(len(tensor.data) for tensor in found.values()), path.stat().st_size
    if claimed > 2 * size:  # half floats become floats
        raise WeightsError(
            f"the tensors in {path.name} claim {claimed:,} bytes together, and it has {size:,}: "
            "they share their values or are compressed; expected each to hold its own"
        )
    described, end = {}, 0
    for name, tensor in found.items():
        places = [end, end := end + len(tensor.data)]
        described[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": places}
    header = json.dumps(described).encode()
    yield len(header).to_bytes(8, "little") + header
    yield from (tensor.data for tensor in found.values())


def _read(path: Path) -> dict[str, Stored]:
    npy = path.suffix.lower() == ".npy"
    try:
        with path.open("rb") as file:
            if not npy:
                return read_checkpoint(path, file)
            from deconv_core.network.caffe_npy import read_caffe_npy  # imports numpy

            return read_caffe_npy(path, file)
    except (WeightsError, MemoryError):
        raise
    except Exception as error:  # damaged pickles raise many kinds of errors
        kind = "whole vgg19.npy" if npy else "readable PyTorch checkpoint"
        reason = next(iter(str(error).splitlines()), "")
        raise WeightsError(
            f"{path.name} is not a {kind} (truncated or of another format): "
            f"{type(error).__name__}: {reason[:200]}"
        ) from error


def main() -> int:
    """Convert the file that the command line names; returns the exit status."""
    path = Path(sys.argv[1])
    limit_this_process(path.stat().st_size)
    try:
        for part in converted(path):
            sys.stdout.buffer.write(part)
    except WeightsError as error:
        sys.stderr.buffer.write(str(error).encode("utf-8", "surrogateescape"))
        return REFUSED
    except MemoryError:
        return END_OF_MEMORY
    return 0


if __name__ == "__main__":
    sys.exit(main())
