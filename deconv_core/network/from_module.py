"""A graph of steps from any ``torch.nn.Module``, by ``torch.export``.

The export is one flat list of ATen calls in which submodules are dissolved; each call knows the
path of the module that made it. Calls become steps; what does nothing at rest vanishes; the
classifier becomes the head.
"""

from __future__ import annotations

import copy
import operator
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from deconv_core.errors import DeconvError
from deconv_core.graph.steps import (
    Affine,
    AveragePooling,
    ChannelSlice,
    Convolution,
    Graph,
    MaxPooling,
    Node,
    Pair,
    Rectification,
    ResponseNormalisation,
    Step,
    Unknown,
    ZeroPadding,
)
from deconv_core.network.aten_calls import (
    bind,
    constants_of,
    in_place,
    is_planes,
    name_of,
    path_of,
    step_of,
)
from deconv_core.network.head import Head, find_head
from deconv_core.network.layer_names import name_layers

_AT_REST = frozenset(
    ("dropout", "feature_dropout", "alpha_dropout", "contiguous", "alias", "detach", "clone", "to")
)
"""Calls that change nothing at rest."""


_NAMED_BY_CALL = Rectification | MaxPooling | AveragePooling


@dataclass(frozen=True, eq=False)
class Traced:
    """A module as a graph.

    Attributes:
        graph: its steps, without the classifier.
        head: its classifier; None if it does not end in pooling and linear layers.
    """

    graph: Graph
    head: Head | None


def trace(
    module: nn.Module, input_size: Pair = (224, 224), dtype: torch.dtype = torch.float32
) -> Traced:
    """Turn a module into a graph; the module is left as it was.

    Args:
        module: takes images (N, 3, height, width); computed at rest (``eval``).
        input_size: height and width of its images, in pixels.
        dtype: of the graph's numbers.

    Raises:
        DeconvError: it cannot be copied or exported, with the reason.
    """
    quiet = _copy_at_rest(module, dtype)
    try:
        exported = torch.export.export(quiet, (torch.zeros(1, 3, *input_size, dtype=dtype),))
    except Exception as error:  # whatever the module's own code raises
        reason = str(error).strip().partition("\n")[0]
        raise DeconvError(
            f"{type(module).__name__} cannot be exported by torch.export: {reason}; its forward "
            "must take one batch of images and not branch on values"
        ) from error
    constants = constants_of(exported)
    calls = list(exported.graph.nodes)
    found = find_head(calls, constants)
    last, steps, head_calls = found or (None, (), frozenset())
    reader = _Reader(constants, dict(quiet.named_modules()))
    reader.read(calls, head_calls)
    nodes, moved = fold(reader.nodes)
    graph = Graph(name_layers(nodes), (3, *input_size))
    if last not in reader.values:
        return Traced(graph, None)
    return Traced(graph, Head(moved[reader.values[last]], steps))


def unwrapped(module: nn.Module) -> nn.Module:
    """The module itself, without what parallel training and ``torch.compile`` put around it."""
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif isinstance(inner := getattr(module, "_orig_mod", None), nn.Module):
            module = inner
        else:
            return module


