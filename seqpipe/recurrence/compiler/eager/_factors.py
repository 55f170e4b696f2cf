"""Writes the elementwise part of the backward pass as sums of gradients times factors that are computed in advance."""

from __future__ import annotations

from collections import Counter

import torch

from seqpipe.recurrence.compiler.eager._graph import Size, StepGraph, Value, values_in, values_in_order

__all__ = ["factor_out"]

_ATEN = torch.ops.aten
#: Gradients of functions of one tensor: linear in their first argument; their value at 1 is the factor.
_DERIVATIVES = frozenset({
    "elu_backward", "gelu_backward", "hardsigmoid_backward", "hardswish_backward", "hardtanh_backward",
    "leaky_relu_backward", "sigmoid_backward", "silu_backward", "softplus_backward", "tanh_backward",
    "threshold_backward",
})  # fmt: skip

Factor = Value | float
#: A value as a sum of others times factors.
Form = dict[Value, Factor]


def factor_out(graph: StepGraph) -> None:
    """Write the gradients of the states as few sums of products; the graph is changed in place.

    The gradient of an elementwise step is linear: each operand before, between and after its sums is a factor
    determined by the forward pass. Thus σ'(i) ⊙ g and f ⊙ ∂c + p ⊙ σ'(i) ⊙ g ⊙ ∂c are one product each, with factors
    that are computed for many steps in one call.
    """
    made = _Factoring(graph).made
    graph.map(lambda value: made.get(value, value))


class _Factoring:
    def __init__(self, graph: StepGraph) -> None:
        order = values_in_order(graph.gradients)
        path = values_in_order([g for g in graph.grads_of_states if g is not None])
        self.one = _one(graph)
        found = {v: self._summands(v) for v in path if v.level == 2 and v.op != "input"}
        self.summands = {v: summands for v, summands in found.items() if summands}
        self.users = Counter(a for summands in self.summands.values() for a, _ in summands)
        others = [a for v in order if v not in self.summands for a in values_in((v.args, v.kwargs))]
        self.needed = {*graph.gradients, *others}
        self.forms: dict[Value, Form] = {}
        self.made: dict[Value, Value] = {}
        for value in order:
            self._make(value)

    def _summands(self, value: Value) -> list[tuple[Value, Factor]]:
        """Return the summands of a value and their factors; empty if it is no such sum."""
        found = [(a, f) for a, f in _linear(value, self.one) if f != 0]
        fit = all(_is_gradient_like(a, value) for a, _ in found) and all(_is_factor(f, value) for _, f in found)
        return found if fit and value.rows is not None and value.rows[0] == 0 else []

    def _make(self, value: Value) -> None:
        if value not in self.summands:
            self.made[value] = value.rebuilt(self.made)
            return
        form = self.forms[value] = self._form(value)
        if value in self.needed or (len(form) > 1 and self.users[value] > 1):
            self.made[value] = _written(value, form)

    def _form(self, value: Value) -> Form:
        """Return a value's form over values that are computed anyway, or over their summands if that is shorter."""
        summands = self.summands[value]
        apart, short = ([(self._seen(a, through), f) for a, f in summands] for through in (True, False))
        chosen = min(short, apart, key=lambda seen: len({base for form, _ in seen for base in form}))
        result: Form = {}
        for form, factor in chosen:
            for base, inner in form.items():
                result[base] = _plus(result.get(base, 0.0), _times(inner, factor, value), value)
        return result

    def _seen(self, value: Value, through: bool) -> Form:
        form = self.forms.get(value)
        if value in self.made and (form is None or len(form) > 1 or not through):
            return {self.made[value]: 1.0}
        assert form is not None
        return form


def _one(graph: StepGraph) -> Value | None:
    """Return a 1 on the device of the cell's parameters, or None for a cell without parameters."""
    for like in graph.parameters:
        if like.dtype == graph.x.dtype:
            return like.like(_ATEN.new_ones.default, like, [1], shape=(1,))
    return None


