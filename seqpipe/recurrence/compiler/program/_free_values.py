"""Row-free values computed before the loops: views and functions of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence.compiler.program._step_program import FreeCall, StepProgram, run_free_calls

__all__ = ["Bound", "FreeValues"]

#: Key of an argument of a kernel: see `CKernel`.
Key = tuple[object, ...]


@dataclass
class Bound:
    """Addresses of the row-free values of a kernel, and the strides of their dimensions.

    Attributes
    ----------
    addresses, strides : dict
    alive : object
        Owner of the memory.
    """

    addresses: dict[Key, int]
    strides: dict[Key, int]
    alive: Any


@dataclass
class _Binding:
    """For one memory layout of the parameters, the values that are views of them and those that must be computed."""

    views: list[tuple[Key, int, int]]
    strides: dict[Key, int]
    steps: list[FreeCall]
    computed: list[int]


class FreeValues:
    """Compute the row-free values of one program; views are determined only once per memory layout.

    Parameters
    ----------
    program : StepProgram
    """

    def __init__(self, program: StepProgram) -> None:
        self._program = program
        self._plans: dict[tuple[tuple[int, ...], ...], _Binding] = {}

    def bind(self, tensors: Sequence[Tensor]) -> Bound:
        """Compute all values that are not views; return the addresses of all values."""
        layout = tuple([t.stride() for t in tensors])
        plan = self._plans.get(layout)
        if plan is None:
            plan = self._plans[layout] = self._find(tensors)
        starts = [t.data_ptr() for t in tensors]
        addresses = {key: starts[i] + offset for key, i, offset in plan.views}
        # Not the tensors: they may get other memory (``parameter.data = …``) before the backward pass.
        memory = [t.untyped_storage() for t in tensors]
        if not plan.computed:
            return Bound(addresses, plan.strides, memory)
        values = self._values(tensors, plan.steps)
        addresses |= {("free", slot): values[slot].data_ptr() for slot in plan.computed}
        return Bound(addresses, plan.strides, (memory, values))

    def all(self, tensors: Sequence[Tensor]) -> list[Any]:
        """Return every value by slot, views included."""
        return self._values(tensors, self._program.early)

    def _values(self, tensors: Sequence[Tensor], steps: Sequence[FreeCall]) -> list[Any]:
        values: list[Any] = [*tensors, *[None] * (self._program.n_slots - len(tensors))]
        for slot, constant in self._program.constants.items():
            values[slot] = constant
        run_free_calls(steps, values)
        return values

    def _find(self, tensors: Sequence[Tensor]) -> _Binding:
        """Compute all values from similar tensors that share no memory, and find out which are views."""
        with forked_generators():
            samples = [_random_like(t) for t in tensors]
            values = self.all(samples)
        owners = {t.untyped_storage().data_ptr(): i for i, t in enumerate(samples)}
        plan = _Binding([], {}, [], [])
        for slot, value in enumerate(values):
            if slot not in self._program.shapes or value is None:  # read by torch only, or computed after the loops
                continue
            owner = owners.get(value.untyped_storage().data_ptr())
            if owner is None:
                plan.computed.append(slot)
            else:
                plan.views.append((("free", slot), owner, value.data_ptr() - samples[owner].data_ptr()))
            strides = value.stride() or (0,)
            plan.strides |= {("stride", slot, d): strides[d] for d in range(-1, len(strides))}
        plan.steps = _needed(self._program.early, plan.computed)
        return plan


def _random_like(tensor: Tensor) -> Tensor:
    """Return random numbers with the same strides; integers, which may be indices, are copied."""
    if not tensor.is_floating_point():
        return tensor.clone()
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))
    return torch.randn(last + 1, dtype=tensor.dtype).as_strided(tensor.shape, tensor.stride())


def _needed(steps: Sequence[FreeCall], slots: Sequence[int]) -> list[FreeCall]:
    """Return the operations that some slots depend on."""
    wanted = set(slots)
    needed = []
    for step in reversed(steps):
        if step.slot in wanted:
            needed.append(step)
            wanted |= step.reads()
    return needed[::-1]
