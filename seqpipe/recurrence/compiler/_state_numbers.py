"""States of whole and of complex numbers, as the real numbers that the loops compute with."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["from_real", "largest_whole", "to_real"]


def to_real(state: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a state (batch, …) in the type of the loops; complex numbers as (batch, 2, …), all real parts first."""
    if state.is_complex():
        return torch.view_as_real(state.resolve_conj()).movedim(-1, 1)
    return state if state.dtype == dtype else state.to(dtype)


def from_real(found: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what `to_real` was given."""
    if dtype.is_complex:
        return torch.complex(found[:, 0], found[:, 1])
    return found if found.dtype == dtype else found.to(dtype)


def largest_whole(dtype: torch.dtype) -> float:
    """Return half of the number from which on not every whole number is one of this type."""
    return 1 / torch.finfo(dtype).eps
