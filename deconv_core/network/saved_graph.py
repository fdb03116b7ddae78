"""A network in one safetensors file: its graph as JSON in the metadata, its weights as tensors.

Loading executes nothing. Everything that the JSON says is checked: it can name known steps only,
of earlier values only; shapes are computed anew from the steps, not read; weights must have the
shapes that their steps ask for, and finite numbers.

::

    metadata
      deconvnet           "1", the version of this form
      preprocessing       its name; that of one's own says the numbers
      network             JSON: architecture, input_size, nodes [...], head [...], classes [...]
    tensors
      nodes.0.weight, nodes.0.bias, nodes.7.scale, head.2.weight ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta, Struct
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from deconv_core.arguments import shown
from deconv_core.deconvnet import up
from deconv_core.errors import WeightsError
from deconv_core.graph.steps import (
    Addition,
    Affine,
    AveragePooling,
    ChannelSlice,
    Concatenation,
    Convolution,
    Graph,
    MaxPooling,
    Node,
    Rectification,
    ResponseNormalisation,
    Shape,
    Step,
    Unknown,
    ZeroPadding,
)
from deconv_core.network.head import Flattening, Head, HeadStep, Linear, MeanPooling
from deconv_core.network.preprocessing import Preprocessing, preprocessing_named
from deconv_core.whole_files import whole_file

VERSION = "1"
MOST_NODES = 5_000
"""DenseNet-201, the longest of torchvision's, has under 800."""
MOST_SIDE = 4_096
"""Pixels of an input along one axis."""
MOST_NUMBERS = 2**30
"""Numbers in one value of one image."""

