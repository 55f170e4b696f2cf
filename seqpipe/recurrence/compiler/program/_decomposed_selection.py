"""Decompositions of operations that find, sort or access elements by computed places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.program._registry import Registry
from seqpipe.recurrence.compiler.program._rows import Refused

__all__ = [
    "FUNCTIONS", "gather_computed", "largest", "scatter_add_computed", "scatter_computed", "smallest",
]  # fmt: skip

#: Decompositions by the name of an operation, without overload.
FUNCTIONS: Registry[Callable[..., Any]] = Registry()
_register = FUNCTIONS.register

#: Sorting compares each column with each.
_MOST_SORTED = 64

# The largest, and where it is.


@_register("argmax")
def _argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return largest(x, _dim_of(dim), keepdim)[1]


@_register("argmin")
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


@_register("sort")
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
