"""What all cells share: sizes, siblings, initialisation, copies."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seqpipe.builtins import seqpipe_cells
from seqpipe.cells import Cell, GRUCell, LSTMCell, MLPCell, RNNCell, recurrent_init_
from seqpipe.plugins import host

NAMES = [spec.name for spec in seqpipe_cells()]


def make(name: str, input_size: Any = 3, hidden_size: Any = 5) -> Cell:
    cell = host().find("cell", name, parameter="cell").spec.factory(input_size, hidden_size)
    assert isinstance(cell, Cell)
    return cell


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [0, -1, 2.0, "3", None, True])
def test_a_size_that_is_no_positive_integer_is_refused(name: str, size: Any) -> None:
    with pytest.raises(ValueError, match=r"The 'input_size' parameter of \w+ must be a positive integer\. Got"):
        make(name, input_size=size)
    with pytest.raises(ValueError, match=r"The 'hidden_size' parameter of \w+ must be a positive integer\. Got"):
        make(name, hidden_size=size)


@pytest.mark.parametrize("name", NAMES)
def test_sizes_drawn_by_numpy_are_sizes(name: str) -> None:
    cell = make(name, np.int64(3), np.int32(5))
    assert (type(cell.input_size), type(cell.hidden_size)) == (int, int)
    assert cell(torch.zeros(2, 3))[0].shape == (2, 5)


@pytest.mark.parametrize("activation", ["softplus", "Tanh", None, ["tanh"]])
def test_an_unknown_activation_is_refused_with_the_known_ones(activation: Any) -> None:
    with pytest.raises(
        ValueError, match=r"'activation' parameter of RNNCell must be one of \['relu', 'sigmoid', 'tanh'\]"
    ):
        RNNCell(3, 5, activation)


def test_a_cell_without_a_step_says_that_it_needs_one() -> None:
    with pytest.raises(NotImplementedError, match=r"Cell must define step\(x_t, state\) -> \(output, state\)"):
        Cell(3, 5)(torch.zeros(2, 3))


def test_a_cell_that_is_not_linear_in_its_state_has_no_coefficients() -> None:
    with pytest.raises(NotImplementedError, match="GRUCell does not define a linear recurrence"):
        GRUCell(3, 5).linear_coefficients(torch.zeros(2, 4, 3))


def test_a_cell_is_as_wide_as_its_state_unless_it_says_otherwise() -> None:
    assert GRUCell(3, 5).output_size == 5


@pytest.mark.parametrize(
    "cell",
    [
        RNNCell(3, 5, "relu"),
        RNNCell(3, 5, activation="relu"),
        RNNCell(3, hidden_size=5, activation="relu"),
        RNNCell(input_size=3, hidden_size=5, activation="relu"),
        RNNCell(activation="relu", hidden_size=5, input_size=3),
    ],
)
def test_a_sibling_keeps_every_setting_but_the_input_size(cell: RNNCell) -> None:
    sibling = cell.sibling(7)
    assert type(sibling) is RNNCell
    assert (sibling.input_size, sibling.hidden_size, sibling.activation) == (7, 5, "relu")


def test_a_sibling_has_weights_of_its_own() -> None:
    cell = GRUCell(3, 5)
    sibling = cell.sibling(3)
    assert not torch.equal(sibling.weight_hh, cell.weight_hh)
    assert sibling.sibling(2).input_size == 2


class Sized(Cell):
    """A subclass that needs an argument of its own."""

    def __init__(self, input_size: int, hidden_size: int, *, gain: float) -> None:
        super().__init__(input_size, hidden_size)
        self.gain = gain
        self.input = torch.nn.Linear(input_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.gain * h + self.input(x_t))
        return h, h


@pytest.mark.parametrize("again", [copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell))])
@pytest.mark.parametrize("cell", [*map(make, NAMES), Sized(3, 5, gain=0.5)], ids=lambda cell: type(cell).__name__)
def test_a_copied_cell_computes_the_same_and_still_makes_siblings(cell: Cell, again: Any) -> None:
    copied, x = again(cell), torch.randn(2, 3)
    assert torch.equal(copied(x)[0], cell(x)[0])
    assert all(a is not b for a, b in zip(copied.parameters(), cell.parameters()))
    assert copied.sibling(4).input_size == 4
    assert getattr(copied.sibling(4), "gain", 0.5) == 0.5


@pytest.mark.parametrize("name", NAMES)
def test_saved_weights_load_into_another_cell(name: str) -> None:
    cell, other, file = make(name), make(name), io.BytesIO()
    torch.save(cell.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(2, 3)
    assert torch.equal(other(x)[0], cell(x)[0])


@pytest.mark.parametrize(("cell", "n_gates"), [(RNNCell(3, 5), 1), (GRUCell(3, 5), 3), (LSTMCell(3, 5), 4)])
def test_each_gates_recurrent_block_starts_orthogonal(cell: Any, n_gates: int) -> None:
    blocks = cell.weight_hh.split(5)
    assert len(blocks) == n_gates
    for block in blocks:
        torch.testing.assert_close(block @ block.T, torch.eye(5), rtol=0, atol=1e-5)


def test_each_gates_input_block_starts_within_glorots_bound_of_its_own_size() -> None:
    weight_ih, weight_hh = torch.empty(400, 50), torch.empty(400, 100)
    recurrent_init_(weight_ih, weight_hh)
    bound = (6 / (100 + 50)) ** 0.5
    assert 0.95 * bound < weight_ih.abs().max() <= bound


def test_the_forget_gate_starts_open_and_every_other_bias_at_zero() -> None:
    lstm = LSTMCell(3, 5)
    assert (lstm.bias_ih + lstm.bias_hh).tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10
    for cell in (RNNCell(3, 5), GRUCell(3, 5)):
        assert not cell.bias_ih.any()
        assert not cell.bias_hh.any()


@pytest.mark.parametrize("name", NAMES)
def test_the_initial_state_is_of_the_cells_type(name: str) -> None:
    state = make(name).double().initial_state(4)
    for tensor in state if isinstance(state, tuple) else (state,):
        assert tensor.dtype == torch.float64
        assert tensor.shape == (4, 5)


def test_a_cell_without_parameters_still_has_an_initial_state() -> None:
    assert Cell(3, 5).initial_state(2).shape == (2, 5)


def test_the_transitions_first_layer_reads_input_and_state_together() -> None:
    assert MLPCell(3, 5).first.weight.shape == (5, 8)
