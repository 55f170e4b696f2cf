"""Memory of a training step: recomputed chunks give the same results with less memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seqpipe.builtins import seqpipe_cells
from seqpipe.cells import Cell, GRUCell, LSTMCell
from seqpipe.plugins import host
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.wrappers import Dropout, Zoneout, wrap

NAMES = [spec.name for spec in seqpipe_cells()]


def make(name: str, **kwargs: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(host().find("cell", name, parameter="cell").spec.factory(2, 3).double(), **kwargs)


def tensors(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def everything(net: Recurrent, x: Tensor, lengths: Any, state: Any = None) -> list[Tensor]:
    """Return outputs, final state and all gradients, also of x and of the initial state."""
    x = x.clone().requires_grad_()
    before = [s.clone().requires_grad_(s.is_floating_point()) for s in (() if state is None else tensors(state))]
    given = tuple(before) if isinstance(state, tuple) else before[0] if before else None
    outputs, after = net(x, lengths, given)
    loss = (outputs * torch.linspace(-1, 1, outputs.shape[2])).sum() + sum(s.square().sum() for s in tensors(after))
    inputs = [x, *(s for s in before if s.requires_grad), *(p for p in net.parameters() if p.requires_grad)]
    grads = torch.autograd.grad(loss, inputs, allow_unused=True)
    return [outputs, *tensors(after), *(torch.zeros(()) if g is None else g for g in grads)]


def both(net: Recurrent, *args: Any) -> tuple[list[Tensor], list[Tensor]]:
    found = []
    for memory in ("keep", "recompute"):
        net.memory = memory
        torch.manual_seed(1)
        found.append(everything(net, *args))
    return found[0], found[1]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None)
@given(sizes=st.tuples(*[st.integers(1, n) for n in (4, 19)]), data=st.data())
def test_recomputed_chunks_give_the_outputs_and_gradients_of_what_is_kept(name: str, sizes: Any, data: Any) -> None:
    batch, n_timesteps = sizes
    net = make(name, num_layers=2, bidirectional=data.draw(st.booleans()))
    lengths = data.draw(st.none() | st.lists(st.integers(0, n_timesteps), min_size=batch, max_size=batch))
    kept, again = both(net, torch.randn(batch, n_timesteps, 2).double(), lengths)
    torch.testing.assert_close(again, kept, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("engine", ["loop", "unrolled"])
def test_in_the_plain_loop_they_are_the_same_to_the_bit_but_for_sums_over_chunks(engine: str) -> None:
    net = make("lstm", engine=engine)
    state = tuple(torch.randn(1, 3, 3).double() for _ in range(2))
    kept, again = both(net, torch.randn(3, 11, 2).double(), [11, 0, 4], state)
    for a, b in zip(kept[:6], again[:6]):  # outputs, h and c after, and the gradients of x, h and c before
        assert torch.equal(a, b)
    torch.testing.assert_close(again[6:], kept[6:], rtol=1e-13, atol=1e-13)


@pytest.mark.usefixtures("compiled")
def test_the_compiled_engine_is_run_again_too() -> None:
    net = make("gru", num_layers=2, bidirectional=True)
    assert {choice.engine for choice in net.explain()} == {"c"}
    net.memory = "recompute"
    x = torch.randn(4, 11, 2).double()
    again = everything(net, x, [11, 0, 4, 7])  # the engine's first use, which includes its check
    net.memory = "keep"
    torch.testing.assert_close(again, everything(net, x, [11, 0, 4, 7]), rtol=1e-12, atol=1e-12)


def test_masks_of_dropout_are_drawn_once_and_those_of_zoneout_again_as_they_were() -> None:
    torch.manual_seed(0)
    dropped = Recurrent(Dropout(LSTMCell(2, 3).double(), 0.5, on=["state", "output"]), num_layers=2, dropout=0.5)
    kept, again = both(dropped, torch.randn(3, 11, 2).double(), [11, 0, 4])
    torch.testing.assert_close(again, kept, rtol=1e-12, atol=1e-12)
    zoned = Recurrent(Zoneout(GRUCell(2, 3).double(), 0.5), memory="recompute")
    x = torch.randn(2, 7, 2).double().requires_grad_()

    def run(x: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            outputs: Tensor = zoned(x)[0]
        return outputs

    assert torch.autograd.gradcheck(run, (x,), fast_mode=True)


def test_the_way_back_leaves_the_random_numbers_as_they_were() -> None:
    net, x = Recurrent(Zoneout(GRUCell(2, 3)), memory="recompute"), torch.randn(2, 7, 2)
    loss = net(x)[0].sum()
    before = torch.get_rng_state()
    loss.backward()
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_that_were_put_in_place_for_a_call_are_those_of_the_second_run() -> None:
    net = make("gru", memory="recompute")
    names, weights = zip(*net.named_parameters())
    inputs = [torch.randn_like(w).requires_grad_() for w in weights]
    x = torch.randn(2, 5, 2).double().requires_grad_()

    def run(x: Tensor, *given: Tensor) -> Tensor:
        outputs: Tensor = torch.func.functional_call(net, dict(zip(names, given)), (x, [5, 2]))[0]
        return outputs

    assert torch.autograd.gradcheck(run, (x, *inputs), fast_mode=True)


class Counting(Cell):
    """Counts its steps in its state, and the calls of step."""

    taken = 0

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        return super().initial_state(batch_size), torch.zeros(batch_size, dtype=torch.int64)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> Any:
        type(self).taken += 1
        h, n = state
        h = torch.tanh(self.input(x_t) + h / (n + 1)[:, None])
        return h, (h, n + 1)


def test_every_step_is_taken_twice_in_training_and_once_in_inference() -> None:
    net, x = Recurrent(Counting(2, 3), memory="recompute", engine="loop"), torch.randn(2, 17, 2)
    Counting.taken = 0
    outputs, (_, n) = net(x, [17, 3])
    assert (Counting.taken, n.tolist()) == (17, [[17, 3]])
    outputs.sum().backward()
    assert Counting.taken == 34
    Counting.taken = 0
    with torch.no_grad():
        net(x)
    assert Counting.taken == 17


def saved_numbers(net: Recurrent, x: Tensor) -> int:
    """Return how many values the graph of a training step stores."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net(x)[0].sum()
    return sum(kept.values())


