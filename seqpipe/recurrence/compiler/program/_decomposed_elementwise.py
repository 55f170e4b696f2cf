"""Decompositions of activations and other elementwise operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.program._registry import Registry

__all__ = ["FUNCTIONS"]

#: Decompositions by the name of an operation, without overload.
FUNCTIONS: Registry[Callable[..., Any]] = Registry()
_register = FUNCTIONS.register

# Activations.


@_register("gelu")
def _gelu(x: Tensor, approximate: str = "none") -> Tensor:
    if approximate == "none":
        return x * 0.5 * (1 + torch.erf(x * math.sqrt(0.5)))
    return x * torch.sigmoid(_twice_inner(x))


@_register("gelu_backward")
def _gelu_backward(grad: Tensor, x: Tensor, approximate: str = "none") -> Tensor:
    if approximate == "none":
        density = torch.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
        return grad * (0.5 * (1 + torch.erf(x * math.sqrt(0.5))) + x * density)
    s = torch.sigmoid(_twice_inner(x))  # (1 + tanh) / 2, which is exact where tanh is nearly 1
    slope = 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    return grad * (s + x * slope * s * (1 - s))


def _twice_inner(x: Tensor) -> Tensor:
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)


@_register("mish")
def _mish(x: Tensor) -> Tensor:
    return x * torch.tanh(torch.log1p(torch.exp(x)))


@_register("mish_backward")
def _mish_backward(grad: Tensor, x: Tensor) -> Tensor:
    grown = 1 + torch.exp(x)
    sech = 2 / (grown + 1 / grown)  # sech(log(1 + exp(x)))
    return grad * (torch.tanh(torch.log1p(torch.exp(x))) + x * torch.sigmoid(x) * (sech * sech))


@_register("log_sigmoid_forward")
def _log_sigmoid(x: Tensor) -> tuple[Tensor, Tensor]:
    z = torch.exp(-torch.abs(x))
    return torch.minimum(x, torch.zeros_like(x)) - torch.log1p(z), z


@_register("hardsigmoid")
def _hardsigmoid(x: Tensor) -> Tensor:
    return torch.clamp(x + 3, 0, 6) / 6


@_register("hardsigmoid_backward")
def _hardsigmoid_backward(grad: Tensor, x: Tensor) -> Tensor:
    one, zero = torch.ones((), dtype=x.dtype), torch.zeros((), dtype=x.dtype)
    slope = torch.ops.aten.hardsigmoid_backward(one, zero)  # 1 / 6 in float32
    return torch.where((x > -3) & (x < 3), grad * slope, 0.0)


@_register("hardswish")
def _hardswish(x: Tensor) -> Tensor:
    return x * torch.clamp(x + 3, 0, 6) / 6


@_register("celu")
def _celu(x: Tensor, alpha: float = 1.0) -> Tensor:
    return torch.where(x > 0, x, alpha * torch.expm1(x * (1 / alpha)))


@_register("softshrink")
def _softshrink(x: Tensor, limit: float = 0.5) -> Tensor:
    return torch.where(x > limit, x - limit, torch.where(x < -limit, x + limit, torch.where(x == x, 0.0, x)))


@_register("hardshrink")
def _hardshrink(x: Tensor, limit: float = 0.5) -> Tensor:
    return torch.where((x >= -limit) & (x <= limit), 0.0, x)


@_register("softshrink_backward", "hardshrink_backward")
def _shrink_backward(grad: Tensor, x: Tensor, limit: float) -> Tensor:
    return torch.where((x >= -limit) & (x <= limit), 0.0, grad)


@_register("threshold")
def _threshold(x: Tensor, threshold: float, value: float) -> Tensor:
    return torch.where(x <= threshold, value, x)


@_register("glu")
def _glu(x: Tensor, dim: int = -1) -> Tensor:
    value, gate = x.chunk(2, dim)
    return value * torch.sigmoid(gate)


# Other operations.


@_register("frac")
def _frac(x: Tensor) -> Tensor:
    return x - torch.trunc(x)


@_register("addcdiv")
def _addcdiv(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    return x + value * (a / b) if value != 1 else x + a / b


@_register("nan_to_num")
def _nan_to_num(
    x: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    limits = torch.finfo(x.dtype)
    x = torch.where(x != x, 0.0 if nan is None else nan, x)
    x = torch.where(x == math.inf, limits.max if posinf is None else posinf, x)
    return torch.where(x == -math.inf, limits.min if neginf is None else neginf, x)


@_register("isnan")
def _isnan(x: Tensor) -> Tensor:
    return x != x


@_register("isinf")
def _isinf(x: Tensor) -> Tensor:
    return x.abs() == math.inf


@_register("heaviside")
def _heaviside(x: Tensor, at_zero: Tensor) -> Tensor:
    return torch.where(x == 0, at_zero, (x > 0).to(x.dtype))


@_register("logit")
def _logit(x: Tensor, eps: float | None = None) -> Tensor:
    x = x if eps is None else x.clamp(eps, 1 - eps)
    return torch.log(x / (1 - x))


@_register("logical_xor", "bitwise_xor")
def _xor(a: Tensor, b: Tensor) -> Tensor:
    return (a != 0) != (b != 0)


@_register("sinc")
def _sinc(x: Tensor) -> Tensor:
    return torch.where(x == 0, 1.0, torch.sin(math.pi * x) / (math.pi * x))


@_register("hypot")
def _hypot(a: Tensor, b: Tensor) -> Tensor:
    return torch.sqrt(a * a + b * b)


@_register("xlogy")
def _xlogy(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b != b, b, torch.where(a == 0, 0.0, a * torch.log(b)))


@_register("fmax")
def _fmax(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(a != a, b, torch.where(b != b, a, torch.maximum(a, b)))


@_register("fmin")
def _fmin(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(a != a, b, torch.where(b != b, a, torch.minimum(a, b)))
