"""The deconvnet by autograd: an oracle that knows nothing of graphs.

Every rectification of a module, called as a module or as a function, is replaced by one whose
gradient is the maximum of the incoming gradient and zero; for other rules, the gradient where the
rectification is open, or both. Layers are told by the order in which the
module computes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_RECTIFICATIONS: dict[Any, Callable[..., float | None]] = {
    F.relu: lambda *_, **__: None,
    torch.relu: lambda *_, **__: None,
    torch.relu_: lambda *_, **__: None,
    Tensor.relu: lambda *_, **__: None,
    Tensor.relu_: lambda *_, **__: None,
    F.relu6: lambda *_, **__: 6.0,
    F.hardtanh: lambda signal, min_val=-1.0, max_val=1.0, inplace=False: max_val,
}
_POOLINGS = (F.max_pool2d, F.avg_pool2d, torch.max_pool2d, F.max_pool2d_with_indices)


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, signal: Tensor, ceiling: float | None, rule: str) -> Tensor:
        ctx.save_for_backward((signal > 0) & (signal < (ceiling or float("inf"))))
        ctx.rule = rule
        return signal.clamp(0, ceiling)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (is_open,) = ctx.saved_tensors
        if ctx.rule != "gradient":
            gradient = gradient.clamp(min=0)
        if ctx.rule != "deconvnet":
            gradient = torch.where(is_open, gradient, 0.0)
        return gradient, None, None


class _PassedThrough(torch.autograd.Function):
    """Response normalisation, which the deconvnet passes through."""

    @staticmethod
    def forward(ctx: Any, signal: Tensor, *settings: Any) -> Tensor:
        with torch._C.DisableTorchFunction():
            return F.local_response_norm(signal, *settings)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return (gradient, *[None] * 4)


class RectifiedGradients(TorchFunctionMode):
    """While it is on, rectifications rectify gradients; what layers put out is kept in order."""

    def __init__(self, rule: str = "deconvnet") -> None:
        super().__init__()
        self.rule = rule
        self.layers: list[Tensor] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        if function in _RECTIFICATIONS:
            ceiling = _RECTIFICATIONS[function](*args, **kwargs)
            made = _Rectified.apply(args[0], ceiling, self.rule)
            self.layers.append(made)
            return made.clone()  # the module may write over it
        if function is F.local_response_norm:
            return _PassedThrough.apply(*args, *kwargs.values())
        made = function(*args, **kwargs)
        if function in _POOLINGS and isinstance(made, Tensor):
            self.layers.append(made)
        return made


def deconvnet_by_autograd(
    module: nn.Module,
    images: Tensor,
    layer: int,
    channel: int,
    row: int,
    column: int,
    rule: str = "deconvnet",
) -> tuple[Tensor, Tensor]:
    """Value (N,) and picture (N, 3, H, W) of one activation of the layer of this number."""
    inputs = images.clone().requires_grad_()
    with RectifiedGradients(rule) as watched:
        module(inputs)
    value = watched.layers[layer][:, channel, row, column]
    (gradient,) = torch.autograd.grad(value.sum(), inputs)
    return value.detach(), gradient * value.detach().view(-1, 1, 1, 1)
