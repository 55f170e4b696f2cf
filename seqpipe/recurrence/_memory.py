"""What a training step keeps for the way back: everything, the states between chunks, or everything elsewhere."""

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
    """Run an engine as it is."""
    return engine.run(cell, x, valid, state)


def offload(engine: Engine, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
    """Run an engine with what it keeps moved from the accelerator to the host's memory, and back when it is needed."""
    if x.device.type == "cpu":
        return engine.run(cell, x, valid, state)
    here = {t.untyped_storage().data_ptr() for t in (*cell.parameters(), *cell.buffers())}

    def pack(tensor: Tensor) -> tuple[torch.device, Tensor]:
        # Every step keeps the weights; they stay where they are anyway.
        stays = tensor.untyped_storage().data_ptr() in here
        return tensor.device, tensor if stays else _to_host(tensor)

    def unpack(packed: tuple[torch.device, Tensor]) -> Tensor:
        device, tensor = packed
        return tensor.to(device, non_blocking=tensor.is_pinned())

    with saved_tensors_hooks(pack, unpack):
        return engine.run(cell, x, valid, state)


#: The ways to run an engine, by the names that ``memory`` takes.
MEMORY: dict[str, Run] = {"keep": keep, "offload": offload, "recompute": recompute}


def _to_host(tensor: Tensor) -> Tensor:
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
    return host.copy_(tensor)
