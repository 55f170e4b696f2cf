"""Decompositions of sums, statistics and normalisations along dimensions, and of products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.program._registry import Registry

__all__ = ["FUNCTIONS", "layer_norm", "layer_norm_backward"]

#: Decompositions by the name of an operation, without overload.
FUNCTIONS: Registry[Callable[..., Any]] = Registry()
_register = FUNCTIONS.register

# Exponentials, shifted by the maximum so that they do not overflow.


@_register("_softmax")
def _softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    e = torch.exp(x - x.amax(dim, keepdim=True)) if x.ndim else torch.ones_like(x)
    return e / e.sum(dim, keepdim=True)


@_register("_log_softmax")
def _log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    shifted = x - x.amax(dim, keepdim=True)
    return shifted - torch.log(torch.exp(shifted).sum(dim, keepdim=True))


@_register("logsumexp")
def _logsumexp(x: Tensor, dims: list[int], keepdim: bool = False) -> Tensor:
    largest = x.amax(dims, keepdim=True)
    largest = torch.where(largest.abs() == math.inf, 0.0, largest)
    total = torch.log(torch.exp(x - largest).sum(dims, keepdim=True)) + largest
    return total if keepdim else _squeezed(total, dims)


@_register("logaddexp")
def _logaddexp(a: Tensor, b: Tensor) -> Tensor:
    same = (a == b) & (a.abs() == math.inf)
    return torch.where(same, a, torch.maximum(a, b) + torch.log1p(torch.exp(-torch.abs(a - b))))


def _squeezed(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Remove reduced dimensions."""
    return x.squeeze([d % x.ndim for d in dims] if dims else list(range(x.ndim)))


# Statistics along columns.


