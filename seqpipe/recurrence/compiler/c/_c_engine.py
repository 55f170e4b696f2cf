"""The engine that runs a cell's step as generated C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.compiler._planned_engine import PlannedEngine, PlannedProgram, given_to, read_by
from seqpipe.recurrence.compiler._state_numbers import run_on_real_states
from seqpipe.recurrence.compiler.c._c_program import CProgram
from seqpipe.recurrence.compiler.c._differentiable import run_compiled
from seqpipe.recurrence.compiler.c._toolchain import find_compiler
from seqpipe.recurrence.contents import contents_in_run, contents_of
from seqpipe.recurrence.engines import compiling

__all__ = ["CompiledEngine"]


class CompiledEngine(PlannedEngine):
    """Runs cells on a CPU whose step can be planned; needs a C compiler."""

    name = "c"
    made = "compiled"

    def unfit(self, device: torch.device, dtype: torch.dtype) -> str | None:
        """Accept float32 and float64 on a CPU."""
        if device.type != "cpu" or dtype not in (torch.float32, torch.float64):
            return f"it supports float32 and float64 on a CPU, not {dtype} on {device.type}"
        return None

    @compiling()
    def plan(self, cell: Cell, dtype: torch.dtype, **wanted: Any) -> PlannedProgram:
        """Plan the step as C, which is compiled on its first call."""
        find_compiler()
        return CProgram(cell, dtype, **wanted)

    def call(
        self, program: Any, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the C program; see `PlannedEngine.call`."""
        return run_on_real_states(run_compiled, program, x, lengths, states, (tensors,))

    def run_members(
        self, cells: Sequence[Cell], x: Tensor, valid: ValidSteps | None, state: State
    ) -> tuple[Tensor, State] | None:
        """Run the cells in one call; see `MembersEngine`."""
        contents = [contents_in_run(cells[0], last=True), *map(contents_of, cells[1:])]
        states = state_tensors(state)
        if any(each.signature != contents[0].signature for each in contents[1:]):
            return None
        n = len(x) // len(cells)
        program = self.program_for(cells[0], contents[0], x[:n], tuple([s[:n] for s in states]))
        if isinstance(program, str):
            return None
        members = [given_to(program, each.tensors) for each in contents]
        if any(_layout(tensors) != _layout(members[0]) for tensors in members[1:]):
            return None
        if program.projected:
            x = x if valid is None else valid.clear(x)
            x = torch.cat([read_by(program, cell, part, None) for cell, part in zip(cells, x.split(n))])
        lengths = None if valid is None else valid.lengths
        outputs, finals = run_on_real_states(run_compiled, program, x, lengths, states, members)
        return outputs, finals if isinstance(state, tuple) else finals[0]


def _layout(tensors: Sequence[Tensor]) -> list[tuple[int, ...]]:
    return [tensor.stride() for tensor in tensors]
