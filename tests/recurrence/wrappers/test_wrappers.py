"""Invariants of every wrapper, around any cell and within others."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqpipe.builtins import seqpipe_wrappers
from seqpipe.cells import Cell, GRUCell, LSTMCell, MLPCell, RNNCell
from seqpipe.exceptions import CellError
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.wrappers import (
    Attention,
    Dropout,
    LayerNorm,
    Projection,
    Residual,
    Wrapper,
    Zoneout,
    wrap,
)
from seqpipe.testing import check_cell

#: Checks that compile, fit, measure, or wrap the cell again.
SLOW = ("engines_agree", "estimators_fit_it", "speed_is_graded", "streams_equal_predictions", "wrappers_fit")
CASES: dict[str, list[Any]] = {
    "attention": [partial(Attention, n=3)],
    "dropout": [partial(Dropout, p=0.5, on=["output", "state"])],
    "layer_norm": [LayerNorm],
    "layer_norm on the input": [partial(LayerNorm, on="input")],
    "projection": [partial(Projection, size=4, activation="tanh")],
    "residual": [Residual],
    "zoneout": [Zoneout],
    "one after the other": ["residual", "zoneout", {"dropout": {"on": ["state", "output"]}}, "layer_norm"],
    "the other way round": ["layer_norm", "dropout", {"attention": {"n": 2}}, "zoneout", "residual"],
    "twice": ["dropout", {"projection": {"size": 2}}, "dropout", "residual", "residual"],
}
every_case = pytest.mark.parametrize("wrappers", CASES.values(), ids=CASES)


class Grid(Cell):
    """Projects to a grid and stores one, with an integer step count."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        grid = super().initial_state(batch_size)[:, None].repeat(1, 2, 1)
        return grid, torch.zeros(batch_size, dtype=torch.int64)

    def project(self, x: Tensor) -> Tensor:
        return self.input(x).unflatten(2, (2, self.hidden_size))

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        grid, n = state
        grid = torch.tanh(grid / 2 + x_t)
        return grid.sum(dim=1), (grid, n + 1)


