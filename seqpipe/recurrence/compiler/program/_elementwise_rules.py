"""Rules for elementwise operations."""

from __future__ import annotations

import math
from typing import Any

import torch

from seqpipe.recurrence.compiler.program._atoms import Const
from seqpipe.recurrence.compiler.program._planner import Planner, Rule, rows_of
from seqpipe.recurrence.compiler.program._registry import Registry
from seqpipe.recurrence.compiler.program._rows import Refused, Rows
from seqpipe.recurrence.compiler.trace import IN_DERIVATIVE, Node

__all__ = ["RULES"]

RULES: Registry[Rule] = Registry()
_rule = RULES.register

_UNARY = {
    "neg": "neg", "sigmoid": "sigmoid", "tanh": "tanh", "exp": "exp", "log": "log", "sqrt": "sqrt", "rsqrt": "rsqrt",
    "abs": "abs", "sin": "sin", "cos": "cos", "erf": "erf", "log1p": "log1p", "expm1": "expm1", "sign": "sign",
    "sgn": "sign", "logical_not": "not",
    **{name: name for name in (
        "floor", "ceil", "trunc", "exp2", "log2", "log10", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh",
        "acosh", "atanh", "erfc",
    )},
}  # fmt: skip
_BINARY = {
    "mul": "mul", "maximum": "max", "minimum": "min", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le", "eq": "eq",
    "ne": "ne", "atan2": "atan2", "fmod": "fmod", "remainder": "remainder",
}  # fmt: skip
#: Operations on booleans, represented by 0 and 1.
_LOGICAL = {"logical_and": "mul", "bitwise_and": "mul", "logical_or": "max", "bitwise_or": "max"}


@_rule(*_UNARY)
def _unary(p: Planner, n: Node) -> Rows:
    return p.pointwise(_UNARY[n.op.overloadpacket.__name__], n, n.args[0])


@_rule("round")
def _round(p: Planner, n: Node) -> Rows:
    if n.kwargs.get("decimals", 0):
        raise Refused("rounds to a number of decimals")
    return p.pointwise("round", n, n.args[0])


@_rule(*_BINARY)
def _binary(p: Planner, n: Node) -> Rows:
    return p.pointwise(_BINARY[n.op.overloadpacket.__name__], n, n.args[0], n.args[1])


@_rule(*_LOGICAL)
def _logical(p: Planner, n: Node) -> Rows:
    name = n.op.overloadpacket.__name__
    if name.startswith("bitwise") and n.value.dtype != torch.bool:
        raise Refused(f"operates on the bits of {n.value.dtype}")
    return p.pointwise(_LOGICAL[name], n, *(_as_bool(p, n, a) for a in n.args))


def _as_bool(p: Planner, n: Node, value: Any) -> Any:
    """Return 1 where a value is not 0, else 0."""
    is_bool = not isinstance(value, Node) or value.value.dtype == torch.bool
    return (value if isinstance(value, Node) else float(bool(value))) if is_bool else p.pointwise("ne", n, value, 0.0)


@_rule("bitwise_not")
def _bitwise_not(p: Planner, n: Node) -> Rows:
    if n.value.dtype != torch.bool:
        raise Refused(f"operates on the bits of {n.value.dtype}")
    return p.pointwise("not", n, n.args[0])


@_rule("div", "floor_divide")
def _div(p: Planner, n: Node) -> Rows:
    a, b = n.args[:2]
    mode = "floor" if n.op.overloadpacket.__name__ == "floor_divide" else n.kwargs.get("rounding_mode")
    quotient = p.pointwise("div", n, a, b)
    if mode == "trunc":
        return p.pointwise("trunc", n, quotient)
    if mode is None:
        return quotient
    whole = p.pointwise("div", n, p.pointwise("sub", n, a, p.pointwise("remainder", n, a, b)), b)
    is_zero = p.pointwise("mul", n, p.pointwise("eq", n, b, 0.0), 1.0) if isinstance(b, Rows) else 0.0
    return p.pointwise("round", n, whole) if is_zero == 0.0 else p.pointwise("select", n, is_zero, quotient, whole)


@_rule("add", "sub")
def _add(p: Planner, n: Node) -> Rows:
    a, b = n.args[:2]
    alpha = n.kwargs.get("alpha", 1)
    if alpha != 1:
        b = p.pointwise("mul", n, b, alpha)
    return p.pointwise(n.op.overloadpacket.__name__, n, a, b)


@_rule("rsub")
def _rsub(p: Planner, n: Node) -> Rows:
    alpha = n.args[2] if len(n.args) > 2 else n.kwargs.get("alpha", 1)
    return p.pointwise("sub", n, n.args[1], n.args[0] if alpha == 1 else p.pointwise("mul", n, n.args[0], alpha))


