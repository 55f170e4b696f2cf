"""Backpropagation through time: to every step, for every cell, without NaN from padding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqpipe.builtins import seqpipe_cells
from seqpipe.cells import Cell, GRUCell, RNNCell
from seqpipe.plugins import host
from seqpipe.recurrence import Recurrent

NAMES = [spec.name for spec in seqpipe_cells()]
ENGINES = ["auto", "loop", "unrolled"]


def make(name: str, **kwargs: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(host().find("cell", name, parameter="cell").spec.factory(2, 3).double(), **kwargs)


def tensors(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("steps", [[4], [2, 3, 4], [0, 1, 2, 3, 4]], ids=["last", "last three", "all"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMES)
def test_a_loss_on_chosen_steps_reaches_every_step_before_them(name: str, engine: str, steps: list[int]) -> None:
    recurrent, x = make(name, engine=engine), torch.randn(1, 5, 2).double().requires_grad_()
    recurrent(x)[0][:, steps].square().sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=(0, 2)) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_on_one_step_reaches_none_after_it(name: str) -> None:
    recurrent, x = make(name), torch.randn(1, 5, 2).double().requires_grad_()
    recurrent(x)[0][:, 2].sum().backward()
    assert x.grad is not None
    assert x.grad[:, :3].any()
    assert not x.grad[:, 3:].any()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_outputs_and_state_equal_finite_differences(name: str, ragged: bool, engine: str) -> None:
    recurrent = make(name, engine=engine)
    names, weights = zip(*recurrent.named_parameters())
    inputs = [w.detach().clone().requires_grad_() for w in weights]
    state = [torch.randn_like(s)[None].requires_grad_() for s in tensors(recurrent.cells[0].initial_state(2))]
    x = torch.randn(2, 3, 2).double().requires_grad_()

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        given = rest[: len(state)] if len(state) > 1 else rest[0]
        call = (x, [3, 1] if ragged else None, given)
        outputs, after = torch.func.functional_call(recurrent, dict(zip(names, rest[len(state) :])), call)
        return outputs, *tensors(after)

    assert torch.autograd.gradcheck(run, (x, *state, *inputs), fast_mode=engine == "unrolled")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_padding_gets_no_gradient_and_gives_none(name: str, bidirectional: bool, engine: str) -> None:
    recurrent = make(name, num_layers=2, bidirectional=bidirectional, engine=engine)
    x = torch.randn(2, 4, 2).double()
    x[1, 2:] = torch.nan
    x.requires_grad_()
    outputs, state = recurrent(x, [4, 2])
    (outputs.square().sum() + sum(s.sum() for s in tensors(state))).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert not x.grad[1, 2:].any()
    assert all(torch.isfinite(p.grad).all() for p in recurrent.parameters())


@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_a_relu_that_grows_does_not_overflow_in_the_padding(engine: str) -> None:
    cell = RNNCell(1, 2, "relu")
    with torch.no_grad():
        cell.weight_hh.copy_(2 * torch.eye(2))
        cell.weight_ih.fill_(1)
    x = torch.ones(2, 200, 1)
    x[1] = 0  # its 200 steps keep the batch long; nothing grows from zero
    outputs, _ = Recurrent(cell, engine=engine)(x, [3, 200])
    outputs.sum().backward()
    assert outputs[0, :4, 0].tolist() == [1, 3, 7, 0]
    assert cell.weight_hh.grad is not None
    torch.testing.assert_close(cell.weight_hh.grad, torch.full((2, 2), 6.0))


class Remembering(GRUCell):
    """A GRU with a learned initial state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.first = nn.Parameter(torch.zeros(hidden_size))

    def initial_state(self, batch_size: int) -> Tensor:
        return self.first.expand(batch_size, -1)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_learned_initial_state_gets_a_gradient_in_every_layer_and_direction(engine: str) -> None:
    recurrent = Recurrent(Remembering(2, 3), num_layers=2, bidirectional=True, engine=engine)
    recurrent(torch.randn(4, 5, 2), [5, 1, 3, 2])[0].sum().backward()
    for cell in recurrent.cells:
        assert isinstance(cell, Remembering)
        assert cell.first.grad is not None
        assert cell.first.grad.any()


def test_a_learned_initial_state_still_runs_on_torchs_kernel() -> None:
    recurrent = Recurrent(Remembering(2, 3))
    assert [choice.engine for choice in recurrent.explain()] == ["fused"]
    nn.init.ones_(recurrent.cells[0].first)
    x = torch.randn(4, 5, 2)
    torch.testing.assert_close(recurrent(x)[0], recurrent(x, None, torch.ones(1, 4, 3))[0], rtol=0, atol=0)


def test_a_frozen_cell_stays_without_a_gradient() -> None:
    recurrent = make("gru")
    recurrent.requires_grad_(False)
    assert not recurrent(torch.randn(1, 3, 2).double())[0].requires_grad


def test_learned_first_states_are_the_cells_own() -> None:
    cell: Cell = Remembering(2, 3)
    assert cell.sibling(2).initial_state(1).data_ptr() != cell.initial_state(1).data_ptr()
