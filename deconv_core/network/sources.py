"""``load_network``: every source of a network behind one name."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from deconv_core.arguments import callbacks, shown, whole_number
from deconv_core.demo import demo_classifier, demo_weights
from deconv_core.errors import DeconvError, PreprocessingUnclearError, WeightsError
from deconv_core.graph.steps import Convolution, Pair
from deconv_core.home import data_home
from deconv_core.layers import INPUT_SIZE
from deconv_core.network import saved_graph
from deconv_core.network.catalogue import SUPPORTED, TITLES, published_as, split_name
from deconv_core.network.classifiers import traced_at_random, traced_state
from deconv_core.network.from_module import trace, unwrapped
from deconv_core.network.head import linear_head
from deconv_core.network.network import Network, build_network, network_of
from deconv_core.network.preprocessing import (
    Expected,
    Given,
    Preprocessing,
    expected_by,
    expected_of,
    preprocessing_named,
    signs_of_caffe,
)
from deconv_core.network.published import published_file
from deconv_core.network.state_dicts import is_vgg
from deconv_core.network.vgg import VGG19_CHAIN, chain_of, random_vgg19
from deconv_core.network.weight_files import (
    SUFFIXES,
    check_file,
    is_safetensors,
    read_weight_file,
)
from deconv_core.progress import CancelFlag, Progress, or_bar
from deconv_core.typed_paths import path_argument
from deconv_core.whole_files import whole_file

_LARGEST_SIDE = 4_096


@dataclass(frozen=True)
class _Request:
    """What ``load_network`` was asked for.

    Attributes:
        source: the name or path.
        expected: the preprocessing.
        input_size: of the images; None takes the usual one.
        architecture: of a state dict; None finds it.
        cancel: set to stop.
    """

    source: str
    expected: Expected
    input_size: Pair | None = None
    architecture: str | None = None
    cancel: CancelFlag | None = None

    @property
    def preprocessing(self) -> Preprocessing:
        return preprocessing_named(self.expected.name)


def load_network(
    source: str | os.PathLike[str] | nn.Module,
    preprocessing: Given | None = None,
    *,
    input_size: tuple[int, int] | None = None,
    architecture: str | None = None,
    home: Path | None = None,
    progress: Progress | Literal[False] | None = None,
    cancel: CancelFlag | None = None,
) -> Network:
    """Load a convolutional network.

    Args:
        source: "demo" (the small network that ships with this package), "vgg19", "resnet50" or
            another classifier of torchvision (its ImageNet weights, downloaded once;
            "resnet50:IMAGENET1K_V1" chooses among several), "random" (He-initialised VGG19 of full
            width, always the same), "resnet50:random" and so on, the path of a weight file or of
            one that ``Network.save`` wrote, or a ``torch.nn.Module``, which is left as it was.
        preprocessing: "torchvision", "caffe", "caffe-rgb" (Caffe's weights with the channel
            order changed to RGB), or mean and deviation of each channel of pixels from 0 to 1;
            None uses the one that the source implies, and ``Network.preprocessing_reason`` says
            why.
        input_size: height and width of the images, in pixels; None uses that of the source, 224 x
            224 for modules and VGGs.
        architecture: torchvision's name of what a state dict is of; None finds it.
        home: data folder in place of ``data_home()``.
        progress: called with (bytes downloaded, bytes in all) during a download; None draws a bar
            in a notebook or an interactive Python; False does not.
        cancel: set it to stop a download or a conversion; the downloaded part is kept.

    Returns:
        The network. It has a ``head``, which gives class scores, if the source has a classifier;
        the fully connected layers of VGG, most of their files, are taken from modules only.
        The classes of published weights and of the demo have names.

    Raises:
        WeightsError: a weight file is missing, damaged, of another shape or carries code.
        PreprocessingUnclearError: a WeightsError: ``preprocessing`` is None, and the file
            contradicts the preprocessing that its format implies.
        DeconvError: the source or another argument is unknown, or a module cannot be read.
        CancelledError: ``cancel`` was set.
    """
    callbacks(progress, cancel)
    size = _size(input_size)
    if isinstance(source, nn.Module):
        return _of_module(source, preprocessing, size)
    if not isinstance(source, str | os.PathLike):
        raise WeightsError(f"{shown(source)} is not a network; give a name, a path or a module")
    name = path_argument(source)
    asked = _Request(name, expected_by(name, preprocessing), size, architecture, cancel)
    if name in ("random", "vgg19:random"):
        chain, made = random_vgg19(), asked.preprocessing
        return build_network(name, chain, made, asked.expected.reason, size or INPUT_SIZE)
    if name == "demo":
        return _of_demo(asked)
    path = Path(name).expanduser()
    if not isinstance(source, str) or _names_file(name, path):
        return _of_file(path, asked)
    classifier, weights = split_name(name)
    if weights == "random":
        traced = traced_at_random(classifier, asked.preprocessing, size)
        title = f"{TITLES[classifier]}"
        return network_of(
            *(name, traced.graph, asked.preprocessing, asked.expected.reason, title, traced.head)
        )
    kept = data_home() if home is None else Path(path_argument(home))
    report = or_bar(progress, "downloading weights", "B")
    network = _of_file(published(name, kept, progress=report, cancel=cancel), asked)
    return _with_classes(network, published_as(classifier, weights).classes)


def _with_classes(network: Network, classes: tuple[str, ...]) -> Network:
    """The network, with names for the classes of its head if it has one."""
    head = network.head
    return network if head is None else replace(network, head=replace(head, classes=classes))


def _of_demo(asked: _Request) -> Network:
    """The demo network, whose classifier is a file of its own: it was fitted later."""
    network = _of_file(demo_weights(), asked)
    with safe_open(demo_classifier(), framework="pt") as file:
        weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
        classes = tuple(json.loads(file.metadata()["classes"]))
    return replace(network, head=linear_head(len(network.graph.nodes), weight, bias, classes))


def _names_file(name: str, path: Path) -> bool:
    """True if a text is meant as a path: it looks like one, or there is such a file."""
    if name.partition(":")[0] in SUPPORTED:
        return False
    like_a_path = path.suffix.lower() in SUFFIXES or os.sep in name or "/" in name
    return like_a_path or path.is_file()


def _size(given: object) -> Pair | None:
    if given is None:
        return None
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise DeconvError(f"input_size is {shown(given)}; give (height, width)")
    height, width = (whole_number("input_size", side, 1, _LARGEST_SIDE) for side in given)
    return height, width


def _of_module(module: nn.Module, given: Given | None, size: Pair | None) -> Network:
    module = unwrapped(module)
    name, expected = type(module).__name__, expected_of(module, given)
    traced = trace(module, size or INPUT_SIZE)
    made = preprocessing_named(expected.name)
    return network_of(name, traced.graph, made, expected.reason, name, traced.head)


def _of_file(path: Path, asked: _Request) -> Network:
    """The network in a file: saved by this program, or a state dict."""
    check_file(path)
    if is_safetensors(path) and saved_graph.is_saved(path):
        return _of_saved(path, asked)
    state = read_weight_file(path, asked.cancel)
    wanted = asked.architecture or "vgg"
    if is_vgg({name: tuple(tensor.shape) for name, tensor in state.items()}) and (
        wanted.startswith("vgg")
    ):
        return _of_vgg(path, state, asked)
    if not asked.expected.certain:
        _ask_if_unclear(path)
    found, traced = traced_state(
        *(path.name, state, asked.preprocessing, asked.input_size, asked.architecture)
    )
    return network_of(
        *(asked.source, traced.graph, asked.preprocessing, asked.expected.reason),
        *(TITLES[found], traced.head),
    )


def _of_saved(path: Path, asked: _Request) -> Network:
    saved = saved_graph.load(path)
    size = saved.graph.plane(0)
    if asked.input_size not in (None, size):
        raise DeconvError(f"{path.name} is a network for {size[0]}x{size[1]} images only")
    return network_of(
        *(asked.source, saved.graph, asked.preprocessing, asked.expected.reason),
        *(saved.architecture, saved.head),
    )


def _of_vgg(path: Path, state: Mapping[str, Tensor], asked: _Request) -> Network:
    chain = chain_of(path.name, state)
    normalised = any(name.endswith("running_mean") for name in state)
    network = build_network(
        *(asked.source, chain, asked.preprocessing, asked.expected.reason),
        asked.input_size or INPUT_SIZE,
    )
    if asked.architecture:
        split_name(asked.architecture)
        found = network.architecture.lower() + ("_bn" if normalised else "")
        if found != asked.architecture:
            raise WeightsError(f"{path.name} looks like {found}, not like {asked.architecture}")
    if not asked.expected.certain:
        _ask_if_unclear(path, None if normalised else network)
    return network


def _ask_if_unclear(path: Path, network: Network | None = None) -> None:
    """Raise an error if something in a file suggests Caffe's preprocessing.

    The size of the first weights is a sign only where no batch normalisation follows.
    """
    weight = bias = np.zeros(0, np.float32)
    if network is not None:
        first = next(n.step for n in network.graph.nodes if isinstance(n.step, Convolution))
        weight, bias = first.weight.numpy(), first.bias.numpy()
    signs = signs_of_caffe(path.name, weight, bias)
    if signs.reasons:
        raise PreprocessingUnclearError(path.name, signs.reasons, signs.suggested)


def published(
    name: str,
    home: Path,
    *,
    url: str | None = None,
    file: Path | None = None,
    progress: Progress | None = None,
    cancel: CancelFlag | None = None,
) -> Path:
    """Torchvision's weights ("resnet50", "resnet50:IMAGENET1K_V1") as a file below ``home``.

    Downloaded, checked and converted once; ``url`` is an address in place of torchvision's, and
    ``file`` is the published file if it is on this computer already.

    Raises:
        DownloadError: no connection.
        WeightsError: a wrong hash, or a file of something else.
        DeconvError: there are no such weights.
        CancelledError: ``cancel`` was set.
    """
    convert = partial(_convert, name, cancel)
    given = name, home, convert
    return published_file(*given, url=url, file=file, progress=progress, cancel=cancel)


def published_vgg19(
    home: Path,
    *,
    url: str | None = None,
    progress: Progress | None = None,
    cancel: CancelFlag | None = None,
) -> Path:
    """The features of torchvision's VGG19 as a safetensors file below ``home``: ``published``."""
    return published("vgg19", home, url=url, progress=progress, cancel=cancel)


def _convert(
    name: str, cancel: CancelFlag | None, file: Path, converted: Path, said: dict[str, str]
) -> None:
    architecture = name.partition(":")[0]
    network = _of_file(file, _Request(name, expected_by(name), None, architecture, cancel))
    if architecture.startswith("vgg"):
        save_features(network, converted, said)
    else:
        network.save_with(converted, said)


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


__all__ = ["VGG19_CHAIN", "load_network", "published", "published_vgg19", "save_features"]
