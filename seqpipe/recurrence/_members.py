"""`RecurrentMembers`: the recurrent layers of several networks, run together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell, State
from seqpipe.recurrence._recurrent import Recurrent
from seqpipe.recurrence._states import map_state
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.contents import computed, one_run
from seqpipe.recurrence.engines import MembersEngine, Sizes, choose_engine

__all__ = ["RecurrentMembers"]


class RecurrentMembers(Recurrent):
    """Run recurrent layers of the same kind, each over its block of rows of a batch.

    An engine that can run several cells at once does so, for one layer and direction after the other; otherwise they
    run in turn.

    Parameters
    ----------
    members : sequence of Recurrent
        Layers with equal parameters but different weights, which are shared with this module.
    """

    def __init__(self, members: Sequence[Recurrent]) -> None:
        nn.Module.__init__(self)
        first = members[0]
        self._members = list(members)  # not registered: whether a layer trains is set by its own network
        self.num_layers, self.bidirectional = first.num_layers, first.bidirectional
        self.engine, self.memory, self.initial_state = first.engine, first.memory, first.initial_state
        self.dropout = nn.Dropout(first.dropout.p)
        self._state_shapes = None

    @property
    def cells(self) -> nn.ModuleList:  # type: ignore[override]
        """The cells of the first member."""
        return self._members[0].cells

    def _initial_state(self, k: int, cell: Cell, batch_size: int) -> State:
        n = batch_size // len(self._members)
        return _joined([member._initial_state(k, member._cell(k), n) for member in self._members])

    def _run_direction(
        self, k: int, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State
    ) -> tuple[Tensor, State]:
        found = self._run_together(k, x, valid, state) if self.memory == "keep" else None
        return self._run_in_turn(k, x, valid, state) if found is None else found

    def _run_together(self, k: int, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State] | None:
        with ExitStack() as stack:
            cells = [stack.enter_context(computed(member._cell(k))) for member in self._members]
            stack.enter_context(one_run())
            n = len(x) // len(cells)
            sizes = Sizes.of(cells[0], x[:n], _rows(valid, slice(n)), map_state(lambda t: t[:n], state))
            engine, reason = choose_engine(cells[0], self.engine, sizes)
            if not isinstance(engine, MembersEngine):
                return None
            if k % self.num_directions == 0:
                found = engine.run_members(cells, x, valid, state)
            else:
                flip = (lambda z: z.flip(1)) if valid is None else valid.reverse
                found = engine.run_members(cells, flip(x), valid, state)
                found = None if found is None else (flip(found[0]), found[1])
        if found is not None:
            for member in self._members:
                member._ran[k] = (engine.name, reason)
        return found

    def _run_in_turn(self, k: int, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        n = len(x) // len(self._members)
        runs = []
        for i, member in enumerate(self._members):
            rows = slice(i * n, (i + 1) * n)
            before = map_state(lambda t, rows=rows: t[rows], state)
            runs.append(member._run_direction(k, member._cell(k), x[rows], _rows(valid, rows), before))
        return torch.cat([outputs for outputs, _ in runs]), _joined([after for _, after in runs])


def _rows(valid: ValidSteps | None, rows: slice) -> ValidSteps | None:
    return None if valid is None else valid.rows(rows)


def _joined(states: Sequence[State]) -> State:
    """Concatenate the rows of states."""
    return map_state(lambda *tensors: torch.cat(tensors), *states)
