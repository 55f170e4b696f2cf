"""A user-defined cell with a state of several tensors of unusual shapes; only its step is written."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqpipe.cells import Cell
from seqpipe.recurrence import Recurrent
from seqpipe.testing import check_cell

OwnState = tuple[Tensor, Tensor, Tensor]


class OuterCell(Cell):
    """Stores a vector, a matrix of past inputs, and a step count; its output is wider than ``hidden_size``."""

    def __init__(self, input_size: int, hidden_size: int, decay: float = 0.9) -> None:
        super().__init__(input_size, hidden_size)
        self.decay = decay
        self.key = nn.Linear(input_size, hidden_size)
        self.value = nn.Linear(hidden_size, 2)

    @property
    def output_size(self) -> int:
        return self.hidden_size + 2

    def initial_state(self, batch_size: int) -> OwnState:
        zeros = super().initial_state(batch_size)
        return zeros, zeros.new_zeros(batch_size, self.hidden_size, 2), zeros.new_zeros(batch_size)

    def project(self, x: Tensor) -> Tensor:
        return torch.tanh(self.key(x))

    def step(self, k_t: Tensor, state: OwnState) -> tuple[Tensor, OwnState]:
        h, memory, n = state
        memory = self.decay * memory + torch.einsum("bh,bv->bhv", k_t, self.value(h))
        h = torch.tanh(h + k_t)
        read = torch.einsum("bh,bhv->bv", k_t, memory)
        n = n + 1
        return torch.cat([h, read / n[:, None]], dim=1), (h, memory, n)


def test_it_passes_every_check() -> None:
    check_cell(OuterCell, exclude=["speed_is_graded"])


@pytest.mark.parametrize("engine", ["auto", "unrolled"])
def test_its_state_keeps_its_shapes_through_layers_and_directions(engine: str) -> None:
    recurrent = Recurrent(OuterCell(3, 5, decay=0.5), num_layers=2, bidirectional=True, engine=engine)
    outputs, (h, memory, n) = recurrent(torch.randn(4, 6, 3), [6, 2, 0, 1])
    assert outputs.shape == (4, 6, 14)
    assert (h.shape, memory.shape, n.shape) == ((4, 4, 5), (4, 4, 5, 2), (4, 4))
    assert n.tolist() == [[6, 2, 0, 1]] * 4
    assert [cell.input_size for cell in recurrent.cells] == [3, 3, 14, 14]
    assert {cell.decay for cell in recurrent.cells} == {0.5}


def test_it_goes_on_from_the_state_it_left() -> None:
    recurrent, x = Recurrent(OuterCell(3, 5)), torch.randn(2, 6, 3)
    whole, end = recurrent(x)
    first, state = recurrent(x[:, :4])
    second, after = recurrent(x[:, 4:], state=state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(after, end)


class Averaging(Cell):
    """Only arithmetic: no parameter determines the dtype."""

    def step(self, x_t: Tensor, h: Tensor) -> Any:
        h = (h + x_t.mean(dim=1, keepdim=True)) / 2
        return h, h


def test_a_cell_without_parameters_runs() -> None:
    outputs, state = Recurrent(Averaging(3, 5), bidirectional=True)(torch.ones(2, 3, 3), [3, 1])
    assert outputs[0, :, 0].tolist() == [0.5, 0.75, 0.875]
    assert state[0, :, 0].tolist() == [0.875, 0.5]
