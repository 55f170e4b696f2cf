"""Operations taken apart: what has no rule, as a function of torch that calls only what has one.

Derivatives are operations of their own in a trace (``gelu_backward``). Those that torch takes apart itself are taken
from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._decomp import decomposition_table

from seqpipe.recurrence.compiler.program._rows import Refused

__all__ = [
    "DECOMPOSITIONS", "gather_computed", "largest", "layer_norm", "layer_norm_backward", "scatter_add_computed",
    "scatter_computed", "smallest",
]  # fmt: skip

#: By the name of an operation, without overload.
DECOMPOSITIONS: dict[str, Callable[..., Any]] = {}

_ATEN = torch.ops.aten
#: Sorting compares each column with each.
_MOST_SORTED = 64
_OF_TORCH = (
    "hardswish_backward", "log_sigmoid_backward", "_softmax_backward_data", "_log_softmax_backward_data",
    "glu_backward", "_prelu_kernel_backward", "_prelu_kernel", "unfold_backward", "logit_backward",
)  # fmt: skip


def _of(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as what these operations do."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        DECOMPOSITIONS.update(dict.fromkeys(names, function))
        return function

    return register


def _torchs(name: str) -> Callable[..., Any]:
    overload = getattr(_ATEN, name).default
    return decomposition_table[overload]


# Activations.


@_of("gelu")
def _gelu(x: Tensor, approximate: str = "none") -> Tensor:
    if approximate == "none":
        return x * 0.5 * (1 + torch.erf(x * math.sqrt(0.5)))
    return x * torch.sigmoid(_twice_inner(x))


@_of("gelu_backward")
def _gelu_backward(grad: Tensor, x: Tensor, approximate: str = "none") -> Tensor:
    if approximate == "none":
        density = torch.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
        return grad * (0.5 * (1 + torch.erf(x * math.sqrt(0.5))) + x * density)
    s = torch.sigmoid(_twice_inner(x))  # (1 + tanh) / 2, which is exact where tanh is nearly 1
    slope = 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    return grad * (s + x * slope * s * (1 - s))


def _twice_inner(x: Tensor) -> Tensor:
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)


@_of("mish")
def _mish(x: Tensor) -> Tensor:
    return x * torch.tanh(torch.log1p(torch.exp(x)))


@_of("mish_backward")
def _mish_backward(grad: Tensor, x: Tensor) -> Tensor:
    grown = 1 + torch.exp(x)
    sech = 2 / (grown + 1 / grown)  # of log(1 + exp(x)), whose tanh is the factor
    return grad * (torch.tanh(torch.log1p(torch.exp(x))) + x * torch.sigmoid(x) * (sech * sech))


@_of("log_sigmoid_forward")
def _log_sigmoid(x: Tensor) -> tuple[Tensor, Tensor]:
    z = torch.exp(-torch.abs(x))
    return torch.minimum(x, torch.zeros_like(x)) - torch.log1p(z), z


@_of("hardsigmoid")
def _hardsigmoid(x: Tensor) -> Tensor:
    return torch.clamp(x + 3, 0, 6) / 6


@_of("hardsigmoid_backward")
def _hardsigmoid_backward(grad: Tensor, x: Tensor) -> Tensor:
    slope = _ATEN.hardsigmoid_backward(
        torch.ones((), dtype=x.dtype), torch.zeros((), dtype=x.dtype)
    )  # 1 / 6 in float32
    return torch.where((x > -3) & (x < 3), grad * slope, 0.0)


@_of("hardswish")
def _hardswish(x: Tensor) -> Tensor:
    return x * torch.clamp(x + 3, 0, 6) / 6


@_of("celu")
def _celu(x: Tensor, alpha: float = 1.0) -> Tensor:
    return torch.where(x > 0, x, alpha * torch.expm1(x * (1 / alpha)))


@_of("softshrink")
def _softshrink(x: Tensor, limit: float = 0.5) -> Tensor:
    return torch.where(x > limit, x - limit, torch.where(x < -limit, x + limit, torch.where(x == x, 0.0, x)))


@_of("hardshrink")
def _hardshrink(x: Tensor, limit: float = 0.5) -> Tensor:
    return torch.where((x >= -limit) & (x <= limit), 0.0, x)


@_of("softshrink_backward", "hardshrink_backward")
def _shrink_backward(grad: Tensor, x: Tensor, limit: float) -> Tensor:
    return torch.where((x >= -limit) & (x <= limit), 0.0, grad)


@_of("threshold")
def _threshold(x: Tensor, threshold: float, value: float) -> Tensor:
    return torch.where(x <= threshold, value, x)


@_of("glu")
def _glu(x: Tensor, dim: int = -1) -> Tensor:
    value, gate = x.chunk(2, dim)
    return value * torch.sigmoid(gate)


# Exponentials of differences from the largest, so that none is infinite.


@_of("_softmax")
def _softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    e = torch.exp(x - x.amax(dim, keepdim=True)) if x.ndim else torch.ones_like(x)
    return e / e.sum(dim, keepdim=True)


@_of("_log_softmax")
def _log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    shifted = x - x.amax(dim, keepdim=True)
    return shifted - torch.log(torch.exp(shifted).sum(dim, keepdim=True))


@_of("logsumexp")
def _logsumexp(x: Tensor, dims: list[int], keepdim: bool = False) -> Tensor:
    largest = x.amax(dims, keepdim=True)
    largest = torch.where(largest.abs() == math.inf, 0.0, largest)
    total = torch.log(torch.exp(x - largest).sum(dims, keepdim=True)) + largest
    return total if keepdim else _without(total, dims)


@_of("logaddexp")
def _logaddexp(a: Tensor, b: Tensor) -> Tensor:
    same = (a == b) & (a.abs() == math.inf)
    return torch.where(same, a, torch.maximum(a, b) + torch.log1p(torch.exp(-torch.abs(a - b))))


def _without(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Leave out dimensions that were put together."""
    return x.squeeze([d % x.ndim for d in dims] if dims else list(range(x.ndim)))