def _linear(value: Value, one: Value | None) -> list[tuple[Value, Factor]]:
    """Return the gradients in which a value is linear, and their factors."""
    args, kwargs = value.args, value.kwargs
    if value.name in _DERIVATIVES and not kwargs and one is not None and all(a.level < 2 for a in values_in(args[1:])):
        return [(args[0], value.like(value.op, one, *args[1:]))]
    if value.name == "addcmul" and set(kwargs) <= {"value"}:
        rest, left, right = args
        return [(rest, 1.0), *((g, _times(f, float(kwargs.get("value", 1)), value)) for g, f in _product(left, right))]
    if kwargs:
        return []
    if value.name == "mul":
        return _product(*args)
    if value.name == "neg":
        return [(args[0], -1.0)]
    if value.name == "div" and len(args) == 2 and not _is_gradient(args[1]):
        inverse = args[1].like(_ATEN.reciprocal.default, args[1]) if isinstance(args[1], Value) else 1 / args[1]
        return [(args[0], inverse)]
    if value.name in ("add", "sub") and len(args) == 2:
        return [(args[0], 1.0), (args[1], 1.0 if value.name == "add" else -1.0)]
    return []


def _product(left: Value | float, right: Value | float) -> list[tuple[Value, Factor]]:
    for gradient, factor in ((left, right), (right, left)):
        if isinstance(gradient, Value) and _is_gradient(gradient) and not _is_gradient(factor):
            return [(gradient, factor)]
    return []


def _is_gradient(given: Value | float) -> bool:
    return isinstance(given, Value) and given.level == 2


def _is_gradient_like(gradient: Value | float, value: Value) -> bool:
    return (
        isinstance(gradient, Value)
        and gradient.level == 2
        and gradient.shape == value.shape
        and gradient.dtype == value.dtype
    )


def _is_factor(factor: Factor, value: Value) -> bool:
    return factor.dtype == value.dtype if isinstance(factor, Value) else True


def _written(value: Value, form: Form) -> Value:
    """Return the sum as operations."""
    terms = sorted(form.items(), key=lambda term: term[1] != 1.0)
    base, factor = terms[0]
    total = base if factor == 1.0 else value.like(_ATEN.mul.Tensor, base, factor)
    for base, factor in terms[1:]:
        if isinstance(factor, Value):
            total = value.like(_ATEN.addcmul.default, total, base, factor)
        elif factor == 1.0:
            total = value.like(_ATEN.add.Tensor, total, base)
        else:
            total = value.like(_ATEN.add.Tensor, total, base, alpha=factor)
    return total


def _times(a: Factor, b: Factor, like: Value) -> Factor:
    if not isinstance(a, Value):
        a, b = b, a
    if not isinstance(a, Value):
        return a * b  # type: ignore[operator]  # both are numbers
    if not isinstance(b, Value):
        return a if b == 1.0 else a.like(_ATEN.mul.Tensor, a, b)
    return like.like(_ATEN.mul.Tensor, a, b, shape=_broadcast(a, b))


def _plus(a: Factor, b: Factor, like: Value) -> Factor:
    if not isinstance(a, Value):
        a, b = b, a
    if not isinstance(a, Value):
        return a + b  # type: ignore[operator]  # both are numbers
    if not isinstance(b, Value):
        return a if b == 0.0 else a.like(_ATEN.add.Tensor, a, b)
    shape = _broadcast(a, b)
    if b.name == "mul" and len(values_in(b.args)) == 2:
        return like.like(_ATEN.addcmul.default, a, *b.args, shape=shape)
    return like.like(_ATEN.add.Tensor, a, b, shape=shape)


def _broadcast(a: Value, b: Value) -> tuple[int | Size, ...]:
    """Return the shape of two values' sum."""
    rank = max(len(a.shape), len(b.shape))
    pairs = zip(*((1,) * (rank - len(v.shape)) + v.shape for v in (a, b)))
    return tuple(m if n == 1 else n for n, m in pairs)