def _copy_at_rest(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy without what watches it: hooks of others must not see the export."""
    try:
        copied = copy.deepcopy(module).cpu().to(dtype).eval()
    except Exception as error:  # whatever the module's own code raises
        reason = str(error).strip().partition("\n")[0]
        raise DeconvError(f"{type(module).__name__} cannot be copied: {reason}") from error
    for part in list(copied.modules()):
        if parametrize.is_parametrized(part):
            _fix_weights(part)
        part._forward_hooks.clear()
        part._backward_hooks.clear()
        part._backward_pre_hooks.clear()
        for key, hook in list(part._forward_pre_hooks.items()):
            if not type(hook).__module__.startswith("torch.nn.utils"):  # these compute weights
                del part._forward_pre_hooks[key]
    return copied


def _fix_weights(part: nn.Module) -> None:
    """Keep weights that are computed from others as they are now; only this module changes."""
    computed = {name: getattr(part, name).detach().clone() for name in part.parametrizations}  # type: ignore[union-attr]
    part.__class__ = type(part).__bases__[
        0
    ]  # its own class, made for the parametrization, is shared
    del part.parametrizations
    for name, tensor in computed.items():
        part.register_parameter(name, nn.Parameter(tensor))


class _Reader:
    """Reads calls into nodes, one after the other.

    Attributes:
        nodes: read so far.
        values: call -> the number of the value that it puts out.
    """

    def __init__(self, constants: dict[Any, torch.Tensor], modules: dict[str, nn.Module]) -> None:
        self.nodes: list[Node] = []
        self.values: dict[Any, int] = {}
        self._constants, self._modules = constants, modules
        self._parts: dict[Any, list[tuple[int, ChannelSlice]]] = {}  # call -> its slices of values
        self._lost: dict[Any, tuple[str, int]] = {}  # no planes -> the call that left them, of what

    def read(self, calls: Sequence[Any], passed_over: Collection[Any]) -> None:
        """Read all calls but some."""
        for call in calls:
            if call.op == "placeholder" and call not in self._constants:
                self.values[call] = 0
            elif call.op == "call_function" and call not in passed_over:
                self._read(call)

    def _read(self, call: Any) -> None:
        taken = [before for before in call.all_input_nodes if before in self.values]
        parted = [before for before in call.all_input_nodes if before in self._parts]
        if call.target is operator.getitem and parted:
            self._take_part(call, *self._parts[parted[0]][call.args[1]])
        elif name_of(call) == "unsqueeze" and parted and is_planes(call):
            self._take_part(call, *self._parts[parted[0]][0])
        elif lost := [
            self._lost[before] for before in call.all_input_nodes if before in self._lost
        ]:
            self._leave(call, *lost[0])
        elif parted:
            self._leave(call, name_of(call), self._parts[parted[0]][0][0])
        elif not taken:
            return  # made of constants alone
        elif name_of(call) in _AT_REST:
            self.values[call] = self.values[taken[0]]
        elif self._normalises(call) or self._slices(call, taken[0]):
            return
        elif is_planes(call):
            self._step(call, taken)
        else:
            self._leave(call, name_of(call), self.values[taken[0]])

    def _leave(self, call: Any, name: str, value: int) -> None:
        """Follow what is no steps on planes until planes come out: that whole way is unknown."""
        if is_planes(call):
            self._add(call, Unknown(name), (value,))
        else:
            self._lost[call] = name, value

    def _take_part(self, call: Any, value: int, part: ChannelSlice) -> None:
        self._add(call, part, (value,))

    def _normalises(self, call: Any) -> bool:
        """Local response normalisation is many calls of one module; the last divides its input."""
        module = self._modules.get(path_of(call))
        if not isinstance(module, nn.LocalResponseNorm):
            return False
        if name_of(call) == "div":
            step = ResponseNormalisation(module.size, module.alpha, module.beta, module.k)
            self._add(call, step, (self.values[call.args[0]],))
        return True

    def _slices(self, call: Any, taken: Any) -> bool:
        """Parts of channels or of planes."""
        value, name = self.values[taken], name_of(call)
        if name not in ("select", "slice", "split", "split_with_sizes", "chunk"):
            return False
        bound = bind(call, self._constants)
        shape = taken.meta["val"].shape
        dimension = bound["dim"] % len(shape)
        size = int(shape[dimension])
        if name == "slice":
            begin, end, step = slice(bound["start"], bound["end"], bound["step"]).indices(size)
            if (begin, end, step) == (0, size, 1):
                self.values[call] = value
            elif step == 1 and dimension == 1:
                self._add(call, ChannelSlice(begin, end), (value,))
            elif step == 1 and dimension in (2, 3):
                cut = [0, 0, 0, 0]
                cut[2 * (3 - dimension) : 2 * (3 - dimension) + 2] = -begin, end - size
                self._add(call, ZeroPadding(*cut), (value,))
            else:
                self._add(call, Unknown("slice with steps"), (value,))
        elif dimension == 1 and name == "select":
            index = bound["index"] % size
            self._parts[call] = [(value, ChannelSlice(index, index + 1))]
        elif dimension == 1:
            ends = list(torch.tensor([int(part.shape[1]) for part in call.meta["val"]]).cumsum(0))
            begins = [0, *ends[:-1]]
            self._parts[call] = [
                (value, ChannelSlice(int(begin), int(end)))
                for begin, end in zip(begins, ends, strict=True)
            ]
        return True

    def _step(self, call: Any, taken: Sequence[Any]) -> None:
        bound = bind(call, self._constants)
        if name_of(call) == "adaptive_avg_pool2d":
            step = _mean_pooling(taken[0].meta["val"].shape, call.meta["val"].shape)
        else:
            step = step_of(name_of(call), bound, int(call.meta["val"].shape[1]))
        listed = bound.get("tensors", None)
        given = listed if listed is not None else _data(bound, self.values)
        self._add(call, step, tuple(self.values[before] for before in given))
        if in_place(call):
            old = self.values[call.args[0]]
            self.values = {c: self.values[call] if v == old else v for c, v in self.values.items()}

    def _add(self, call: Any, step: Step, inputs: tuple[int, ...]) -> None:
        _, channels, height, width = (int(size) for size in call.meta["val"].shape)
        path = path_of(call)
        if isinstance(step, _NAMED_BY_CALL) and any(self._modules[path].children()):
            path = ".".join(filter(None, (path, name_of(call))))  # a function, not a module
        self.nodes.append(Node(step, inputs, (channels, height, width), _plain(path)))
        self.values[call] = len(self.nodes)


def _plain(path: str) -> str:
    """A path in plain characters, as names of layers have them; modules may be called anything."""
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", re.sub(r"^[.\-]", "_", path))[:180]


def _data(bound: dict[str, Any], values: dict[Any, int]) -> list[Any]:
    """The arguments that are values, in order; ``x + x`` has two."""
    return [
        given
        for given in bound.values()
        if not isinstance(given, list | tuple | torch.Tensor) and given in values
    ]


def _mean_pooling(before: Sequence[int], after: Sequence[int]) -> Step:
    """Adaptive pooling where all windows are alike."""
    sizes = [(int(b), int(a)) for b, a in zip(before[2:], after[2:], strict=True)]
    if any(b % a for b, a in sizes):
        return Unknown("adaptive pooling with uneven windows")
    kernel = sizes[0][0] // sizes[0][1], sizes[1][0] // sizes[1][1]
    return AveragePooling(kernel, kernel)


def fold(nodes: Sequence[Node]) -> tuple[tuple[Node, ...], list[int]]:
    """Fold an affine step into the convolution below it, where nobody else takes that.

    Returns:
        The nodes that are left, and the new number of each old value.
    """
    taken = [value for node in nodes for value in node.inputs]
    kept: list[Node] = []
    moved = [0]
    for node in nodes:
        inputs = tuple(moved[value] for value in node.inputs)
        below = kept[inputs[0] - 1] if inputs and inputs[0] else None
        alone = taken.count(node.inputs[0]) == 1 if node.inputs else False
        on_the_last = alone and inputs[0] == len(kept)
        step = below.step if on_the_last and below is not None else None
        if isinstance(step, Convolution) and isinstance(node.step, Affine):
            kept[-1] = replace(kept[-1], step=folded(step, node.step))
            moved.append(len(kept))
            continue
        kept.append(replace(node, inputs=inputs))
        moved.append(len(kept))
    return tuple(kept), moved


def folded(convolution: Convolution, affine: Affine) -> Convolution:
    """A convolution with the affine step above it in it."""
    scale = affine.scale.double()
    weight = convolution.weight.double() * scale.view(-1, 1, 1, 1)
    bias = convolution.bias.double() * scale + affine.shift.double()
    dtype = convolution.weight.dtype
    return replace(convolution, weight=weight.to(dtype).contiguous(), bias=bias.to(dtype))
