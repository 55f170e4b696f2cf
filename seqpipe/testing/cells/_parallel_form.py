"""The check that a cell's parallel form, linear_coefficients or scan, gives what its steps give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence import LoopEngine, ValidSteps, map_state, state_tensors
from seqpipe.testing._report import Failure, Skip
from seqpipe.testing.cells._subject import CellSubject, furthest

__all__ = ["check_coefficients", "linear_form_equals_step"]

_LENGTHS = (6, 2, 1, 4)
#: Multiple of the tolerance of sums up to which two forms of a recurrence agree.
_LIMIT = 10


@dataclass(frozen=True)
class _Case:
    """Inputs x (batch, n_timesteps, input_size) and a state to start from, and how large they are."""

    x: Tensor
    state: State
    words: str


def linear_form_equals_step(subject: CellSubject) -> None:
    """linear_coefficients, linear_output and scan give what step gives, near zero, far out and with padding."""
    cell = subject.cell()
    linear = type(cell).linear_coefficients is not Cell.linear_coefficients
    scan = type(cell).scan is not Cell.scan
    if not (linear or scan):
        raise Skip("it declares no linear recurrence and no scan")
    with torch.no_grad():
        for case in _cases(subject, cell):
            if linear:
                _check_coefficients(cell, case)
            if scan:
                _check_scan(cell, case)


def check_coefficients(subject: CellSubject, dtype: torch.dtype) -> None:
    """Raise `Failure` if linear_coefficients, where a cell defines it, does not return a and b of the right shapes."""
    cell = subject.cell(dtype)
    if type(cell).linear_coefficients is Cell.linear_coefficients:
        return
    state = cell.initial_state(2)
    if not isinstance(state, Tensor):
        raise Failure("The state of a cell with linear_coefficients must be a single tensor.")
    x = cell.project(subject.inputs(2, 3, dtype))
    if isinstance(x, Tensor):
        _pair(cell.linear_coefficients(x), (*x.shape[:2], *state.shape[1:]))


def _cases(subject: CellSubject, cell: Cell) -> Iterator[_Case]:
    for x_scale in (1e-2, 1.0, 30.0):
        x = subject.inputs(len(_LENGTHS), max(_LENGTHS)) * x_scale
        for h_scale in (0.0, 1e-2, 1.0, 100.0):
            state = map_state(lambda h, scale=h_scale: _moved(h, scale), cell.initial_state(len(x)))
            yield _Case(x, state, f"For inputs near {x_scale:g} and states near {h_scale:g}")


def _moved(h: Tensor, scale: float) -> Tensor:
    if not (h.is_floating_point() or h.is_complex()):
        return h
    return h + scale * torch.linspace(-1, 1, h.numel(), dtype=h.dtype).view(h.shape)


def _check_coefficients(cell: Cell, case: _Case) -> None:
    h = case.state
    assert isinstance(h, Tensor)
    x = cell.project(case.x)
    a, b = _pair(cell.linear_coefficients(x), (*x.shape[:2], *h.shape[1:]))
    outputs, states = [], []
    for x_t, a_t, b_t in zip(x.unbind(1), a.expand_as(b).unbind(1), b.unbind(1)):
        found = a_t * h + b_t
        output, h = cell.step(x_t, h)
        if furthest(found, h) > _LIMIT:
            raise Failure(
                f"{case.words}, a * h + b differs from the step by {_apart(found, h)}: h must enter the step linearly, "
                "without clipping or a nonlinearity, and a and b must not mix steps."
            )
        outputs.append(output)
        states.append(h)
    _check_outputs(cell, case, torch.stack(outputs, dim=1), cell.linear_output(x, torch.stack(states, dim=1)))


def _pair(coefficients: object, expected: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return a and b, after a check of their shapes."""
    pair = coefficients if isinstance(coefficients, tuple) and len(coefficients) == 2 else (None, None)
    a, b = pair
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        raise Failure(f"linear_coefficients returns {type(coefficients).__name__}: return the pair (a, b) of tensors.")
    if b.shape != expected:
        raise Failure(f"linear_coefficients returns b of shape {tuple(b.shape)}: return {expected}, as the states.")
    if a.ndim != b.ndim or any(size not in (1, whole) for size, whole in zip(a.shape, b.shape)):
        raise Failure(
            f"linear_coefficients returns a of shape {tuple(a.shape)}: return {expected}, or 1 in dimensions along which "
            "it is constant."
        )
    return a, b


def _check_outputs(cell: Cell, case: _Case, outputs: Tensor, found: Tensor) -> None:
    if found.shape != outputs.shape:
        raise Failure(f"linear_output returns shape {tuple(found.shape)}: return the outputs, {tuple(outputs.shape)}.")
    if furthest(found, outputs) > _LIMIT:
        raise Failure(
            f"{case.words}, linear_output differs from the output of the step by {_apart(found, outputs)}: define "
            "linear_output(x, states), unless the output is the state."
        )


def _check_scan(cell: Cell, case: _Case) -> None:
    every, some = torch.full((len(_LENGTHS),), max(_LENGTHS)), torch.tensor(_LENGTHS)
    for lengths in (every, some):
        steps = ValidSteps.of(lengths, max(_LENGTHS), case.x.device)
        valid = None if lengths is every else steps
        outputs, after = LoopEngine().run(cell, case.x, valid, case.state)
        found, state = cell.scan(cell.project(case.x), case.state, None if valid is None else valid.mask)
        words = case.words + ("" if valid is None else f", and {list(_LENGTHS)} valid steps")
        if furthest(steps.clear(found), outputs) > _LIMIT:
            raise Failure(f"{words}, the outputs of scan differ from those of steps.")
        for i, (one, other) in enumerate(zip(state_tensors(state), state_tensors(after), strict=True)):
            if furthest(one, other) > _LIMIT:
                raise Failure(
                    f"{words}, state {i} after scan differs from that after steps by {_apart(one, other)}: a step that is "
                    "not valid must leave the state unchanged."
                )


def _apart(one: Tensor, other: Tensor) -> str:
    return f"{float((one - other).abs().max()):.2g}" if one.shape == other.shape else f"its shape, {tuple(one.shape)}"
