"""Memory modes: how the activations that the backward pass needs are stored."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from seqpipe.cells import Cell, State
from seqpipe.recurrence._recompute import recompute
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.engines import Engine

__all__ = ["MEMORY"]

Run = Callable[[Engine, Cell, Tensor, ValidSteps | None, State], tuple[Tensor, State]]


def keep(engine: Engine, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
    """Run an engine and keep its activations where they are."""
    return engine.run(cell, x, valid, state)


def offload(engine: Engine, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
    """Run an engine with its activations stored in host memory, and copied back for the backward pass."""
    if x.device.type == "cpu":
        return engine.run(cell, x, valid, state)
    here = {t.untyped_storage().data_ptr() for t in (*cell.parameters(), *cell.buffers())}

    def pack(tensor: Tensor) -> tuple[torch.device, Tensor]:
        # Autograd saves the weights at every step; they stay on the accelerator anyway.
        stays = tensor.untyped_storage().data_ptr() in here
        return tensor.device, tensor if stays else _to_host(tensor)

    def unpack(packed: tuple[torch.device, Tensor]) -> Tensor:
        device, tensor = packed
        return tensor.to(device, non_blocking=tensor.is_pinned())

    with saved_tensors_hooks(pack, unpack):
        return engine.run(cell, x, valid, state)


#: Functions that run an engine, by the value of the ``memory`` parameter.
MEMORY: dict[str, Run] = {"keep": keep, "offload": offload, "recompute": recompute}


def _to_host(tensor: Tensor) -> Tensor:
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
    return host.copy_(tensor)
