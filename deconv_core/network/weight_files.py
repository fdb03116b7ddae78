"""Reads the tensors of an untrusted weight file, without executing anything in it.

Safetensors are read directly. PyTorch checkpoints and the ``vgg19.npy`` of tensorflow-vgg are
pickles: a process with limits on memory and time converts them to safetensors
(``pickled_weights``). The result always has torchvision's names.
"""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
from safetensors import safe_open
from torch import Tensor

from deconv_core.errors import WeightsError
from deconv_core.network.limited_process import run_limited
from deconv_core.network.state_dicts import FEATURE, is_vgg, plain_names
from deconv_core.progress import CancelFlag

SUFFIXES = (".pth", ".pt", ".safetensors", ".npy")
"""Endings that say what a file is; others are looked into."""
LARGEST_FILE = 4 * 2**30
"""Bytes; VGG19 with its fully connected layers has 0.55e9."""

_OTHERS = (
    (b"\x89HDF", "a file of Keras (HDF5)"),
    (b"\x08", "an ONNX file"),
    (b"GGUF", "a GGUF file"),
    (b"\x93NUMPY", "a NumPy file; of these only tensorflow-vgg's is read, and must end in .npy"),
)
"""First bytes of other files that people have -> what they are."""


def check_file(path: Path) -> None:
    """Check that there is a file, of a size that weights may have.

    Raises:
        WeightsError: there is none, or it is empty or too large.
    """
    if not path.is_file():
        raise WeightsError(f"there is no weight file at {path}")
    size = path.stat().st_size
    if not 0 < size <= LARGEST_FILE:
        raise WeightsError(f"{path.name} has {size:,} bytes; expected 1 to {LARGEST_FILE:,}")


def is_safetensors(path: Path) -> bool:
    """True for a safetensors file, by its ending or else by its first bytes.

    Raises:
        WeightsError: it is neither that nor a file that may be a checkpoint.
    """
    if path.suffix.lower() in SUFFIXES:
        return path.suffix.lower() == ".safetensors"
    with path.open("rb") as file:
        first = file.read(9)
    if first[8:] == b"{":
        return True
    if first.startswith((b"PK\x03\x04", b"\x80")):
        return False
    kind = next((kind for begins, kind in _OTHERS if first.startswith(begins)), "no weight file")
    raise WeightsError(
        f"{path.name} is {kind}; give a state dict of PyTorch (.pth, .safetensors) or a network "
        "that Network.save wrote"
    )


def read_weight_file(path: Path, cancel: CancelFlag | None = None) -> dict[str, Tensor]:
    """Read the tensors of a weight file, by torchvision's names; of a VGG its features only.

    Raises:
        WeightsError: missing, of another format, truncated, carrying code, or of several networks.
        CancelledError: ``cancel`` was set.
    """
    check_file(path)
    if is_safetensors(path):
        return _read_safetensors(path)
    return safetensors.torch.load(run_limited("deconv_core.network.pickled_weights", path, cancel))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            names = plain_names(shapes, path.name)
            if is_vgg({name: shapes[old] for name, old in names.items()}):
                names = {name: old for name, old in names.items() if FEATURE.fullmatch(name)}
            return {name: file.get_tensor(old).clone() for name, old in names.items()}
    except WeightsError:
        raise
    except Exception as error:  # also types that this torch does not know
        raise WeightsError(f"{path.name} is not a whole safetensors file: {error}") from error