@_rule("relu")
def _relu(p: Planner, n: Node) -> Rows:
    return p.pointwise("max", n, n.args[0], 0.0)


@_rule("square")
def _square(p: Planner, n: Node) -> Rows:
    return p.pointwise("mul", n, n.args[0], n.args[0])


@_rule("reciprocal")
def _reciprocal(p: Planner, n: Node) -> Rows:
    return p.pointwise("div", n, 1.0, n.args[0])


@_rule("pow")
def _pow(p: Planner, n: Node) -> Rows:
    base, exponent = n.args
    if exponent == 2:
        return p.pointwise("mul", n, base, base)
    if exponent == 1:
        return rows_of(p, base)
    if exponent == 3:
        return p.pointwise("mul", n, p.pointwise("mul", n, base, base), base)
    if exponent in (0.5, -0.5):
        return p.pointwise("sqrt" if exponent > 0 else "rsqrt", n, base)
    if exponent == -1:
        return p.pointwise("div", n, 1.0, base)
    return p.pointwise("pow", n, base, exponent)


@_rule("leaky_relu")
def _leaky_relu(p: Planner, n: Node) -> Rows:
    slope = float(n.args[1]) if len(n.args) > 1 else 0.01
    return p.pointwise(
        "select", n, p.pointwise("gt", n, n.args[0], 0.0), n.args[0], p.pointwise("mul", n, n.args[0], slope)
    )


@_rule("leaky_relu_backward")
def _leaky_relu_backward(p: Planner, n: Node) -> Rows:
    g, x, slope = n.args[:3]
    return p.pointwise("select", n, p.pointwise("gt", n, x, 0.0), g, p.pointwise("mul", n, g, float(slope)))


@_rule("sigmoid_backward")
def _sigmoid_backward(p: Planner, n: Node) -> Rows:
    g, y = n.args
    slope = p.pointwise("mul", n, p.pointwise("sub", n, 1.0, y), y)
    return p.pointwise("mul", n, g, slope)


@_rule("tanh_backward")
def _tanh_backward(p: Planner, n: Node) -> Rows:
    g, y = n.args
    return p.pointwise("mul", n, g, p.pointwise("sub", n, 1.0, p.pointwise("mul", n, y, y)))


@_rule("threshold_backward")
def _threshold_backward(p: Planner, n: Node) -> Rows:
    g, x, threshold = n.args
    return p.pointwise("select", n, p.pointwise("le", n, x, float(threshold)), 0.0, g)


@_rule("silu")
def _silu(p: Planner, n: Node) -> Rows:
    return p.pointwise("mul", n, n.args[0], p.pointwise("sigmoid", n, n.args[0]))


@_rule("silu_backward")
def _silu_backward(p: Planner, n: Node) -> Rows:
    g, x = n.args
    s = p.pointwise("sigmoid", n, x)
    inner = p.pointwise("add", n, 1.0, p.pointwise("mul", n, x, p.pointwise("sub", n, 1.0, s)))
    return p.pointwise("mul", n, g, p.pointwise("mul", n, s, inner))


@_rule("softplus")
def _softplus(p: Planner, n: Node) -> Rows:
    beta, threshold = (float(a) for a in [*n.args[1:], *(1.0, 20.0)[len(n.args) - 1 :]])
    scaled = p.pointwise("mul", n, n.args[0], beta)
    soft = p.pointwise("div", n, p.pointwise("log1p", n, p.pointwise("exp", n, scaled)), beta)
    return p.pointwise("select", n, p.pointwise("gt", n, scaled, threshold), n.args[0], soft)


@_rule("softplus_backward")
def _softplus_backward(p: Planner, n: Node) -> Rows:
    g, x, beta, threshold = n.args
    scaled = p.pointwise("mul", n, x, float(beta))
    soft = p.pointwise("mul", n, g, p.pointwise("sigmoid", n, scaled))
    return p.pointwise("select", n, p.pointwise("gt", n, scaled, float(threshold)), g, soft)


@_rule("elu")
def _elu(p: Planner, n: Node) -> Rows:
    alpha, scale, input_scale = (float(a) for a in [*n.args[1:], *(1.0, 1.0, 1.0)[len(n.args) - 1 :]])
    low = p.pointwise("mul", n, p.pointwise("expm1", n, p.pointwise("mul", n, n.args[0], input_scale)), alpha * scale)
    return p.pointwise("select", n, p.pointwise("gt", n, n.args[0], 0.0), p.pointwise("mul", n, n.args[0], scale), low)