def test_less_is_kept_and_it_grows_with_the_square_root_of_the_steps() -> None:
    short, long = torch.randn(2, 100, 2), torch.randn(2, 900, 2)
    keep, again = (Recurrent(GRUCell(2, 16), memory=m, engine="loop") for m in ("keep", "recompute"))
    assert saved_numbers(keep, long) > 20 * saved_numbers(again, long)
    growth = (saved_numbers(again, long) - long.numel()) - (saved_numbers(again, short) - short.numel())
    assert growth == (30 - 10) * 2 * 16  # one state (2, 16) for each further chunk; x is the caller's


def test_frozen_weights_get_no_gradient_and_x_still_does() -> None:
    net = make("lstm", memory="recompute")
    net.requires_grad_(False)
    assert not net(torch.randn(1, 5, 2).double())[0].requires_grad
    x = torch.randn(1, 5, 2).double().requires_grad_()
    net(x)[0].sum().backward()
    assert x.grad is not None
    assert x.grad.any(dim=2).all()
    assert all(p.grad is None for p in net.parameters())


def test_recomputed_gradients_cannot_be_differentiated_again() -> None:
    net, x = make("gru", memory="recompute", engine="loop"), torch.randn(1, 5, 2).double().requires_grad_()
    with pytest.raises(RuntimeError, match=r'cannot be differentiated twice.* Use Recurrent\(…, memory="keep"\)'):
        torch.autograd.grad(net(x)[0].sum(), x, create_graph=True)


def test_autocast_reaches_the_second_run() -> None:
    net, x = Recurrent(GRUCell(2, 3), engine="loop"), torch.randn(2, 9, 2)
    grads = []
    for memory in ("keep", "recompute"):
        net.memory = memory
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs, _ = net(x)
        grads.append(torch.autograd.grad(outputs.float().square().sum(), list(net.parameters())))
    torch.testing.assert_close(grads[1], grads[0], rtol=2e-2, atol=2e-2)


def test_offload_changes_nothing_on_a_cpu() -> None:
    net, x = make("lstm"), torch.randn(2, 5, 2).double()
    kept = everything(net, x, [5, 3])
    net.memory = "offload"
    for a, b in zip(kept, everything(net, x, [5, 3])):
        assert torch.equal(a, b)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="what is offloaded leaves a GPU's memory")
@pytest.mark.parametrize("memory", ["offload", "recompute"])
@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_a_gpu_keeps_less_and_computes_the_same(memory: str, engine: str) -> None:
    torch.manual_seed(0)
    net = Recurrent(wrap(GRUCell(2, 64), ["dropout"]).cuda(), engine=engine)
    x, taken, grads = torch.randn(16, 400, 2, device="cuda"), [], []
    for net.memory in ("keep", memory):
        torch.manual_seed(1)
        before = torch.cuda.memory_allocated()
        outputs, _ = net(x)
        taken.append(torch.cuda.memory_allocated() - before - outputs.nbytes)
        grads.append(torch.autograd.grad(outputs.square().mean(), list(net.parameters())))
        del outputs
    torch.testing.assert_close(grads[1], grads[0])
    assert taken[1] < taken[0] / 3


def test_an_unknown_memory_is_refused_with_the_known_ones() -> None:
    message = r"'memory' .* must be one of \['keep', 'offload', 'recompute'\]\. Got 'forget'"
    with pytest.raises(ValueError, match=message):
        Recurrent(GRUCell(3, 5), memory="forget")
