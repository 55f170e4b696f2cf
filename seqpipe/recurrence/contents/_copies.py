"""Copies of a cell for trials, which leave the cell itself unchanged."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CellError
from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence.contents._contents import contents_of
from seqpipe.recurrence.contents._modules import cell_modules

__all__ = ["copied", "copy_or_itself", "first_states"]


def copied(cell: Cell, replacements: Mapping[str, Tensor] | None = None) -> Cell:
    """Return a copy of a cell that shares no memory with it.

    Parameters
    ----------
    cell : Cell
    replacements : mapping of str to Tensor, optional
        Tensors for the copy, by their names in `Contents.tensors`; the others are copied as leaves.

    Raises
    ------
    CellError
        If the cell holds objects that cannot be copied.
    """
    replacements = replacements or {}
    memo: dict[int, object] = {
        id(tensor): replacements[name] if name in replacements else _leaf_like(tensor)
        for name, tensor in contents_of(cell).tensors.items()
    }
    for _, module in cell_modules(cell):  # the constructor arguments for siblings are read-only
        arguments = module.__dict__.get("_arguments")
        memo[id(arguments)] = arguments
    try:
        return copy.deepcopy(cell, memo)
    except Exception as error:  # a cell may hold any object
        raise CellError(f"{type(cell).__name__} cannot be copied ({type(error).__name__}: {error})") from error


def first_states(cell: Cell, batch_size: int) -> State:
    """Return the initial state of a copy of the cell, so that attributes set and numbers drawn do not affect the cell."""
    with torch.no_grad(), forked_generators(contents_of(cell).device):
        return copy_or_itself(cell).initial_state(batch_size)


def copy_or_itself(cell: Cell) -> Cell:
    """Return a copy of the cell, or the cell itself if it cannot be copied."""
    try:
        return copied(cell)
    except CellError:
        return cell


def _leaf_like(tensor: Tensor) -> Tensor:
    clone = tensor.detach().clone()
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(clone, tensor.requires_grad)
    return clone.requires_grad_(tensor.requires_grad)
