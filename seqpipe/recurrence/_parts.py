"""What a cell is made of, looked at before every run: walking its modules with torch's generators costs as much as a small step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell

__all__ = ["cell_modules", "cell_tensors", "device_and_type"]


def cell_modules(cell: Cell) -> list[tuple[str, nn.Module]]:
    """Return the cell and the modules in it, by name."""
    return list(cell.named_modules()) if cell._modules else [("", cell)]


def cell_tensors(cell: Cell) -> dict[str, Tensor]:
    """Return the parameters of a cell and of the modules in it, then the buffers, by name."""
    own = {**cell._parameters, **cell._buffers}
    found = {name: tensor for name, tensor in own.items() if tensor is not None}
    if cell._modules or len({id(tensor) for tensor in found.values()}) < len(found):  # one may have several names
        return {**dict(cell.named_parameters()), **dict(cell.named_buffers())}
    return found


def device_and_type(tensors: dict[str, Tensor]) -> tuple[torch.device, torch.dtype]:
    """Return where a cell's tensors are, and of which type its real numbers are; torch's defaults for a cell without any."""
    first = next(iter(tensors.values()), None)
    tensor = next((t for t in tensors.values() if t.is_floating_point()), first)
    if tensor is not None and not tensor.is_floating_point():
        return tensor.device, tensor.dtype.to_real() if tensor.is_complex() else torch.get_default_dtype()
    return (torch.device("cpu"), torch.get_default_dtype()) if tensor is None else (tensor.device, tensor.dtype)