@_register("var")
def _var(x: Tensor, dims: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Tensor:
    return _var_and_mean(x, dims, correction, keepdim)[0]


@_register("std")
def _std(x: Tensor, dims: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Tensor:
    return torch.sqrt(_var(x, dims, correction=correction, keepdim=keepdim))


@_register("var_mean")
def _var_mean(
    x: Tensor, dims: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    return _var_and_mean(x, dims, correction, keepdim)


@_register("std_mean")
def _std_mean(
    x: Tensor, dims: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    variance, mean = _var_and_mean(x, dims, correction, keepdim)
    return torch.sqrt(variance), mean


def _var_and_mean(x: Tensor, dims: Any, correction: float | None, keepdim: bool) -> tuple[Tensor, Tensor]:
    dims = [d % x.ndim for d in dims] if dims else list(range(x.ndim))
    number = math.prod(x.shape[d] for d in dims)
    freedom = max(number - (1 if correction is None else correction), 0)
    mean = x.sum(dims, keepdim=True) / number
    centred = x - mean
    squares = (centred * centred).sum(dims, keepdim=True)
    variance = squares / freedom
    return (variance, mean) if keepdim else (_squeezed(variance, dims), _squeezed(mean, dims))


@_register("linalg_vector_norm")
def _vector_norm(x: Tensor, order: float = 2, dims: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    dims = [d % x.ndim for d in dims] if dims else list(range(x.ndim))
    size = x.abs()
    if order == math.inf:
        return size.amax(dims, keepdim=keepdim)
    if order == -math.inf:
        return size.amin(dims, keepdim=keepdim)
    if order == 0:
        return (x != 0).to(x.dtype).sum(dims, keepdim=keepdim)
    if order == 1:
        return size.sum(dims, keepdim=keepdim)
    if order == 2:
        return torch.sqrt((x * x).sum(dims, keepdim=keepdim))
    return (size**order).sum(dims, keepdim=keepdim) ** (1 / order)


@_register("norm")
def _norm(x: Tensor, order: Any = 2, dims: Any = None, keepdim: bool = False, **kwargs: Any) -> Tensor:
    return _vector_norm(x, 2 if order is None else order, dims, keepdim)


def layer_norm(x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, epsilon: float) -> Any:
    """Normalise over the last dimensions; see `torch.native_layer_norm`."""
    dims = list(range(x.ndim - len(shape), x.ndim))
    variance, mean = _var_and_mean(x, dims, 0, True)
    scale = torch.rsqrt(variance + epsilon)
    result = (x - mean) * scale
    result = result if weight is None else result * weight
    return (result if bias is None else result + bias), mean, scale


def layer_norm_backward(
    grad: Tensor,
    x: Tensor,
    shape: Sequence[int],
    mean: Tensor,
    scale: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    wanted: Any,
) -> Any:
    """Return the gradients of `layer_norm` with respect to input, weight and bias."""
    dims, others = list(range(x.ndim - len(shape), x.ndim)), list(range(x.ndim - len(shape)))
    normal = (x - mean) * scale
    weighted = grad if weight is None else grad * weight
    rest = weighted - weighted.mean(dims, keepdim=True) - normal * (weighted * normal).mean(dims, keepdim=True)
    return rest * scale, (grad * normal).sum(others) if wanted[1] else None, grad.sum(others) if wanted[2] else None


@_register("native_group_norm")
def _group_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, n: int, channels: int, rest: int, groups: int, epsilon: float
) -> Any:
    grouped = x.reshape(n, groups, -1)
    variance, mean = _var_and_mean(grouped, [2], 0, True)
    scale = torch.rsqrt(variance + epsilon)
    result = ((grouped - mean) * scale).reshape(n, channels, -1)
    result = result if weight is None else result * weight[:, None]
    result = result if bias is None else result + bias[:, None]
    return result.reshape(x.shape), mean.squeeze(2), scale.squeeze(2)


@_register("native_group_norm_backward")
def _group_norm_backward(
    grad: Tensor,
    x: Tensor,
    mean: Tensor,
    scale: Tensor,
    weight: Tensor | None,
    n: int,
    channels: int,
    rest: int,
    groups: int,
    wanted: Any,
) -> Any:
    normal = ((x.reshape(n, groups, -1) - mean[:, :, None]) * scale[:, :, None]).reshape(n, channels, -1)
    flat = grad.reshape(n, channels, -1)
    weighted = (flat if weight is None else flat * weight[:, None]).reshape(n, groups, -1)
    grouped = normal.reshape(n, groups, -1)
    rest_ = weighted - weighted.mean([2], keepdim=True) - grouped * (weighted * grouped).mean([2], keepdim=True)
    by_weight = (flat * normal).sum([0, 2]) if wanted[1] else None
    return (rest_ * scale[:, :, None]).reshape(x.shape), by_weight, flat.sum([0, 2]) if wanted[2] else None


# Cumulative sums and products, by combining copies shifted by 1, 2, 4, … elements.


@_register("cumsum")
def _cumsum(x: Tensor, dim: int, **kwargs: Any) -> Tensor:
    return _cumulative(torch.add, x, dim, 0.0)


@_register("cumprod")
def _cumprod(x: Tensor, dim: int, **kwargs: Any) -> Tensor:
    return _cumulative(torch.mul, x, dim, 1.0)


def _cumulative(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, dim: int, neutral: float) -> Tensor:
    x = x.transpose(dim, -1)
    shift = 1
    while shift < x.shape[-1]:
        x = function(x, torch.ops.aten.constant_pad_nd(x[..., :-shift], [shift, 0], neutral))
        shift *= 2
    return x.transpose(dim, -1)


# Other products.


@_register("mv")
def _mv(a: Tensor, b: Tensor) -> Tensor:
    return torch.mm(a, b[:, None])[:, 0]


@_register("_trilinear")
def _trilinear(
    a: Tensor, b: Tensor, c: Tensor, expand1: Any, expand2: Any, expand3: Any, summed: Any, unroll_dim: int = 1
) -> Tensor:
    for dim in expand1:
        a = a.unsqueeze(dim)
    for dim in expand2:
        b = b.unsqueeze(dim)
    for dim in expand3:
        c = c.unsqueeze(dim)
    return (a * b * c).sum(list(summed))
