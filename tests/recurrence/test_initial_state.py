"""The learned initial state: one parameter, for any cell, wrapped or not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from seqpipe.builtins import seqpipe_cells, seqpipe_wrappers
from seqpipe.cells import Cell, GRUCell, LSTMCell
from seqpipe.plugins import host
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.wrappers import wrap

NAMES = [spec.name for spec in seqpipe_cells()]
every_cell = pytest.mark.parametrize("name", NAMES)


def make(name: str, **kwargs: Any) -> Recurrent:
    torch.manual_seed(0)
    cell = host().find("cell", name, parameter="cell").spec.factory(2, 3).double()
    return Recurrent(cell, initial_state="learned", **kwargs)


@every_cell
def test_it_begins_as_the_cells_own_and_is_not_there_unless_asked_for(name: str) -> None:
    net, x = make(name, num_layers=2, bidirectional=True), torch.randn(3, 4, 2).double()
    plain = Recurrent(net.cells[0], num_layers=2, bidirectional=True)
    plain.cells = net.cells
    torch.testing.assert_close(net(x, [4, 0, 2]), plain(x, [4, 0, 2]), rtol=0, atol=0)
    learned = [p for name, p in net.named_parameters() if name.startswith("learned")]
    n_tensors = len(tensors(net.cells[0].initial_state(1)))
    assert [tuple(p.shape) for p in learned] == [(3,)] * 4 * n_tensors
    assert {p.dtype for p in learned} == {torch.float64}
    assert len(list(net.parameters())) == len(list(plain.parameters())) + len(learned)


def tensors(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


@every_cell
@pytest.mark.parametrize("engine", ["auto", "unrolled"])
@pytest.mark.parametrize("memory", ["keep", "recompute"])
def test_its_gradient_is_the_sum_of_that_of_the_states_given(name: str, engine: str, memory: str) -> None:
    net, x = make(name, num_layers=2, engine=engine, memory=memory), torch.randn(3, 5, 2).double()
    given = tuple(
        torch.stack([p.expand(3, 3) for p in parts]).detach().requires_grad_()
        for parts in zip(*[state.tensors.values() for state in net.learned_states])
    )
    (expected, _) = net(x, [5, 1, 3], given if len(given) > 1 else given[0])
    expected.square().sum().backward()
    net.zero_grad()
    outputs, _ = net(x, [5, 1, 3])
    outputs.square().sum().backward()
    for k, state in enumerate(net.learned_states):
        for parameter, tensor in zip(state.tensors.values(), given):
            assert tensor.grad is not None
            torch.testing.assert_close(parameter.grad, tensor.grad[k].sum(dim=0))
            assert parameter.grad.any()


def test_training_it_alone_moves_the_first_output_to_a_target() -> None:
    net, x, target = make("lstm"), torch.zeros(4, 1, 2).double(), torch.tensor([0.3, -0.2, 0.1]).double()
    optimizer = torch.optim.Adam(net.learned_states.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        loss = (net(x)[0] - target).square().sum()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3


def test_a_state_that_is_given_comes_before_the_learned_one() -> None:
    net, x = make("gru"), torch.randn(2, 4, 2).double()
    torch.nn.init.ones_(net.learned_states[0].tensors["0"])
    plain = Recurrent(net.cells[0])
    state = torch.full((1, 2, 3), 0.5).double()
    assert torch.equal(net(x, None, state)[0], plain(x, None, state)[0])
    assert torch.equal(net(x)[0], plain(x, None, torch.ones(1, 2, 3).double())[0])


def test_a_sequence_without_steps_ends_in_it() -> None:
    net = make("gru")
    torch.nn.init.constant_(net.learned_states[0].tensors["0"], 0.25)
    _, state = net(torch.randn(2, 3, 2).double(), [0, 3])
    assert state[0, 0].tolist() == [0.25] * 3


@pytest.mark.parametrize("name", sorted({spec.name for spec in seqpipe_wrappers()} - {"projection"}))
def test_only_the_innermost_cells_state_is_learned(name: str) -> None:
    net = Recurrent(wrap(LSTMCell(2, 3), [name]), num_layers=2, initial_state="learned")
    for cell, learned in zip(net.cells, net.learned_states):
        assert [tuple(p.shape) for p in learned.parameters()] == [(3,), (3,)]
        own = cell.initial_state(2)
        assert [t.shape for t in learned(own)] == [t.shape for t in own]
        for a, b in zip(learned(own)[2:], own[2:]):
            assert a is b
    net(torch.randn(4, 5, 2), [5, 1, 2, 3])[0].sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.learned_states.parameters())


class Counting(Cell):
    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        return torch.full((batch_size, self.hidden_size), 0.5), torch.zeros(batch_size, dtype=torch.int64)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> Any:
        h, n = state
        h = torch.tanh(h + x_t.sum(dim=1, keepdim=True))
        return h, (h, n + 1)


def test_tensors_of_integers_are_not_learned_and_others_begin_where_the_cell_says() -> None:
    net = Recurrent(Counting(2, 3), initial_state="learned")
    assert [p.tolist() for p in net.parameters()] == [[0.5, 0.5, 0.5]]
    assert net(torch.randn(2, 3, 2), [3, 1])[1][1].tolist() == [[3, 1]]


def test_it_is_saved_and_loaded() -> None:
    net, other, x = make("gru"), make("gru"), torch.randn(2, 3, 2).double()
    torch.nn.init.normal_(net.learned_states[0].tensors["0"])
    assert not torch.equal(other(x)[0], net(x)[0])
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x)[0], net(x)[0])


def test_another_initial_state_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'initial_state' .* must be one of \['zeros', 'learned'\]\. Got 'random'"):
        Recurrent(GRUCell(3, 5), initial_state="random")
