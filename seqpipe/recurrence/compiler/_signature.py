"""What a plan depends on: a cell with the same signature has the same plan."""

from __future__ import annotations

from collections.abc import Hashable
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell
from seqpipe.recurrence._parts import cell_modules

__all__ = ["Signature", "signature_of"]

Signature = tuple[Hashable, ...]
_INTERNAL = frozenset(vars(nn.Module())) - {"training"} | {"_arguments"}
_PLAIN = (int, float, str, bytes, bool, type(None), type, FunctionType, BuiltinFunctionType, torch.dtype, torch.device)


def signature_of(cell: Cell, tensors: dict[str, Tensor]) -> tuple[Signature, bool]:
    """Return a cell's signature, and whether other cells may have the same one.

    Classes, sizes and plain attributes of the cell and of the modules in it make up the signature. An attribute that is
    anything else is told by its identity, and the cell then has a plan of its own. ``tensors`` are what `cell_tensors` gives.
    """
    parts: list[Any] = []
    shared = True
    for name, module in cell_modules(cell):
        parts += [name, type(module)]
        for key, value in vars(module).items():
            if key not in _INTERNAL:
                token, plain = _token(value)
                parts += [key, token]
                shared &= plain
    for name, tensor in tensors.items():
        parts += [name, tensor.shape, tensor.dtype, tensor.device, tensor.requires_grad]
    return tuple(parts), shared


def _token(value: Any) -> tuple[Hashable, bool]:
    if isinstance(value, _PLAIN):
        return value, True
    if isinstance(value, (tuple, list)):
        tokens = [_token(item) for item in value]
        return (type(value), *(t for t, _ in tokens)), all(plain for _, plain in tokens)
    return ("object", id(value)), False
