"""The static unroll: one copy of the step for each time step, laid out as a graph before it runs."""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CellError
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.engines._engine import Engine
from seqpipe.recurrence.engines._loop import hold

__all__ = ["UnrolledEngine"]


class UnrolledEngine(Engine):
    """Traces the whole loop for the batch's number of steps with torch.fx, and runs the graph."""

    name = "unrolled"

    def refuses(self, cell: Cell) -> str | None:
        """Take any cell; one whose step branches on values fails when it is traced."""
        return None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x; see `Engine.run`."""
        unrolled = unroll(cell, x.shape[1], shortest=x.shape[1] if valid is None else valid.shortest, state=state)
        outputs, state = unrolled.run(x, None if valid is None else valid.mask, state)
        return outputs if valid is None else valid.clear(outputs), state


class _Loop(nn.Module):
    """What is traced: the loop with its number of steps, and of the state's tensors, fixed."""

    def __init__(self, cell: Cell, n_timesteps: int, shortest: int, state: State) -> None:
        super().__init__()
        self.cell = cell
        self.n_timesteps = n_timesteps
        self.shortest = shortest
        self.n_tensors = len(state) if isinstance(state, tuple) else 0

    def forward(self, x: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        if self.n_tensors:
            state = tuple(state[i] for i in range(self.n_tensors))
        projected = self.cell.project(x)
        outputs = []
        for t in range(self.n_timesteps):
            output, new = self.cell.step(projected[:, t], state)
            state = new if t < self.shortest else hold(mask[:, t], new, state)
            outputs.append(output)
        return torch.stack(outputs, dim=1), state


class _Tracer(fx.Tracer):
    """Traces through cells, down to torch's own layers."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not isinstance(m, Cell) and super().is_leaf_module(m, module_qualified_name)


def unroll(cell: Cell, n_timesteps: int, *, shortest: int, state: State) -> fx.Interpreter:
    """Return what runs a graph with ``n_timesteps`` copies of the cell's step, over the cell's own parameters.

    Raises
    ------
    CellError
        If the step needs the values of a tensor, for a branch or outside torch.
    """
    loop = _Loop(cell, n_timesteps, shortest, state)
    try:
        return fx.Interpreter(loop, graph=_Tracer().trace(loop))
    except Exception as error:  # the step works, as check_step has seen: only tracing it fails
        raise CellError(
            f"{type(cell).__name__} cannot be unrolled ahead of time ({error}): its step needs the values of a tensor, "
            'for a branch or outside torch. Use engine="loop".'
        ) from error