def tensors(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def test_every_wrapper_of_the_registry_has_a_case() -> None:
    assert {spec.name for spec in seqpipe_wrappers()} <= set(CASES)


@pytest.mark.parametrize("wrappers", [each for name, each in CASES.items() if " " in name or name == "twice"], ids=str)
def test_a_cell_in_wrappers_passes_every_check_of_a_cell(wrappers: list[Any]) -> None:
    check_cell(lambda input_size, hidden_size: wrap(LSTMCell(input_size, hidden_size), wrappers), exclude=SLOW)


@every_case
@pytest.mark.parametrize("cls", [RNNCell, GRUCell, LSTMCell])
def test_state_output_and_sibling_keep_their_build_in_both_modes(cls: type[Cell], wrappers: list[Any]) -> None:
    cell = wrap(cls(3, 5).double(), wrappers)
    for training in (True, False):
        cell.train(training)
        x, state = torch.randn(2, 3).double(), cell.initial_state(2)
        output, after = cell(x, state)
        assert output.shape == (2, cell.output_size)
        assert [(t.shape, t.dtype) for t in tensors(after)] == [(t.shape, t.dtype) for t in tensors(state)]
        assert cell.torch_kernel() is None
    sibling = cell.sibling(7)
    assert type(sibling) is type(cell)
    assert (sibling.input_size, sibling.output_size) == (7, cell.output_size)
    assert [t.shape for t in tensors(sibling.initial_state(2))] == [t.shape for t in tensors(state)]


@pytest.mark.parametrize(
    "wrappers", [["zoneout", "residual"], ["residual", "zoneout"], [{"attention": {"n": 2}}, "zoneout"]]
)
@pytest.mark.parametrize("engine", ["loop", "unrolled"])
def test_a_cell_of_odd_shapes_is_wrapped_too(wrappers: list[Any], engine: str) -> None:
    net = Recurrent(wrap(Grid(3, 4), wrappers), num_layers=2, bidirectional=True, engine=engine)
    for training in (True, False):
        outputs, (grid, n, *_) = net.train(training)(torch.randn(3, 5, 3), [5, 1, 2])
        assert outputs.shape == (3, 5, 8)
        assert grid.shape == (4, 3, 2, 4)
        assert n.tolist() == [[5, 1, 2]] * 4
        outputs.sum().backward()


@every_case
def test_gradients_in_training_equal_finite_differences(wrappers: list[Any]) -> None:
    torch.manual_seed(0)
    net = Recurrent(wrap(LSTMCell(2, 3).double(), wrappers))
    names, weights = zip(*net.named_parameters())
    x = torch.randn(2, 3, 2).double().requires_grad_()

    def run(x: Tensor, *given: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)  # the same masks each time
            outputs: Tensor = torch.func.functional_call(net, dict(zip(names, given)), (x, [3, 2]))[0]
        return outputs

    inputs = [w.detach().clone().requires_grad_() for w in weights]
    assert torch.autograd.gradcheck(run, (x, *inputs), fast_mode=True)


@every_case
@pytest.mark.parametrize("again", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_computes_the_same_and_makes_siblings(again: Callable[[Any], Any], wrappers: list[Any]) -> None:
    net, x = Recurrent(wrap(GRUCell(3, 5), wrappers), num_layers=2).eval(), torch.randn(3, 4, 3)
    copied = again(net)
    assert torch.equal(copied(x, [4, 2, 1])[0], net(x, [4, 2, 1])[0])
    assert copied.cells[0].sibling(4).input_size == 4


@every_case
def test_after_eval_nothing_is_random_and_no_random_number_is_drawn(wrappers: list[Any]) -> None:
    net, x = Recurrent(wrap(GRUCell(3, 5), wrappers), num_layers=2).eval(), torch.randn(3, 4, 3)
    before = torch.get_rng_state()
    assert torch.equal(net(x)[0], net(x)[0])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("wrapper", [Attention, Dropout, LayerNorm, Residual, Zoneout, partial(Projection, size=2)])
def test_a_wrapper_takes_its_cell_by_name_too(wrapper: Any) -> None:
    assert wrapper(cell=GRUCell(3, 5)).sibling(4).input_size == 4


def test_what_is_no_cell_cannot_be_wrapped() -> None:
    with pytest.raises(CellError, match=r"must be an instance of a subclass of seqpipe\.Cell\. Got 'gru'"):
        Residual("gru")  # type: ignore[arg-type]


class Doubled(Wrapper):
    """A user-defined wrapper."""

    def step(self, x_t: Tensor, state: Any) -> tuple[Tensor, Any]:
        output, state = super().step(x_t, state)
        return 2 * output, state


def test_a_wrapper_of_ones_own_needs_only_what_it_changes() -> None:
    cell, x = MLPCell(3, 5), torch.randn(2, 4, 3)
    torch.testing.assert_close(Recurrent(Doubled(cell))(x)[0], 2 * Recurrent(cell)(x)[0])
    check_cell(lambda i, h: Doubled(LSTMCell(i, h)), exclude=SLOW)


@pytest.mark.usefixtures("compiled")
def test_a_first_state_that_is_drawn_keeps_no_cell_from_the_compiler() -> None:
    net = Recurrent(Dropout(GRUCell(3, 5), 0.5))
    net(torch.randn(4, 6, 3))[0].sum().backward()
    assert net.explain()[0].engine == "c"


COMPILED = {"dropout": False, "layer_norm": True, "projection": True, "residual": True, "zoneout": False}


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("name", "in_training"), COMPILED.items())
def test_the_compiler_takes_wrapped_cells_and_computes_what_the_loop_does(name: str, in_training: bool) -> None:
    torch.manual_seed(0)
    net, x = Recurrent(wrap(GRUCell(3, 5).double(), CASES[name])), torch.randn(4, 6, 3).double()
    assert net.explain()[0].engine == "c" or not in_training
    assert net.eval().explain()[0].engine == "c"
    results = []
    for engine in ("auto", "loop"):
        net.engine = engine
        outputs, _ = net(x, [6, 1, 3, 4])
        results.append([outputs, *torch.autograd.grad(outputs.square().sum(), list(net.parameters()))])
    torch.testing.assert_close(results[0], results[1], rtol=1e-12, atol=1e-12)
