"""Decompositions of operations that search, sort, or access elements by computed indices."""

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

#: Maximum number of columns to sort: each is compared with every other.
_MAX_SORTED = 64


@_register("argmax")
def _argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return largest(x, _checked_dim(dim), keepdim)[1]


@_register("argmin")
def _argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return smallest(x, _checked_dim(dim), keepdim)[1]


def largest(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """Return the maximum along a dimension and its first index."""
    values = x.amax(dim, keepdim=True)
    return values if keepdim else values.squeeze(dim), _first_index(x, values, dim, keepdim)


def smallest(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """Return the minimum along a dimension and its first index."""
    values = x.amin(dim, keepdim=True)
    return values if keepdim else values.squeeze(dim), _first_index(x, values, dim, keepdim)


def _checked_dim(dim: int | None) -> int:
    if dim is None:
        raise Refused("searches all samples")
    return dim


def _first_index(x: Tensor, values: Tensor, dim: int, keepdim: bool) -> Tensor:
    number = x.shape[dim]
    return torch.where((x == values) | (x != x), _indices(x, dim % x.ndim), number).amin(dim, keepdim=keepdim)


@_register("sort")
def _sort(x: Tensor, *args: Any, stable: Any = None, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """Sort by counting: the place of an element is the number of elements before it."""
    dim = args[0] if args else dim
    descending = args[1] if len(args) > 1 else descending
    x = x.transpose(dim, -1)
    number = x.shape[-1]
    if number > _MAX_SORTED:
        raise Refused(f"sorts more than {_MAX_SORTED} columns")
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
    """Gather at computed indices, which are known to be within range."""
    dim %= x.ndim
    hit = index.unsqueeze(dim + 1) == _indices(x, dim)
    return torch.where(hit, x.unsqueeze(dim), 0.0).sum(dim + 1)


def scatter_computed(x: Tensor, dim: int, index: Tensor, values: Any) -> Tensor:
    """Scatter values at such indices."""
    dim %= x.ndim
    hit = index.unsqueeze(dim + 1) == _indices(x, dim)
    values = values.unsqueeze(dim + 1) if isinstance(values, Tensor) else values
    return torch.where(hit.any(dim), torch.where(hit, values, 0.0).sum(dim), x)


def scatter_add_computed(x: Tensor, dim: int, index: Tensor, values: Tensor) -> Tensor:
    """Add values at such indices."""
    dim %= x.ndim
    hit = index.unsqueeze(dim + 1) == _indices(x, dim)
    return x + torch.where(hit, values.unsqueeze(dim + 1), 0.0).sum(dim)


def _indices(x: Tensor, dim: int) -> Tensor:
    return torch.arange(x.shape[dim]).view([-1, *[1] * (x.ndim - dim - 1)])