# Statistics along columns.


@_of("var")
def _var(x: Tensor, dims: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Tensor:
    return _var_and_mean(x, dims, correction, keepdim)[0]


@_of("std")
def _std(x: Tensor, dims: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Tensor:
    return torch.sqrt(_var(x, dims, correction=correction, keepdim=keepdim))


@_of("var_mean")
def _var_mean(
    x: Tensor, dims: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    return _var_and_mean(x, dims, correction, keepdim)


@_of("std_mean")
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
    return (variance, mean) if keepdim else (_without(variance, dims), _without(mean, dims))


@_of("linalg_vector_norm")
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


@_of("norm")
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
    """Give the derivatives of `layer_norm` by input, weight and bias."""
    dims, others = list(range(x.ndim - len(shape), x.ndim)), list(range(x.ndim - len(shape)))
    normal = (x - mean) * scale
    weighted = grad if weight is None else grad * weight
    rest = weighted - weighted.mean(dims, keepdim=True) - normal * (weighted * normal).mean(dims, keepdim=True)
    return rest * scale, (grad * normal).sum(others) if wanted[1] else None, grad.sum(others) if wanted[2] else None


@_of("native_group_norm")
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


@_of("native_group_norm_backward")
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


# The largest, and where it is.


@_of("argmax")
def _argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return largest(x, _dim_of(dim), keepdim)[1]


@_of("argmin")
def _argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return smallest(x, _dim_of(dim), keepdim)[1]


def largest(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """Return the largest along a dimension and the first place of it."""
    values = x.amax(dim, keepdim=True)
    return values if keepdim else values.squeeze(dim), _first(x, values, dim, keepdim)


def smallest(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """Return the smallest along a dimension and the first place of it."""
    values = x.amin(dim, keepdim=True)
    return values if keepdim else values.squeeze(dim), _first(x, values, dim, keepdim)


def _dim_of(dim: int | None) -> int:
    if dim is None:
        raise Refused("counts through all samples")
    return dim


def _first(x: Tensor, values: Tensor, dim: int, keepdim: bool) -> Tensor:
    number = x.shape[dim]
    return torch.where((x == values) | (x != x), _places(x, dim % x.ndim), number).amin(dim, keepdim=keepdim)


@_of("sort")
def _sort(x: Tensor, *args: Any, stable: Any = None, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """Sort by counting: a number's place is how many go before it."""
    dim = args[0] if args else dim
    descending = args[1] if len(args) > 1 else descending
    x = x.transpose(dim, -1)
    number = x.shape[-1]
    if number > _MOST_SORTED:
        raise Refused(f"sorts more than {_MOST_SORTED} columns")
    one, other = x[..., :, None], x[..., None, :]
    smaller = (other < one) | ((one != one) & (other == other))
    larger = (other > one) | ((other != other) & (one == one))
    earlier = torch.ones(number, number).tril(-1) != 0
    before = (larger if descending else smaller) | (~smaller & ~larger & earlier)
    places = before.sum(-1)[..., None, :] == torch.arange(number)[:, None]
    index = torch.where(places, torch.arange(number), 0).sum(-1)
    values = torch.where(places, x[..., None, :], 0.0).sum(-1)
    return values.transpose(dim, -1), index.transpose(dim, -1)


def gather_computed(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """Take the numbers at places that the step computes, which are known to be within the dimension."""
    dim %= x.ndim
    hit = index.unsqueeze(dim + 1) == _places(x, dim)
    return torch.where(hit, x.unsqueeze(dim), 0.0).sum(dim + 1)


def scatter_computed(x: Tensor, dim: int, index: Tensor, values: Any) -> Tensor:
    """Put numbers into such places."""
    dim %= x.ndim
    hit = index.unsqueeze(dim + 1) == _places(x, dim)
    values = values.unsqueeze(dim + 1) if isinstance(values, Tensor) else values
    return torch.where(hit.any(dim), torch.where(hit, values, 0.0).sum(dim), x)


def scatter_add_computed(x: Tensor, dim: int, index: Tensor, values: Tensor) -> Tensor:
    """Add numbers in such places."""
    dim %= x.ndim
    hit = index.unsqueeze(dim + 1) == _places(x, dim)
    return x + torch.where(hit, values.unsqueeze(dim + 1), 0.0).sum(dim)


def _places(x: Tensor, dim: int) -> Tensor:
    return torch.arange(x.shape[dim]).view([-1, *[1] * (x.ndim - dim - 1)])


# Elementwise, of what there are rules for.


@_of("frac")
def _frac(x: Tensor) -> Tensor:
    return x - torch.trunc(x)


@_of("addcdiv")
def _addcdiv(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    return x + value * (a / b) if value != 1 else x + a / b


@_of("nan_to_num")
def _nan_to_num(
    x: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    limits = torch.finfo(x.dtype)
    x = torch.where(x != x, 0.0 if nan is None else nan, x)
    x = torch.where(x == math.inf, limits.max if posinf is None else posinf, x)
    return torch.where(x == -math.inf, limits.min if neginf is None else neginf, x)


@_of("isnan")
def _isnan(x: Tensor) -> Tensor:
    return x != x


@_of("isinf")
def _isinf(x: Tensor) -> Tensor:
    return x.abs() == math.inf


@_of("heaviside")
def _heaviside(x: Tensor, at_zero: Tensor) -> Tensor:
    return torch.where(x == 0, at_zero, (x > 0).to(x.dtype))


@_of("logit")
def _logit(x: Tensor, eps: float | None = None) -> Tensor:
    x = x if eps is None else x.clamp(eps, 1 - eps)
    return torch.log(x / (1 - x))


@_of("logical_xor", "bitwise_xor")
def _xor(a: Tensor, b: Tensor) -> Tensor:
    return (a != 0) != (b != 0)


@_of("sinc")
def _sinc(x: Tensor) -> Tensor:
    return torch.where(x == 0, 1.0, torch.sin(math.pi * x) / (math.pi * x))


@_of("hypot")
def _hypot(a: Tensor, b: Tensor) -> Tensor:
    return torch.sqrt(a * a + b * b)


@_of("xlogy")
def _xlogy(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b != b, b, torch.where(a == 0, 0.0, a * torch.log(b)))


@_of("fmax")
def _fmax(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(a != a, b, torch.where(b != b, a, torch.maximum(a, b)))


@_of("fmin")
def _fmin(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(a != a, b, torch.where(b != b, a, torch.minimum(a, b)))


# Running sums and products: shifted copies, twice as far each time.


@_of("cumsum")
def _cumsum(x: Tensor, dim: int, **kwargs: Any) -> Tensor:
    return _running(torch.add, x, dim, 0.0)


@_of("cumprod")
def _cumprod(x: Tensor, dim: int, **kwargs: Any) -> Tensor:
    return _running(torch.mul, x, dim, 1.0)


def _running(together: Callable[[Tensor, Tensor], Tensor], x: Tensor, dim: int, neutral: float) -> Tensor:
    x = x.transpose(dim, -1)
    by = 1
    while by < x.shape[-1]:
        x = together(x, _ATEN.constant_pad_nd(x[..., :-by], [by, 0], neutral))
        by *= 2
    return x.transpose(dim, -1)


# Products of other forms.


@_of("mv")
def _mv(a: Tensor, b: Tensor) -> Tensor:
    return torch.mm(a, b[:, None])[:, 0]


@_of("_trilinear")
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


DECOMPOSITIONS.update({name: _torchs(name) for name in _OF_TORCH})
