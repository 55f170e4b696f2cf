"""Operations on complex numbers, expressed by operations on their real and imaginary parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.program._registry import Registry

__all__ = ["SUPPORTED", "ComplexParts", "on_parts"]


class ComplexParts(NamedTuple):
    """Real and imaginary parts of complex numbers: two tensors, or two nodes of a trace."""

    re: Any
    im: Any


#: Functions on parts by the name of an operation, without overload; they return parts or a real tensor.
_RULES: Registry[Callable[..., Any]] = Registry()
_register = _RULES.register
#: Operations that apply to the parts of a complex tensor separately.
_LINEAR = frozenset({
    "clone", "detach", "alias", "view", "_unsafe_view", "reshape", "_reshape_alias", "t", "transpose", "permute",
    "expand", "select", "slice", "squeeze", "unsqueeze", "cat", "stack", "repeat", "flip", "roll", "sum", "mean", "neg",
    "select_backward", "slice_backward", "split", "split_with_sizes", "unbind", "zeros_like", "new_zeros", "copy",
    "constant_pad_nd", "diagonal", "cumsum", "index", "index_select",
})  # fmt: skip


def on_parts(op: Any, item: int | None) -> Callable[..., Any] | None:
    """Return a function on parts that is equivalent to an operation on complex tensors, None if unsupported."""
    name = op.overloadpacket.__name__
    if name not in _LINEAR:
        return _RULES.get(name)

    if name in ("view", "_unsafe_view"):  # the strides of the parts may not be those of the whole
        op = torch.ops.aten.reshape.default

    def linear(*args: Any, **kwargs: Any) -> ComplexParts:
        kwargs.pop("dtype", None)
        results = (op(*_part(args, index), **kwargs) for index in (0, 1))
        return ComplexParts(*(r if item is None else r[item] for r in results))

    return linear


def _part(value: Any, index: int) -> Any:
    """Replace complex values in arguments by their real (0) or imaginary (1) part."""
    if isinstance(value, ComplexParts):
        return value[index]
    if isinstance(value, (list, tuple)):
        return type(value)(_part(item, index) for item in value)
    return value


def _parts(value: Any) -> ComplexParts:
    """Return the parts of a complex or real value."""
    if isinstance(value, ComplexParts):
        return value
    return ComplexParts(value.real, value.imag) if isinstance(value, complex) else ComplexParts(value, 0.0)


def _is_real(value: Any) -> bool:
    return not isinstance(value, (ComplexParts, complex))


@_register("add")
def _add(a: Any, b: Any, alpha: Any = 1) -> ComplexParts:
    (a_re, a_im), (b_re, b_im) = _parts(a), _parts(_times(b, alpha) if alpha != 1 else b)
    return ComplexParts(a_re + b_re, a_im + b_im)


@_register("sub")
def _sub(a: Any, b: Any, alpha: Any = 1) -> ComplexParts:
    (a_re, a_im), (b_re, b_im) = _parts(a), _parts(_times(b, alpha) if alpha != 1 else b)
    return ComplexParts(a_re - b_re, a_im - b_im)


@_register("rsub")
def _rsub(a: Any, b: Any, alpha: Any = 1) -> ComplexParts:
    return _sub(b, a, alpha)


@_register("mul")
def _times(a: Any, b: Any) -> ComplexParts:
    if _is_real(a) or _is_real(b):
        real, (re, im) = (a, _parts(b)) if _is_real(a) else (b, _parts(a))
        return ComplexParts(re * real, im * real)
    (a_re, a_im), (b_re, b_im) = _parts(a), _parts(b)
    return ComplexParts(a_re * b_re - a_im * b_im, a_re * b_im + a_im * b_re)


@_register("div")
def _div(a: Any, b: Any) -> ComplexParts:
    if _is_real(b):
        re, im = _parts(a)
        return ComplexParts(re / b, im / b)
    b_re, b_im = _parts(b)
    size = b_re * b_re + b_im * b_im
    re, im = _times(a, ComplexParts(b_re, -b_im))
    return ComplexParts(re / size, im / size)


@_register("reciprocal")
def _reciprocal(a: ComplexParts) -> ComplexParts:
    return _div(1.0, a)


@_register("_conj", "conj_physical", "conj")
def _conj(a: ComplexParts) -> ComplexParts:
    return ComplexParts(a.re, -a.im)


@_register("abs")
def _abs(a: ComplexParts) -> Tensor:
    size: Tensor = torch.sqrt(a.re * a.re + a.im * a.im)
    return size


@_register("sgn")
def _sgn(a: ComplexParts) -> ComplexParts:
    size = _abs(a)
    return ComplexParts(*(torch.where(size == 0, 0.0, part / size) for part in a))


@_register("angle")
def _angle(a: ComplexParts) -> Tensor:
    return torch.atan2(a.im, a.re)


@_register("exp")
def _exp(a: ComplexParts) -> ComplexParts:
    size = torch.exp(a.re)
    return ComplexParts(size * torch.cos(a.im), size * torch.sin(a.im))


@_register("log")
def _log(a: ComplexParts) -> ComplexParts:
    return ComplexParts(torch.log(_abs(a)), _angle(a))


@_register("pow")
def _pow(a: Any, exponent: Any) -> ComplexParts:
    if exponent == 2:
        return _times(a, a)
    size, angle = torch.exp(_log(a).re * exponent), _angle(a) * exponent
    return ComplexParts(size * torch.cos(angle), size * torch.sin(angle))


@_register("tanh")
def _tanh(a: ComplexParts) -> ComplexParts:
    size = torch.cosh(2 * a.re) + torch.cos(2 * a.im)
    return ComplexParts(torch.sinh(2 * a.re) / size, torch.sin(2 * a.im) / size)


@_register("sigmoid")
def _sigmoid(a: ComplexParts) -> ComplexParts:
    e = _exp(ComplexParts(-a.re, -a.im))
    return _reciprocal(ComplexParts(1 + e.re, e.im))


@_register("tanh_backward")
def _tanh_backward(grad: Any, y: ComplexParts) -> ComplexParts:
    square = _times(y, y)
    return _times(grad, ComplexParts(1 - square.re, square.im))


@_register("sigmoid_backward")
def _sigmoid_backward(grad: Any, y: ComplexParts) -> ComplexParts:
    return _times(grad, _conj(_times(ComplexParts(1 - y.re, -y.im), y)))


@_register("mm")
def _mm(a: Any, b: Any) -> ComplexParts:
    return _product(torch.mm, a, b)


@_register("bmm")
def _bmm(a: Any, b: Any) -> ComplexParts:
    return _product(torch.bmm, a, b)


@_register("addmm")
def _addmm(bias: Any, a: Any, b: Any) -> ComplexParts:
    return _add(bias, _mm(a, b))


def _product(product: Callable[[Tensor, Tensor], Tensor], a: Any, b: Any) -> ComplexParts:
    if _is_real(a):
        return ComplexParts(product(a, b.re), product(a, b.im))
    if _is_real(b):
        return ComplexParts(product(a.re, b), product(a.im, b))
    return ComplexParts(product(a.re, b.re) + product(a.im, -b.im), product(a.re, b.im) + product(a.im, b.re))


@_register("complex")
def _complex(re: Tensor, im: Tensor) -> ComplexParts:
    return ComplexParts(re, im)


@_register("polar")
def _polar(size: Tensor, angle: Tensor) -> ComplexParts:
    return ComplexParts(size * torch.cos(angle), size * torch.sin(angle))


@_register("view_as_complex")
def _view_as_complex(pairs: Tensor) -> ComplexParts:
    return ComplexParts(pairs[..., 0], pairs[..., 1])


@_register("view_as_real")
def _view_as_real(a: ComplexParts) -> Tensor:
    return torch.stack(list(a), dim=-1)


@_register("_to_copy")
def _cast(a: Any, dtype: Any = None, **kwargs: Any) -> Any:
    if isinstance(a, ComplexParts):
        return a if dtype is None or dtype.is_complex else a.re
    return ComplexParts(a, torch.zeros_like(a))


@_register("ones_like")
def _ones_like(a: ComplexParts, **kwargs: Any) -> ComplexParts:
    return ComplexParts(torch.ones_like(a.re), torch.zeros_like(a.im))


@_register("where")
def _where(which: Tensor, a: Any, b: Any) -> ComplexParts:
    return ComplexParts(*(torch.where(which, p, q) for p, q in zip(_parts(a), _parts(b))))


@_register("masked_fill")
def _masked_fill(a: ComplexParts, which: Tensor, value: Any) -> ComplexParts:
    return _where(which, value, a)


@_register("eq")
def _eq(a: Any, b: Any) -> Tensor:
    (a_re, a_im), (b_re, b_im) = _parts(a), _parts(b)
    same: Tensor = (a_re == b_re) & (a_im == b_im)
    return same


@_register("ne")
def _ne(a: Any, b: Any) -> Tensor:
    return ~_eq(a, b)


#: Names of all operations on complex tensors.
SUPPORTED = frozenset({*_RULES, *_LINEAR})