_Count = Annotated[int, Meta(ge=1, le=65_536)]
_Zero = Annotated[int, Meta(ge=0, le=65_536)]
_Amount = Annotated[int, Meta(ge=-65_536, le=65_536)]
_Real = Annotated[float, Meta(ge=-1e6, le=1e6)]
_Counts = tuple[_Count, _Count]
_Zeros = tuple[_Zero, _Zero]
_Name = Annotated[str, Meta(max_length=200, pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.\-]*)?\Z")]
_Title = Annotated[str, Meta(max_length=200, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\- ]*\Z")]
_ClassName = Annotated[str, Meta(max_length=200)]


class _Spec(Struct, forbid_unknown_fields=True, tag_field="step"):
    pass


class _Convolution(_Spec, tag="convolution"):
    stride: _Counts
    padding: _Zeros
    dilation: _Counts
    groups: _Count


class _Affine(_Spec, tag="affine"):
    pass


class _Rectification(_Spec, tag="rectification"):
    ceiling: Annotated[float, Meta(gt=0)] | None = None


class _MaxPooling(_Spec, tag="max pooling"):
    kernel: _Counts
    stride: _Counts
    padding: _Zeros
    dilation: _Counts
    ceil_mode: bool


class _AveragePooling(_Spec, tag="average pooling"):
    kernel: _Counts
    stride: _Counts
    padding: _Zeros
    ceil_mode: bool
    count_padding: bool


class _Addition(_Spec, tag="addition"):
    pass


class _Concatenation(_Spec, tag="concatenation"):
    pass


class _ChannelSlice(_Spec, tag="channel slice"):
    first: _Zero
    end: _Count


class _ZeroPadding(_Spec, tag="zero padding"):
    left: _Amount
    right: _Amount
    top: _Amount
    bottom: _Amount


class _ResponseNormalisation(_Spec, tag="response normalisation"):
    size: _Count
    alpha: _Real
    beta: _Real
    k: _Real


class _Unknown(_Spec, tag="unknown"):
    name: Annotated[str, Meta(max_length=60, pattern=r"^[A-Za-z0-9_ ]+\Z")]
    shape: tuple[_Count, _Count, _Count]


_KINDS: tuple[tuple[type[_Spec], Any], ...] = (
    (_Convolution, Convolution),
    (_Affine, Affine),
    (_Rectification, Rectification),
    (_MaxPooling, MaxPooling),
    (_AveragePooling, AveragePooling),
    (_Addition, Addition),
    (_Concatenation, Concatenation),
    (_ChannelSlice, ChannelSlice),
    (_ZeroPadding, ZeroPadding),
    (_ResponseNormalisation, ResponseNormalisation),
    (_Unknown, Unknown),
)
_OF_LAYERS = _Rectification | _MaxPooling | _AveragePooling
_LAYERS = "rectification or pooling"
_TENSORS: Mapping[Any, tuple[str, ...]] = {
    Convolution: ("weight", "bias"),
    Affine: ("scale", "shift"),
    Linear: ("weight", "bias"),
}
_StepSpec = (
    _Convolution
    | _Affine
    | _Rectification
    | _MaxPooling
    | _AveragePooling
    | _Addition
    | _Concatenation
    | _ChannelSlice
    | _ZeroPadding
    | _ResponseNormalisation
    | _Unknown
)


class _MeanPooling(_Spec, tag="mean pooling"):
    size: _Counts


class _Flattening(_Spec, tag="flattening"):
    pass


class _Linear(_Spec, tag="linear"):
    pass


_HeadSpec = _MeanPooling | _Flattening | _Linear | _Rectification
_HEAD_KINDS: tuple[tuple[type[_Spec], Any], ...] = (
    (_MeanPooling, MeanPooling),
    (_Flattening, Flattening),
    (_Linear, Linear),
    (_Rectification, Rectification),
)


class _NodeSpec(Struct, forbid_unknown_fields=True):
    step: _StepSpec
    inputs: Annotated[list[_Zero], Meta(min_length=1, max_length=1_000)]
    path: _Name = ""
    layer: _Name = ""


class _NetworkSpec(Struct, forbid_unknown_fields=True, omit_defaults=True):
    architecture: _Title
    input_size: tuple[
        Annotated[int, Meta(ge=1, le=MOST_SIDE)], Annotated[int, Meta(ge=1, le=MOST_SIDE)]
    ]
    nodes: Annotated[list[_NodeSpec], Meta(min_length=1, max_length=MOST_NODES)]
    head_value: _Zero = 0
    head: Annotated[list[_HeadSpec], Meta(max_length=100)] = []
    classes: Annotated[list[_ClassName], Meta(max_length=65_536)] = []


@dataclass(frozen=True, eq=False)
class SavedNetwork:
    """What a file holds.

    Attributes:
        architecture: what the network is called, for people.
        graph: its steps; weights in the channel order of their publication.
        head: its classifier, or None.
        preprocessing: how pixels become its input.
    """

    architecture: str
    graph: Graph
    head: Head | None
    preprocessing: Preprocessing


def save(network: SavedNetwork, path: Path, said: Mapping[str, str] | None = None) -> None:
    """Write the file; it appears under its name when it is whole.

    Args:
        network: what it holds.
        path: of the file.
        said: more metadata, for people.

    Raises:
        OSError: the disk does not take it.
    """
    tensors: dict[str, Tensor] = {}
    nodes = []
    for place, node in enumerate(network.graph.nodes):
        spec = _spec_of(_KINDS, node.step, f"nodes.{place}", tensors, shape=node.shape)
        nodes.append(_NodeSpec(spec, list(node.inputs), node.path, node.layer))  # type: ignore[arg-type]
    head = network.head
    steps = [
        _spec_of(_HEAD_KINDS, step, f"head.{place}", tensors)
        for place, step in enumerate(head.steps if head else ())
    ]
    described = _NetworkSpec(
        network.architecture,
        network.graph.input_shape[1:],
        nodes,
        head.value if head else 0,
        steps,  # type: ignore[arg-type]
        list(head.classes) if head else [],
    )
    metadata = {
        "deconvnet": VERSION,
        "preprocessing": network.preprocessing.name,
        "network": msgspec.json.encode(described).decode(),
    }
    with whole_file(path) as part:
        save_file(tensors, part, {**(said or {}), **metadata})


def _spec_of(
    kinds: Sequence[tuple[type[_Spec], Any]],
    step: Step | HeadStep,
    name: str,
    tensors: dict[str, Tensor],
    **known: object,
) -> _Spec:
    """The JSON of a step; its tensors are put with the others."""
    spec, kind = next((spec, kind) for spec, kind in kinds if isinstance(step, kind))
    for part in _TENSORS.get(kind, ()):
        tensors[f"{name}.{part}"] = getattr(step, part).clone(memory_format=torch.contiguous_format)
    fields = {
        field: known[field] if field in known else getattr(step, field)
        for field in spec.__struct_fields__
    }
    return spec(**fields)


def is_saved(path: Path) -> bool:
    """True if a file says of itself that it is a saved network; reads its header only."""
    try:
        with safe_open(path, framework="pt") as file:
            return "deconvnet" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def load(path: Path) -> SavedNetwork:
    """Read a file that ``save`` wrote; nothing in it is executed.

    Raises:
        WeightsError: it is damaged, of another version, or says what cannot be.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = set(file.keys())
            read = _Tensors(path.name, names, file.get_tensor, file.get_slice)
            return _network(path.name, metadata, read)
    except SafetensorError as error:
        raise WeightsError(f"{path.name} is not a whole safetensors file: {error}") from error


@dataclass(frozen=True)
class _Tensors:
    """The tensors of an open file, each taken once and checked."""

    file: str
    names: set[str]
    get: Callable[[str], Tensor]
    look: Callable[[str], Any]

    def take(self, name: str) -> Tensor:
        """One tensor in float32, finite."""
        if name not in self.names:
            raise WeightsError(f"{self.file} has no tensor {name!r}, which its graph needs")
        self.names.discard(name)
        tensor = self.get(name)
        if not tensor.is_floating_point():
            raise WeightsError(f"{name} in {self.file} holds {tensor.dtype}; expected numbers")
        tensor = tensor.float().contiguous()
        if not all_finite(tensor):
            raise WeightsError(f"{name} in {self.file} holds values that are not finite")
        return tensor


def all_finite(tensor: Tensor) -> bool:
    """False if a number is NaN or infinite; faster than to test each number."""
    return tensor.numel() == 0 or bool(torch.isfinite(torch.stack(tensor.aminmax())).all())


def _network(file: str, metadata: Mapping[str, str], tensors: _Tensors) -> SavedNetwork:
    if metadata.get("deconvnet") != VERSION:
        raise WeightsError(
            f"{file} has version {shown(metadata.get('deconvnet'))} of the form of saved networks; "
            f"this program reads version {VERSION}: save the network again"
        )
    try:
        described = msgspec.json.decode(metadata.get("network", ""), type=_NetworkSpec)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise WeightsError(f"the graph in {file} cannot be read: {error}") from error
    preprocessing = preprocessing_named(metadata.get("preprocessing", ""))
    graph = _graph(file, described, tensors)
    head = _head(file, described, graph, tensors) if described.head else None
    if tensors.names:
        left = ", ".join(sorted(tensors.names)[:3])
        raise WeightsError(f"{file} holds tensors that its graph does not name: {left}")
    return SavedNetwork(described.architecture, graph, head, preprocessing)


def _graph(file: str, described: _NetworkSpec, tensors: _Tensors) -> Graph:
    shapes: list[Shape] = [(3, *described.input_size)]
    nodes: list[Node] = []
    layers: set[str] = set()
    for place, spec in enumerate(described.nodes):
        where = f"step {place} of {file}"
        if any(value > place for value in spec.inputs):
            raise WeightsError(f"{where} takes a value that is computed later: a circle")
        if spec.layer and spec.layer in layers:
            raise WeightsError(f"two layers of {file} are called {spec.layer}")
        if spec.layer and not isinstance(spec.step, _OF_LAYERS):
            raise WeightsError(f"{where} is called the layer {spec.layer}, and is no {_LAYERS}")
        layers.update([spec.layer] if spec.layer else [])
        step = _step(_KINDS, spec.step, f"nodes.{place}", tensors)
        below = [shapes[value] for value in spec.inputs]
        if isinstance(spec.step, _Unknown):
            shape = _checked(where, spec.step.shape)
        else:
            shape = _shape(where, step, below)
        shapes.append(shape)
        nodes.append(Node(step, tuple(spec.inputs), shape, spec.path, spec.layer))
    if not layers:
        raise WeightsError(f"the graph in {file} has no layers")
    return Graph(tuple(nodes), shapes[0])


def _step(
    kinds: Sequence[tuple[type[_Spec], Any]], spec: _Spec, name: str, tensors: _Tensors
) -> Any:
    kind = next(kind for known, kind in kinds if isinstance(spec, known))
    parts = {part: tensors.take(f"{name}.{part}") for part in _TENSORS.get(kind, ())}
    fields = {f: getattr(spec, f) for f in spec.__struct_fields__ if f != "shape"}
    return kind(**parts, **fields)


def _shape(where: str, step: Step, below: Sequence[Shape]) -> Shape:
    """What a step puts out, computed on tensors without numbers.

    Raises:
        WeightsError: it does not fit what it takes.
    """
    several = isinstance(step, Addition | Concatenation)
    if len(below) != 1 and not several:
        raise WeightsError(f"{where} takes {len(below)} values; expected one")
    if isinstance(step, Addition) and len(set(below)) > 1:
        raise WeightsError(f"{where} adds values of other shapes: {sorted(set(below))}")
    if isinstance(step, ChannelSlice) and not step.first < step.end <= below[0][0]:
        raise WeightsError(f"{where} takes channels {step.first} to {step.end} of {below[0][0]}")
    if isinstance(step, Affine) and not step.scale.shape == step.shift.shape == (below[0][0],):
        raise WeightsError(f"{where} has other channels than the {below[0][0]} that it takes")
    try:
        made = up(_without_numbers(step), [torch.empty(1, *s, device="meta") for s in below])
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"{where} does not fit what it takes: {reason}") from error
    return _checked(where, made.shape[1:])


def _checked(where: str, shape: Sequence[int]) -> Shape:
    channels, height, width = shape
    if min(shape) < 1 or channels * height * width > MOST_NUMBERS:
        raise WeightsError(
            f"{where} puts out {channels} x {height} x {width} numbers; at most {MOST_NUMBERS:,}"
        )
    return channels, height, width


def _without_numbers(step: Any) -> Any:
    """The same step with weights that have shapes alone."""
    parts = {name: getattr(step, name).to("meta") for name in _TENSORS.get(type(step), ())}
    return step if not parts else type(step)(**{**vars(step), **parts})


def _head(file: str, described: _NetworkSpec, graph: Graph, tensors: _Tensors) -> Head:
    if described.head_value > len(graph.nodes):
        raise WeightsError(f"the head in {file} takes a value that is not there")
    steps = tuple(
        _step(_HEAD_KINDS, spec, f"head.{place}", tensors)
        for place, spec in enumerate(described.head)
    )
    head = Head(described.head_value, steps, tuple(described.classes))
    signal = torch.empty(1, *graph.shape(described.head_value), device="meta")
    for step in steps:
        try:
            signal = Head(0, (_without_numbers(step),))(signal)
        except (RuntimeError, ValueError, IndexError) as error:
            reason = str(error).partition("\n")[0]
            raise WeightsError(f"the head in {file} does not fit its graph: {reason}") from error
        if signal.numel() > MOST_NUMBERS:
            raise WeightsError(f"the head in {file} computes more than {MOST_NUMBERS:,} numbers")
    if signal.dim() != 2:
        raise WeightsError(f"the head in {file} gives no scores")
    if head.classes and len(head.classes) != signal.shape[1]:
        raise WeightsError(
            f"the head in {file} names {len(head.classes)} classes for {signal.shape[1]} scores"
        )
    return head
