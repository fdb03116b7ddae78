"""``load_network``: every source of weights behind one name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import filelock
import torch
from safetensors.torch import save_file

from deconv_core.arguments import callbacks, shown
from deconv_core.demo import demo_weights
from deconv_core.errors import CancelledError, PreprocessingUnclearError, WeightsError
from deconv_core.graph.steps import Convolution
from deconv_core.home import data_home
from deconv_core.network.download import download, sha256_of
from deconv_core.network.network import POOL, Network, build_network
from deconv_core.network.preprocessing import (
    Expected,
    expected_by,
    preprocessing_named,
    signs_of_caffe,
)
from deconv_core.network.weight_files import SUFFIXES, read_weight_file
from deconv_core.progress import CancelFlag, Progress
from deconv_core.typed_paths import path_argument
from deconv_core.whole_files import remove_parts, whole_file

VGG19_CHAIN = (
    *(64, 64, POOL, 128, 128, POOL, 256, 256, 256, 256, POOL),
    *(512, 512, 512, 512, POOL, 512, 512, 512, 512, POOL),
)
"""Configuration E of Simonyan & Zisserman (arXiv 1409.1556), convolutions only."""


_CHOICES = (
    f"choose 'demo', 'vgg19', 'random' or the path of a file that ends in {', '.join(SUFFIXES)}"
)


def load_network(
    source: str | os.PathLike[str],
    preprocessing: str | None = None,
    *,
    home: Path | None = None,
    progress: Progress | None = None,
    cancel: CancelFlag | None = None,
) -> Network:
    """Load the convolutional stack of a VGG.

    Args:
        source: "demo" (the small network that ships with this package), "vgg19" (torchvision's
            ImageNet weights, downloaded once, 575 MB), "random" (He-initialised VGG19 of full
            width, always the same), or the path of a .pth, .pt, .safetensors or .npy file.
        preprocessing: "torchvision", "caffe", or "caffe-rgb" (Caffe's weights with the channel
            order changed to RGB); None uses the one that the source implies, and
            ``Network.preprocessing_reason`` says why.
        home: data folder in place of ``data_home()``.
        progress: called with (bytes downloaded, bytes in all) during a download.
        cancel: set it to stop a download or a conversion; the downloaded part is kept.

    Raises:
        WeightsError: the source is unknown, missing, damaged, of another shape or carries code.
        PreprocessingUnclearError: a WeightsError: ``preprocessing`` is None, and the file
            contradicts the preprocessing that its format implies.
        DeconvError: ``preprocessing`` is not a known name.
        CancelledError: ``cancel`` was set.
    """
    if not isinstance(source, str | os.PathLike):
        raise WeightsError(f"{shown(source)} is not a network; {_CHOICES}")
    callbacks(progress, cancel)
    name = path_argument(source)
    expected = expected_by(name, preprocessing)
    if name == "random":
        return _random_network(expected)
    if name == "demo":
        path = demo_weights()
    elif name == "vgg19":
        kept = data_home() if home is None else Path(path_argument(home))
        path = published_vgg19(kept, progress=progress, cancel=cancel)
    elif Path(name).suffix.lower() in SUFFIXES:
        path = Path(name).expanduser()
    else:
        raise WeightsError(f"{name!r} is not a network; {_CHOICES}")
    network = _built(name, read_weight_file(path, cancel), expected)
    if not expected.certain:
        _ask_if_unclear(path, network)
    return network


def _built(
    source: str, chain: Sequence[tuple[torch.Tensor, torch.Tensor] | str], expected: Expected
) -> Network:
    preprocessing = preprocessing_named(expected.name)
    return build_network(source, chain, preprocessing, expected.reason)


def _ask_if_unclear(path: Path, network: Network) -> None:
    """Raise an error if something in a file suggests Caffe's preprocessing."""
    first = next(n.step for n in network.graph.nodes if isinstance(n.step, Convolution))
    signs = signs_of_caffe(path.name, first.weight.numpy(), first.bias.numpy())
    if signs.reasons:
        raise PreprocessingUnclearError(path.name, signs.reasons, signs.suggested)


