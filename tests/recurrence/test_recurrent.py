"""A cell over time: an example computed by hand, ragged batches, layers and directions."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seqpipe.builtins import seqpipe_cells
from seqpipe.cells import Cell, GRUCell, LSTMCell, RNNCell
from seqpipe.exceptions import CellError, UnknownNameError
from seqpipe.plugins import host
from seqpipe.recurrence import Recurrent

NAMES = [spec.name for spec in seqpipe_cells()]
ENGINES = ["auto", "loop", "unrolled"]

#: Four sequences of two steps, as the batches X_0 and X_1 of one step each.
X_0 = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 0, 1]], dtype=float)
X_1 = np.array([[9, 8, 7], [0, 0, 0], [6, 5, 4], [3, 2, 1]], dtype=float)
X = torch.from_numpy(np.stack([X_0, X_1], axis=1))


def make(name: str, input_size: int = 3, hidden_size: int = 5, dtype: torch.dtype = torch.float64) -> Any:
    return host().find("cell", name, parameter="cell").spec.factory(input_size, hidden_size).to(dtype)


def tensors(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def five_neurons() -> tuple[RNNCell, np.ndarray, np.ndarray]:
    """A tanh cell, with Y_0 = tanh(X_0 W_x + b) and Y_1 = tanh(X_1 W_x + Y_0 W_y + b)."""
    rng = np.random.default_rng(0)
    W_x, W_y, b = rng.normal(size=(3, 5)), rng.normal(size=(5, 5)), rng.normal(size=(1, 5))
    cell = RNNCell(3, 5).double()
    weights = {"weight_ih": W_x.T, "weight_hh": W_y.T, "bias_ih": b[0], "bias_hh": np.zeros(5)}
    cell.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()})
    Y_0 = np.tanh(X_0 @ W_x + b)
    return cell, Y_0, np.tanh(X_1 @ W_x + Y_0 @ W_y + b)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_steps_of_five_neurons_equal_the_hand_formula(engine: str) -> None:
    cell, Y_0, Y_1 = five_neurons()
    outputs, state = Recurrent(cell, engine=engine)(X)
    np.testing.assert_allclose(outputs.detach().numpy(), np.stack([Y_0, Y_1], axis=1), rtol=1e-12)
    np.testing.assert_allclose(state.detach().numpy(), Y_1[None], rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sequence_that_ends_early_gives_zeros_and_keeps_its_last_state(engine: str) -> None:
    cell, Y_0, Y_1 = five_neurons()
    outputs, state = Recurrent(cell, engine=engine)(X, lengths=[2, 1, 2, 2])
    expected = np.stack([Y_0, Y_1], axis=1)
    expected[1, 1] = 0
    np.testing.assert_allclose(outputs.detach().numpy(), expected, rtol=1e-12)
    assert outputs[1, 1].tolist() == [0.0] * 5
    last = Y_1.copy()
    last[1] = Y_0[1]
    np.testing.assert_allclose(state[0].detach().numpy(), last, rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_every_registered_cell_stacks_and_runs_both_ways(
    name: str, num_layers: int, bidirectional: bool, engine: str
) -> None:
    recurrent = Recurrent(make(name), num_layers=num_layers, bidirectional=bidirectional, engine=engine)
    outputs, state = recurrent(torch.randn(4, 6, 3).double(), [6, 1, 3, 6])
    directions = 1 + bidirectional
    assert outputs.shape == (4, 6, 5 * directions) == (4, 6, recurrent.output_size)
    assert all(s.shape == (num_layers * directions, 4, 5) for s in tensors(state))
    assert torch.isfinite(outputs).all()
    assert len(recurrent.cells) == num_layers * directions == len({id(cell) for cell in recurrent.cells})


@pytest.mark.parametrize("name", NAMES)
def test_the_backward_direction_is_its_cell_along_each_reversed_sequence(name: str) -> None:
    both = Recurrent(make(name), bidirectional=True)
    x, lengths = torch.randn(3, 6, 3).double(), [6, 2, 4]
    outputs, state = both(x, lengths)
    backward = Recurrent(both.cells[1])
    for i, length in enumerate(lengths):
        alone, alone_state = backward(x[i : i + 1, :length].flip(1))
        torch.testing.assert_close(outputs[i, :length, 5:], alone[0].flip(0), rtol=0, atol=1e-13)
        for found, expected in zip(tensors(state), tensors(alone_state)):
            torch.testing.assert_close(found[1, i], expected[0, 0], rtol=0, atol=1e-13)


def test_a_layer_above_reads_the_outputs_of_the_one_below() -> None:
    two = Recurrent(make("lstm"), num_layers=2, bidirectional=True)
    x = torch.randn(2, 4, 3).double()
    below = Recurrent(two.cells[0], bidirectional=True)
    below.cells[1] = two.cells[1]
    above = Recurrent(two.cells[2], bidirectional=True)
    above.cells[1] = two.cells[3]
    torch.testing.assert_close(two(x)[0], above(below(x)[0])[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sequence_without_steps_keeps_the_state_it_was_given(engine: str) -> None:
    recurrent = Recurrent(make("lstm"), num_layers=2, bidirectional=True, engine=engine)
    given = tuple(torch.randn(4, 2, 5).double() for _ in range(2))
    outputs, state = recurrent(torch.randn(2, 3, 3).double(), [0, 3], given)
    assert not outputs[0].any()
    for found, before in zip(state, given):
        assert torch.equal(found[:, 0], before[:, 0])
        assert not torch.equal(found[:, 1], before[:, 1])


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_nothing_but_empty_sequences_gives_zeros(name: str) -> None:
    outputs, state = Recurrent(make(name))(torch.full((2, 3, 3), torch.nan).double(), [0, 0])
    assert outputs.shape == (2, 3, 5)
    assert not outputs.any()
    assert not any(s.any() for s in tensors(state))


def test_a_batch_without_rows_gives_none() -> None:
    outputs, state = Recurrent(make("gru"), engine="loop")(torch.empty(0, 3, 3).double(), torch.empty(0, dtype=int))
    assert (outputs.shape, state.shape) == ((0, 3, 5), (1, 0, 5))


def test_dropout_acts_between_layers_in_training_only() -> None:
    one, two = Recurrent(make("gru"), dropout=0.5), Recurrent(make("gru"), num_layers=2, dropout=0.5)
    x = torch.randn(3, 4, 3).double()
    assert torch.equal(one(x)[0], one(x)[0])
    assert not torch.equal(two(x)[0], two(x)[0])
    two.eval()
    assert torch.equal(two(x)[0], two(x)[0])


@pytest.mark.parametrize("again", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
@pytest.mark.parametrize("name", NAMES)
def test_a_copy_computes_the_same(name: str, again: Any) -> None:
    recurrent, x = Recurrent(make(name), num_layers=2, bidirectional=True), torch.randn(3, 4, 3).double()
    assert torch.equal(again(recurrent)(x, [4, 2, 1])[0], recurrent(x, [4, 2, 1])[0])


def test_all_layers_have_the_first_cells_type() -> None:
    recurrent = Recurrent(make("gru", dtype=torch.float64), num_layers=3)
    assert {p.dtype for p in recurrent.parameters()} == {torch.float64}


@pytest.mark.parametrize("num_layers", [0, -1, 1.5, "2", None])
def test_a_wrong_number_of_layers_is_refused(num_layers: Any) -> None:
    with pytest.raises(ValueError, match=r"'num_layers' parameter of Recurrent must be an int >= 1\. Got"):
        Recurrent(GRUCell(3, 5), num_layers=num_layers)


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    words = r"The 'engine' parameter of Recurrent must be 'auto' or one of \[.*'loop'.*\]\. Got 'lop'"
    with pytest.raises(UnknownNameError, match=words):
        Recurrent(GRUCell(3, 5), engine="lop")


@pytest.mark.parametrize("engine", [None, 3, ["loop"], np.array(["auto", "loop"])], ids=repr)
def test_an_engine_that_is_not_a_name_is_refused_with_the_known_ones(engine: Any) -> None:
    with pytest.raises(UnknownNameError, match=r"must be 'auto' or one of \[.*'loop'.*\]\. Got"):
        Recurrent(GRUCell(3, 5), engine=engine)


@pytest.mark.parametrize(("engine", "hint"), [("dynamic", "loop"), ("static", "unrolled"), ("atuo", "auto")])
def test_values_of_unroll_are_replaced_by_the_engines_of_the_same_meaning(engine: str, hint: str) -> None:
    with pytest.raises(UnknownNameError, match=f"Got '{engine}' instead. Did you mean '{hint}'\\?"):
        Recurrent(GRUCell(3, 5), engine=engine)


@pytest.mark.parametrize("unroll", ["auto", "dynamic", "static"])
def test_engine_and_unroll_cannot_both_be_set(unroll: str) -> None:
    words = f"engine='loop' and unroll='{unroll}' cannot both be set: 'unroll' is deprecated; remove it"
    with pytest.raises(ValueError, match=words):
        Recurrent(GRUCell(3, 5), engine="loop", unroll=unroll)


@pytest.mark.parametrize(("unroll", "engine"), [("auto", "auto"), ("dynamic", "loop"), ("static", "unrolled")])
def test_the_deprecated_unroll_names_the_engine_that_takes_its_place(unroll: str, engine: str) -> None:
    words = f"The 'unroll' parameter of Recurrent is deprecated. Use engine='{engine}' instead of unroll='{unroll}'"
    with pytest.warns(FutureWarning, match=words) as caught:
        assert Recurrent(GRUCell(3, 5), unroll=unroll).engine == engine
    assert [warning.filename for warning in caught] == [__file__]


def test_an_unknown_unroll_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'unroll' .* must be one of \['auto', 'dynamic', 'static'\]\. Got 'fast'"):
        Recurrent(GRUCell(3, 5), unroll="fast")


@pytest.mark.parametrize("dropout", [-0.1, 1.1])
def test_a_dropout_that_is_no_share_is_refused(dropout: float) -> None:
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1"):
        Recurrent(GRUCell(3, 5), dropout=dropout)


class Unprepared(Cell):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.sizes = (input_size, hidden_size)


def test_a_cell_that_does_not_call_its_base_class_is_refused_with_the_remedy() -> None:
    words = r"Unprepared\.__init__ must call super\(\)\.__init__\(input_size, hidden_size\) first"
    with pytest.raises(CellError, match=words):
        Recurrent(Unprepared(3, 5))


@pytest.mark.parametrize("cell", [GRUCell, torch.nn.GRUCell(3, 5), "gru"])
def test_what_is_no_cell_is_refused(cell: Any) -> None:
    with pytest.raises(CellError, match=r"must be an instance of a subclass of seqpipe\.Cell"):
        Recurrent(cell)


@pytest.mark.parametrize("shape", [(4, 3), (4, 6, 2), (3,), (4, 6, 3, 1), (4, 0, 3)])
def test_x_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must have shape \(batch, n_timesteps, 3\) with n_timesteps >= 1\. Got \("):
        Recurrent(GRUCell(3, 5))(torch.zeros(shape))


@pytest.mark.parametrize("x", [torch.zeros(2, 4, 3).double(), torch.zeros(2, 4, 3, dtype=int), np.zeros((2, 4, 3))])
def test_x_of_another_type_is_refused(x: Any) -> None:
    with pytest.raises(
        TypeError, match=r"must be a tensor of torch\.float32, the dtype of the cell's parameters\. Got \w+"
    ):
        Recurrent(GRUCell(3, 5))(x)


@pytest.mark.parametrize("state", [torch.zeros(4, 2, 5), torch.zeros(2, 1, 5), (torch.zeros(2, 2, 5),) * 2])
def test_a_state_of_other_layers_or_another_batch_is_refused(state: Any) -> None:
    with pytest.raises(ValueError, match=r"must have tensors of shapes \[\(2, 2, 5\)\]\. Got"):
        Recurrent(GRUCell(3, 5), num_layers=2)(torch.zeros(2, 4, 3), None, state)


def test_a_pair_is_asked_for_where_the_state_is_one() -> None:
    with pytest.raises(ValueError, match=r"shapes \[\(1, 2, 5\), \(1, 2, 5\)\]\. Got \[\(1, 2, 5\)\]"):
        Recurrent(LSTMCell(3, 5))(torch.zeros(2, 4, 3), None, torch.zeros(1, 2, 5))
