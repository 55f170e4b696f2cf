"""Cells that amplify rounding errors raise no false alarm when an engine is compared with the plain loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from seqpipe.cells import Cell, GRUCell, LSTMCell, State
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.engines import LoopEngine, find_fault
from seqpipe.recurrence.wrappers import LayerNorm, Residual


class Normed(Cell):
    """A cell that normalizes its sums; of one unit, their gradient is 0 but for rounding."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recur = nn.Linear(hidden_size, hidden_size)
        self.norm: nn.Module = nn.LayerNorm(hidden_size)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.norm(self.input(x_t) + self.recur(state)))  # type: ignore[arg-type]
        return h, h


class GroupNormed(Normed):
    """The same with a group per unit."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.norm = nn.GroupNorm(hidden_size, hidden_size)


#: Whether all cells, sizes and types are compiled, which takes a minute.
THOROUGH = os.environ.get("SEQPIPE_FAULTS") == "1"

CELLS: dict[str, Callable[[int], Cell]] = {
    "wrapped GRU": lambda n: LayerNorm(GRUCell(2, n)),
    "wrapped LSTM": lambda n: LayerNorm(LSTMCell(2, n)),
    "wrapped residual": lambda n: Residual(LayerNorm(GRUCell(2, n))),
    "own": lambda n: Normed(2, n),
    "own groups": lambda n: GroupNormed(2, n),
}


@pytest.mark.parametrize("name", CELLS if THOROUGH else ["own", "own groups"])
def test_a_normalization_of_one_unit_is_compiled_without_a_warning(name: str, compiled: None) -> None:
    sizes = (1, 2) if THOROUGH else (1,)
    for n, dtype in product(sizes, (torch.float32, torch.float64) if THOROUGH else (torch.float32,)):
        torch.manual_seed(0)
        net = Recurrent(CELLS[name](n)).to(dtype)
        net(torch.randn(5, 4, 2, dtype=dtype), lengths=[4, 2, 3, 1, 4])[0].sum().backward()
        assert net.explain()[0].engine == "c"


@pytest.mark.parametrize("name", CELLS)
def test_a_small_error_of_an_engine_is_found_all_the_same(name: str) -> None:
    torch.manual_seed(0)
    cell = CELLS[name](3)

    def wrong(cell: Cell, x: Tensor, valid: object, state: State) -> tuple[Tensor, State]:
        outputs, after = LoopEngine().run(cell, x, valid, state)  # type: ignore[arg-type]
        return outputs * 1.01, after

    assert "differ from the plain loop's by" in str(find_fault(wrong, cell, training=True))