def _random_network(expected: Expected) -> Network:
    """VGG19 of full width: He et al. (2015) normal weights, small biases, fixed seed."""
    generator = torch.Generator().manual_seed(0)
    chain: list[tuple[torch.Tensor, torch.Tensor] | str] = []
    channels = 3
    for step in VGG19_CHAIN:
        if isinstance(step, str):
            chain.append(step)
            continue
        deviation = (2 / (9 * channels)) ** 0.5
        weight = torch.randn((step, channels, 3, 3), generator=generator) * deviation
        chain.append((weight, torch.randn((step,), generator=generator) * 0.01))
        channels = step
    return _built("random", chain, expected)


def published_vgg19(
    home: Path,
    *,
    url: str | None = None,
    progress: Progress | None = None,
    cancel: CancelFlag | None = None,
) -> Path:
    """The features of torchvision's VGG19 as a safetensors file below ``home``.

    Downloads and converts the file once. If torch already has a copy with the right hash, this copy
    is used instead. Only the first 8 digits of the published hash are known, from the file's name.

    Raises:
        WeightsError: no connection, a wrong hash, or a file that is not VGG19.
        CancelledError: ``cancel`` was set.
    """
    if url is None:
        from torchvision.models import VGG19_Weights  # torchvision is slow to import

        url = str(VGG19_Weights.IMAGENET1K_V1.url)
    published = url.rsplit("/", 1)[-1]
    prefix = Path(published).stem.rsplit("-", 1)[-1]
    converted = home / "weights" / f"{Path(published).stem}.features.safetensors"
    if converted.exists():
        return converted
    with _alone(converted, cancel):
        return _fetched(url, prefix, converted, progress, cancel)


@contextmanager
def _alone(converted: Path, cancel: CancelFlag | None) -> Iterator[None]:
    """A lock, so that only one process downloads: a second one waits, and then finds the file."""
    converted.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(converted.with_name(f"{converted.name}.lock"))
    while True:
        try:
            lock.acquire(timeout=0.2)
            break
        except filelock.Timeout:
            if cancel is not None and cancel.is_set():
                raise CancelledError("stopped while another process downloads") from None
    try:
        yield
    finally:
        lock.release()


def _fetched(
    url: str, prefix: str, converted: Path, progress: Progress | None, cancel: CancelFlag | None
) -> Path:
    if converted.exists():  # by whom this one waited for
        return converted
    remove_parts(converted.parent, converted.name.__eq__)
    published = url.rsplit("/", 1)[-1]
    kept = Path(torch.hub.get_dir()) / "checkpoints" / published
    if kept.is_file() and sha256_of(kept).startswith(prefix):
        _convert(kept, converted, cancel)
        return converted
    fetched = download(url, converted.parent / published, prefix, progress=progress, cancel=cancel)
    _convert(fetched, converted, cancel)
    fetched.unlink()  # 575 MB that nothing reads again
    return converted


def _convert(published: Path, converted: Path, cancel: CancelFlag | None) -> None:
    network = _built("vgg19", read_weight_file(published, cancel), expected_by("vgg19"))
    save_features(network, converted, {"published": published.name, "sha256": sha256_of(published)})


def save_features(network: Network, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a network's convolutions as a safetensors file with torchvision's names.

    The file gets its name only when it is complete.
    """
    state: dict[str, torch.Tensor] = {}
    for index, node in enumerate(network.graph.nodes):  # as torchvision counts: ReLUs too
        if isinstance(node.step, Convolution):
            flip = network.preprocessing.bgr_weights and index == 0
            weight = node.step.weight.flip(1).contiguous() if flip else node.step.weight
            state |= {
                f"features.{index}.weight": weight,
                f"features.{index}.bias": node.step.bias,
            }
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        save_file(state, part, {"preprocessing": network.preprocessing.name, **(metadata or {})})