@_rule("elu_backward")
def _elu_backward(p: Planner, n: Node) -> Rows:
    g, alpha, scale, input_scale, is_result, x = n.args
    if is_result:
        slope = p.pointwise("mul", n, p.pointwise("add", n, x, float(alpha) * float(scale)), float(input_scale))
    else:
        grown = p.pointwise("exp", n, p.pointwise("mul", n, x, float(input_scale)))
        slope = p.pointwise("mul", n, grown, float(alpha) * float(scale) * float(input_scale))
    positive = p.pointwise("mul", n, g, float(scale))
    return p.pointwise("select", n, p.pointwise("le", n, x, 0.0), p.pointwise("mul", n, g, slope), positive)


@_rule("clamp", "hardtanh", "clamp_min", "clamp_max")
def _clamp(p: Planner, n: Node) -> Rows:
    name = n.op.overloadpacket.__name__
    given = [*n.args[1:], *(None, None)]
    low, high = given[:2] if name != "clamp_max" else (None, given[0])
    if name == "hardtanh":
        low, high = (default if v is None else v for v, default in zip((low, high), (-1.0, 1.0)))
    low, high = n.kwargs.get("min", low), n.kwargs.get("max", high)
    value: Any = n.args[0]
    if low is not None:
        value = p.pointwise("max", n, value, low)
    return value if high is None else p.pointwise("min", n, value, high)


@_rule("hardtanh_backward")
def _hardtanh_backward(p: Planner, n: Node) -> Rows:
    g, x, low, high = n.args
    outside = p.pointwise("max", n, p.pointwise("le", n, x, float(low)), p.pointwise("ge", n, x, float(high)))
    return p.pointwise("select", n, outside, 0.0, g)


@_rule("where")
def _where(p: Planner, n: Node) -> Rows:
    if len(n.args) != 3:
        raise Refused("returns indices")
    return p.pointwise("select", n, *n.args)


@_rule("addcmul")
def _addcmul(p: Planner, n: Node) -> Rows:
    product = p.pointwise("mul", n, n.args[1], n.args[2])
    return p.pointwise("add", n, n.args[0], p.pointwise("mul", n, product, n.kwargs.get("value", 1)))


@_rule("lerp")
def _lerp(p: Planner, n: Node) -> Rows:
    start, end, weight = n.args
    return p.pointwise("add", n, start, p.pointwise("mul", n, weight, p.pointwise("sub", n, end, start)))


@_rule("masked_fill")
def _masked_fill(p: Planner, n: Node) -> Rows:
    return p.pointwise("select", n, n.args[1], n.args[2], n.args[0])


@_rule("_to_copy")
def _cast(p: Planner, n: Node) -> Rows:
    """Change the dtype: integers and booleans are represented as integral values of the cell's dtype."""
    real, before, after = p.trace.x.value.dtype, n.args[0].value.dtype, n.value.dtype
    if after == torch.bool:
        return p.pointwise("ne", n, n.args[0], 0.0)
    if after in (torch.int64, torch.int32) and before == real:
        return p.pointwise("trunc", n, n.args[0])
    if (
        after != real
        and after not in (torch.int64, torch.int32)
        and not (before == torch.bool and after.is_floating_point)
    ):
        raise Refused(f"changes the dtype to {after}")
    rows = rows_of(p, n.args[0])
    return Rows(rows.atoms, tuple(n.value.shape), rows.outer)


@_rule("fill")
def _fill(p: Planner, n: Node) -> Rows:
    rows, value = rows_of(p, n.args[0]), n.args[1]
    if not isinstance(value, Node):
        return Rows((Const(float(value), rows.width),), rows.shape, rows.outer)
    return p.pointwise("select", n, Rows((Const(1.0, rows.width),), rows.shape, rows.outer), value, 0.0)


@_rule(
    "zeros", "ones", "full", "empty", "new_zeros", "new_ones", "new_full", "zeros_like", "ones_like", "full_like",
    "new_empty", "empty_like",
)  # fmt: skip
def _filled(p: Planner, n: Node) -> Any:
    name = n.op.overloadpacket.__name__
    if "empty" in name:
        raise Refused("creates uninitialised values")
    shape = tuple(n.value.shape)
    flat = len(shape) == 1 and shape[0] % p.batch == 0  # memory for a gradient, of which torch uses views
    if p.batch not in shape and not (flat and n.line == IN_DERIVATIVE):
        return p.fix(n)
    value = n.args[-1] if "full" in name else float("ones" in name)
    outer = 1 if flat else math.prod(shape[: shape.index(p.batch)])
    return Rows((Const(float(value), math.prod(shape) // p.batch),), shape, outer)


@_rule("scalar_tensor", "arange", "eye", "linspace")
def _numbers(p: Planner, n: Node) -> Any:
    return p.fix(n)
