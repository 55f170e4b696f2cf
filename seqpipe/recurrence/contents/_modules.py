"""A cell's modules and tensors, listed before every run and hence faster than by torch's generators."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell

__all__ = ["cell_modules", "cell_tensors", "device_and_type", "tensors_in"]


def cell_modules(cell: Cell) -> list[tuple[str, nn.Module]]:
    """Return the cell and its submodules with their names, each once."""
    found: list[tuple[str, nn.Module]] = [("", cell)]
    if cell._modules:
        _add_children(cell, "", found, {id(cell)})
    return found


def _add_children(module: nn.Module, prefix: str, found: list[tuple[str, nn.Module]], seen: set[int]) -> None:
    for name, child in module._modules.items():
        if child is not None and id(child) not in seen:
            seen.add(id(child))
            found.append((prefix + name, child))
            if child._modules:
                _add_children(child, f"{prefix}{name}.", found, seen)


def cell_tensors(cell: Cell) -> dict[str, Tensor]:
    """Return the parameters of a cell, then its buffers, by name, each once."""
    return tensors_in(cell_modules(cell))


def tensors_in(modules: list[tuple[str, nn.Module]]) -> dict[str, Tensor]:
    """Return the parameters of modules, then the buffers, by name, each once."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for kind in ("_parameters", "_buffers"):
        for prefix, module in modules:
            for name, tensor in module.__dict__[kind].items():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    found[f"{prefix}.{name}" if prefix else name] = tensor
    return found


def device_and_type(tensors: dict[str, Tensor]) -> tuple[torch.device, torch.dtype]:
    """Return the device of a cell's tensors and its floating-point dtype; without tensors, torch's defaults."""
    first = next(iter(tensors.values()), None)
    tensor = next((t for t in tensors.values() if t.is_floating_point()), first)
    if tensor is not None and not tensor.is_floating_point():
        return tensor.device, tensor.dtype.to_real() if tensor.is_complex() else torch.get_default_dtype()
    return (torch.device("cpu"), torch.get_default_dtype()) if tensor is None else (tensor.device, tensor.dtype)
