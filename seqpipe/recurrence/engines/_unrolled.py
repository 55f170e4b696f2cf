"""The unrolled engine: a graph with one copy of the step per time step."""

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
    """Trace the whole loop for the batch's number of steps with torch.fx, and run the graph."""

    name = "unrolled"

    def refuses(self, cell: Cell) -> str | None:
        """Accept any cell; a step that branches on tensor values fails when it is traced."""
        return None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x; see `Engine.run`."""
        unrolled = unroll(cell, x.shape[1], shortest=x.shape[1] if valid is None else valid.shortest, state=state)
        outputs, state = unrolled.run(x, None if valid is None else valid.mask, state)
        return outputs if valid is None else valid.clear(outputs), state


class _Loop(nn.Module):
    """The module to trace: the loop with a fixed number of steps and of state tensors."""

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
    """Trace through cells, down to torch's own layers."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not isinstance(m, Cell) and super().is_leaf_module(m, module_qualified_name)


def unroll(cell: Cell, n_timesteps: int, *, shortest: int, state: State) -> fx.Interpreter:
    """Return an interpreter of a graph with ``n_timesteps`` copies of the cell's step, sharing its parameters.

    Raises
    ------
    CellError
        If the step needs the values of a tensor, for a branch or outside torch.
    """
    loop = _Loop(cell, n_timesteps, shortest, state)
    try:
        return fx.Interpreter(loop, graph=_Tracer().trace(loop))
    except Exception as error:  # check_step has run the step: only tracing it fails
        raise CellError(
            f"{type(cell).__name__} cannot be unrolled ahead of time ({error}): its step needs the values of a tensor, "
            'for a branch or outside torch. Use engine="loop".'
        ) from error
