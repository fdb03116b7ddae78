"""The calls of an export, read: their arguments, the tensors behind them, their steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from deconv_core.graph.steps import (
    Addition,
    Affine,
    AveragePooling,
    Concatenation,
    Convolution,
    MaxPooling,
    Pair,
    Rectification,
    Step,
    Unknown,
    ZeroPadding,
)

Bound = Mapping[str, Any]
"""The arguments of a call by the names of its schema; tensors of the module in place of theirs."""


def name_of(call: Any) -> str:
    """``conv2d`` of ``aten.conv2d.default``, ``relu`` of ``aten.relu_.default``."""
    packet = getattr(call.target, "overloadpacket", None)
    return str((call.target if packet is None else packet).__name__).rstrip("_")


def in_place(call: Any) -> bool:
    """True if a call writes its output over its first input."""
    schema = getattr(call.target, "_schema", None)
    return schema is not None and schema.is_mutable


def path_of(call: Any) -> str:
    """The path of the module that makes a call; "" for the whole."""
    return str(next(reversed(call.meta.get("nn_module_stack", {"": ("", "")}).values()))[0])


def is_planes(call: Any) -> bool:
    """True if a call puts out one batch of planes (N, C, H, W)."""
    return isinstance(call.meta.get("val"), Tensor) and call.meta["val"].dim() == 4


def constants_of(exported: Any) -> dict[Any, Tensor]:
    """Placeholder -> the parameter, buffer or constant of the module that it stands for."""
    signature = exported.graph_signature
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    tensors = {**exported.constants, **exported.state_dict}
    return {
        call: tensors[names[call.name]].detach()
        for call in exported.graph.nodes
        if call.op == "placeholder" and call.name in names
    }


def bind(call: Any, constants: Mapping[Any, Tensor]) -> dict[str, Any]:
    """The arguments of a call by name, with defaults."""
    bound = {}
    for place, argument in enumerate(call.target._schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        given = call.args[place] if place < len(call.args) else call.kwargs.get(argument.name)
        given = default if given is None else given
        bound[argument.name] = constants.get(given, given) if _hashable(given) else given
    return bound


def _hashable(given: object) -> bool:
    return not isinstance(given, list | tuple | dict | slice)


def step_of(name: str, bound: Bound, channels: int) -> Step:  # noqa: PLR0911, PLR0912  (a table)
    """The step of a call that takes one value, or a list of them; ``Unknown`` if there is none.

    Args:
        name: of the call.
        bound: its arguments; what is no tensor of the module there, is a value.
        channels: of what it puts out.
    """
    match name:
        case "conv2d":
            return _convolution(bound)
        case "batch_norm" if not bound["training"]:
            return _batch_norm(bound)
        case "relu":
            return Rectification()
        case "relu6":
            return Rectification(6.0)
        case "hardtanh" if bound["min_val"] == 0:
            return Rectification(float(bound["max_val"]))
        case "clamp_min" if bound["min"] == 0:
            return Rectification()
        case "clamp" if bound["min"] == 0:
            return Rectification(None if bound["max"] is None else float(bound["max"]))
        case "max_pool2d":
            kernel = _pair(bound["kernel_size"])
            return MaxPooling(
                kernel,
                _pair(bound["stride"]) if bound["stride"] else kernel,
                _pair(bound["padding"]),
                _pair(bound["dilation"]),
                bool(bound["ceil_mode"]),
            )
        case "avg_pool2d" if bound["divisor_override"] is None:
            kernel = _pair(bound["kernel_size"])
            return AveragePooling(
                kernel,
                _pair(bound["stride"]) if bound["stride"] else kernel,
                _pair(bound["padding"]),
                bool(bound["ceil_mode"]),
                bool(bound["count_include_pad"]),
            )
        case "cat" if bound["dim"] in (1, -3):
            return Concatenation()
        case "pad" if bound["mode"] == "constant" and not bound["value"]:
            return _padding(bound["pad"]) or Unknown("padding of channels")
        case "constant_pad_nd" if not bound["value"]:
            return _padding(bound["pad"]) or Unknown("padding of channels")
        case "add" | "sub" | "mul" | "div":
            return _arithmetic(name, bound, channels)
    return Unknown(name)


def _pair(numbers: Any) -> Pair:
    if isinstance(numbers, int):
        return numbers, numbers
    first, *rest = numbers
    return int(first), int(rest[0] if rest else first)


def _convolution(bound: Bound) -> Step:
    weight, bias = bound["weight"], bound["bias"]
    if not isinstance(weight, Tensor):
        return Unknown("convolution with computed weights")
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    stride, dilation = _pair(bound["stride"]), _pair(bound["dilation"])
    padding = bound["padding"]
    if isinstance(padding, str):
        reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        if padding == "same" and any(number % 2 for number in reach):
            return Unknown("convolution with uneven padding")
        padding = [number // 2 for number in reach] if padding == "same" else 0
    return Convolution(
        weight.contiguous(),
        bias.contiguous(),
        stride,
        _pair(padding),
        dilation,
        int(bound["groups"]),
    )


def _batch_norm(bound: Bound) -> Step:
    mean, variance = bound["running_mean"], bound["running_var"]
    if not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
        return Unknown("batch normalisation over the batch")
    return affine_at_rest(mean, variance, bound["weight"], bound["bias"], bound["eps"])


def affine_at_rest(
    mean: Tensor, variance: Tensor, weight: object, bias: object, epsilon: float
) -> Affine:
    """Batch normalisation with its statistics; ``weight`` and ``bias`` may be None.

    Double precision on the way: the scale is a quotient.
    """
    scale = 1 / torch.sqrt(variance.double() + epsilon)
    if isinstance(weight, Tensor):
        scale = scale * weight.double()
    shift = -mean.double() * scale
    if isinstance(bias, Tensor):
        shift = shift + bias.double()
    return Affine(scale.to(mean), shift.to(mean))


def _padding(amounts: Any) -> ZeroPadding | None:
    """Around the planes; None if channels or images are padded too."""
    left, right, top, bottom, *others = (*amounts, 0, 0, 0, 0)[: max(4, len(amounts))]
    return None if any(others) else ZeroPadding(left, right, top, bottom)


def _arithmetic(name: str, bound: Bound, channels: int) -> Step:
    """Two values, or one and a number for each channel."""
    number, alpha = _per_channel(bound["other"], channels), bound.get("alpha") or 1
    if number is None:
        reversed_ = _per_channel(bound["self"], channels)
        if name in ("add", "mul") and reversed_ is not None and alpha == 1:
            number = reversed_
        elif name == "add" and alpha == 1 and reversed_ is None:
            return Addition()
        else:
            return Unknown("product of two signals" if name == "mul" else name)
    ones, zeros = torch.ones_like(number), torch.zeros_like(number)
    return {
        "add": Affine(ones, number * alpha),
        "sub": Affine(ones, -number * alpha),
        "mul": Affine(number, zeros),
        "div": Affine(1 / number, zeros),
    }[name]


def _per_channel(given: Any, channels: int) -> Tensor | None:
    """A number for each channel; None if it is a value, or differs within a plane."""
    if isinstance(given, bool) or not isinstance(given, int | float | Tensor):
        return None
    numbers = given if isinstance(given, Tensor) else torch.tensor(float(given))
    if numbers.numel() == 1:
        return numbers.reshape(1).repeat(channels)
    spread = (1,) * (4 - numbers.dim()) + tuple(numbers.shape)
    return numbers.reshape(-1).clone() if spread == (1, channels, 1, 1) else None
