"""Checks that a step is a function of its input, its state and the cell's parameters alone."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell
from seqpipe.recurrence import map_state, state_tensors
from seqpipe.testing._report import Failure
from seqpipe.testing.cells._subject import CellSubject, differ, seeded

__all__ = ["PURITY"]


def arguments_stay_unchanged(subject: CellSubject) -> None:
    """A step does not change its input or the state that it is given."""
    for training in (False, True):
        cell = subject.cell().train(training)
        x_t = cell.project(subject.inputs(2, 1))[:, 0].clone()
        with torch.no_grad(), seeded(0):
            state = map_state(torch.Tensor.clone, cell.initial_state(2))
            given = [x_t, *state_tensors(state)]
            kept = [t.clone() for t in given]
            cell.step(x_t, state)
        for i, (now, before) in enumerate(zip(given, kept)):
            if not torch.equal(now, before):
                what = "its input" if i == 0 else f"tensor {i - 1} of the state it is given"
                raise Failure(f"A step changes {what} in place: write h = h + …, not h += … or h[:] = ….")


def nothing_is_kept_between_steps(subject: CellSubject) -> None:
    """A step leaves nothing on the cell that the next one could read: only the state is carried."""
    for training in (False, True):
        cell = subject.cell().train(training)
        x = subject.inputs(2, 3)
        seen = []
        with torch.no_grad(), seeded(0):
            state = cell.initial_state(2)
            projected = cell.project(x)
            seen.append(_contents(cell))
            for t in range(3):
                _, state = cell.step(projected[:, t], state)
                seen.append(_contents(cell))
        for before, after in pairwise(seen):
            for name in sorted(before.keys() | after.keys()):
                if not _same(before.get(name), after.get(name)):
                    raise Failure(
                        f"A step changes self.{name}: batches, chunks and copies of the cell would share it. Return it as "
                        "part of the state."
                    )


def _contents(cell: Cell) -> dict[str, Any]:
    """Return copies of buffers and attributes by name; modules and parameters are left out."""
    found: dict[str, Any] = {name: buffer.clone() for name, buffer in cell.named_buffers()}
    for prefix, module in cell.named_modules():
        for key, value in vars(module).items():
            if key not in vars(nn.Module()) and key != "_arguments":
                found[f"{prefix}.{key}" if prefix else key] = _copied(value)
    return found


def _copied(value: Any) -> Any:
    try:
        return value.clone() if isinstance(value, Tensor) else copy.deepcopy(value)
    except Exception:
        return id(value)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other)
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(_same, one, other))
    try:
        return bool(one == other)
    except Exception:
        return True


def results_repeat(subject: CellSubject) -> None:
    """Outside training the same input gives the same result."""
    layers, x = subject.layers(), subject.inputs(3, 4)
    if differ(subject.run(layers, x, seed=0), subject.run(layers, x, seed=1)) > 0:
        raise Failure("In evaluation mode two runs differ: draw random numbers only if self.training.")


def results_repeat_with_the_seed(subject: CellSubject) -> str | None:
    """In training the same seed of torch gives the same result."""
    layers, x = subject.layers(training=True), subject.inputs(3, 4)
    if differ(subject.run(layers, x), subject.run(layers, x)) > 0:
        raise Failure("Two runs with one seed differ: draw random numbers from torch, not from random or numpy.")
    return "it draws random numbers in training" if subject.draws_in_training else None


PURITY = (arguments_stay_unchanged, nothing_is_kept_between_steps, results_repeat, results_repeat_with_the_seed)
