"""Conversion of integer and complex states to the real numbers that the loops compute with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["largest_whole", "run_on_real_states"]


def run_on_real_states(
    run: Callable[..., tuple[Tensor, tuple[Tensor, ...]]],
    program: Any,
    x: Tensor,
    lengths: Tensor | None,
    states: tuple[Tensor, ...],
    tensors: Any,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a program that supports only real numbers; ``tensors`` are passed on to ``run``. See `PlannedEngine.call`."""
    outputs, finals = run(program, x, lengths, tuple([_to_real(s, program.dtype) for s in states]), tensors)
    return outputs, tuple([_from_real(final, s.dtype) for final, s in zip(finals, states)])


def _to_real(state: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a state (batch, …) in the loops' dtype; a complex one as (batch, 2, …) of real and imaginary parts."""
    if state.is_complex():
        return torch.view_as_real(state.resolve_conj()).movedim(-1, 1)
    return state if state.dtype == dtype else state.to(dtype)


def _from_real(found: Tensor, dtype: torch.dtype) -> Tensor:
    """Invert `_to_real`."""
    if dtype.is_complex:
        return torch.complex(found[:, 0], found[:, 1])
    return found if found.dtype == dtype else found.to(dtype)


def largest_whole(dtype: torch.dtype) -> float:
    """Return half of the largest number up to which a dtype represents every integer."""
    return 1 / torch.finfo(dtype).eps
