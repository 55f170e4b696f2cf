"""Complex numbers as pairs of real ones: what an operation on them is in operations on their parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Parts", "on_parts"]


class Parts(NamedTuple):
    """Real and imaginary part of complex numbers: two tensors, or two nodes of a trace."""

    re: Any
    im: Any


#: What an operation is that gives parts, or a real tensor, by its name without overload.
_RULES: dict[str, Callable[..., Any]] = {}
#: Operations that do to a complex tensor what they do to its parts.
_LINEAR = frozenset({
    "clone", "detach", "alias", "view", "_unsafe_view", "reshape", "_reshape_alias", "t", "transpose", "permute", "expand", "select", "slice",
    "squeeze", "unsqueeze", "cat", "stack", "repeat", "flip", "roll", "sum", "mean", "neg", "select_backward", "slice_backward", "split",
    "split_with_sizes", "unbind", "zeros_like", "new_zeros", "copy", "constant_pad_nd", "diagonal", "cumsum", "index", "index_select",
})  # fmt: skip


def on_parts(op: Any, item: int | None) -> Callable[..., Any] | None:
    """Return a function of torch that does to parts what an operation does to complex tensors; None where it is not known."""
    name = op.overloadpacket.__name__
    if name not in _LINEAR:
        return _RULES.get(name)

    def linear(*args: Any, **kwargs: Any) -> Parts:
        kwargs.pop("dtype", None)
        results = (op(*_side(args, side), **kwargs) for side in (0, 1))
        return Parts(*(r if item is None else r[item] for r in results))

    return linear


def _side(value: Any, side: int) -> Any:
    """Return one part of what has parts, anywhere among arguments."""
    if isinstance(value, Parts):
        return value[side]
    if isinstance(value, (list, tuple)):
        return type(value)(_side(item, side) for item in value)
    return value


def _of(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _RULES.update(dict.fromkeys(names, function))
        return function

    return register


def _parts(value: Any) -> Parts:
    """Return the parts of a number, or of real numbers."""
    if isinstance(value, Parts):
        return value
    return Parts(value.real, value.imag) if isinstance(value, complex) else Parts(value, 0.0)


def _is_real(value: Any) -> bool:
    return not isinstance(value, (Parts, complex))


@_of("add")
def _add(a: Any, b: Any, alpha: Any = 1) -> Parts:
    (a_re, a_im), (b_re, b_im) = _parts(a), _parts(_times(b, alpha) if alpha != 1 else b)
    return Parts(a_re + b_re, a_im + b_im)


@_of("sub")
def _sub(a: Any, b: Any, alpha: Any = 1) -> Parts:
    (a_re, a_im), (b_re, b_im) = _parts(a), _parts(_times(b, alpha) if alpha != 1 else b)
    return Parts(a_re - b_re, a_im - b_im)


@_of("rsub")
def _rsub(a: Any, b: Any, alpha: Any = 1) -> Parts:
    return _sub(b, a, alpha)


@_of("mul")
def _times(a: Any, b: Any) -> Parts:
    if _is_real(a) or _is_real(b):
        real, (re, im) = (a, _parts(b)) if _is_real(a) else (b, _parts(a))
        return Parts(re * real, im * real)
    (a_re, a_im), (b_re, b_im) = _parts(a), _parts(b)
    return Parts(a_re * b_re - a_im * b_im, a_re * b_im + a_im * b_re)


@_of("div")
def _div(a: Any, b: Any) -> Parts:
    if _is_real(b):
        re, im = _parts(a)
        return Parts(re / b, im / b)
    b_re, b_im = _parts(b)
    size = b_re * b_re + b_im * b_im
    re, im = _times(a, Parts(b_re, -b_im))
    return Parts(re / size, im / size)


@_of("reciprocal")
def _reciprocal(a: Parts) -> Parts:
    return _div(1.0, a)


@_of("_conj", "conj_physical", "conj")
def _conj(a: Parts) -> Parts:
    return Parts(a.re, -a.im)


@_of("abs")
def _abs(a: Parts) -> Tensor:
    size: Tensor = torch.sqrt(a.re * a.re + a.im * a.im)
    return size


@_of("sgn")
def _sgn(a: Parts) -> Parts:
    size = _abs(a)
    return Parts(*(torch.where(size == 0, 0.0, part / size) for part in a))


@_of("angle")
def _angle(a: Parts) -> Tensor:
    return torch.atan2(a.im, a.re)


@_of("exp")
def _exp(a: Parts) -> Parts:
    size = torch.exp(a.re)
    return Parts(size * torch.cos(a.im), size * torch.sin(a.im))


@_of("log")
def _log(a: Parts) -> Parts:
    return Parts(torch.log(_abs(a)), _angle(a))


@_of("pow")
def _pow(a: Any, exponent: Any) -> Parts:
    if exponent == 2:
        return _times(a, a)
    size, angle = torch.exp(_log(a).re * exponent), _angle(a) * exponent
    return Parts(size * torch.cos(angle), size * torch.sin(angle))


@_of("tanh")
def _tanh(a: Parts) -> Parts:
    size = torch.cosh(2 * a.re) + torch.cos(2 * a.im)
    return Parts(torch.sinh(2 * a.re) / size, torch.sin(2 * a.im) / size)


@_of("sigmoid")
def _sigmoid(a: Parts) -> Parts:
    e = _exp(Parts(-a.re, -a.im))
    return _reciprocal(Parts(1 + e.re, e.im))


@_of("tanh_backward")
def _tanh_backward(grad: Any, y: Parts) -> Parts:
    square = _times(y, y)
    return _times(grad, Parts(1 - square.re, square.im))


@_of("sigmoid_backward")
def _sigmoid_backward(grad: Any, y: Parts) -> Parts:
    return _times(grad, _conj(_times(Parts(1 - y.re, -y.im), y)))


@_of("mm")
def _mm(a: Any, b: Any) -> Parts:
    return _product(torch.mm, a, b)


@_of("bmm")
def _bmm(a: Any, b: Any) -> Parts:
    return _product(torch.bmm, a, b)


@_of("addmm")
def _addmm(bias: Any, a: Any, b: Any) -> Parts:
    return _add(bias, _mm(a, b))


def _product(product: Callable[[Tensor, Tensor], Tensor], a: Any, b: Any) -> Parts:
    if _is_real(a):
        return Parts(product(a, b.re), product(a, b.im))
    if _is_real(b):
        return Parts(product(a.re, b), product(a.im, b))
    return Parts(product(a.re, b.re) + product(a.im, -b.im), product(a.re, b.im) + product(a.im, b.re))


@_of("complex")
def _complex(re: Tensor, im: Tensor) -> Parts:
    return Parts(re, im)


@_of("polar")
def _polar(size: Tensor, angle: Tensor) -> Parts:
    return Parts(size * torch.cos(angle), size * torch.sin(angle))


@_of("view_as_complex")
def _view_as_complex(pairs: Tensor) -> Parts:
    return Parts(pairs[..., 0], pairs[..., 1])


@_of("view_as_real")
def _view_as_real(a: Parts) -> Tensor:
    return torch.stack(list(a), dim=-1)


@_of("_to_copy")
def _cast(a: Any, dtype: Any = None, **kwargs: Any) -> Any:
    if isinstance(a, Parts):
        return a if dtype is None or dtype.is_complex else a.re
    return Parts(a, torch.zeros_like(a))


@_of("ones_like")
def _ones_like(a: Parts, **kwargs: Any) -> Parts:
    return Parts(torch.ones_like(a.re), torch.zeros_like(a.im))


@_of("where")
def _where(which: Tensor, a: Any, b: Any) -> Parts:
    return Parts(*(torch.where(which, p, q) for p, q in zip(_parts(a), _parts(b))))


@_of("masked_fill")
def _masked_fill(a: Parts, which: Tensor, value: Any) -> Parts:
    return _where(which, value, a)


@_of("eq")
def _eq(a: Any, b: Any) -> Tensor:
    (a_re, a_im), (b_re, b_im) = _parts(a), _parts(b)
    same: Tensor = (a_re == b_re) & (a_im == b_im)
    return same


@_of("ne")
def _ne(a: Any, b: Any) -> Tensor:
    return ~_eq(a, b)
