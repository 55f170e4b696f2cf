"""Engines that plan a step must give the results of the plain loop; unsupported cells run in the plain loop."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells import Cell, GRUCell, LSTMCell, MLPCell, RNNCell
from seqpipe.exceptions import CompilerError
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.compiler.c import _compiled_kernel
from seqpipe.recurrence.compiler.c._objects import load
from seqpipe.recurrence.compiler.c._toolchain import find_compiler
from seqpipe.recurrence.engines import ThreadPolicy
from seqpipe.recurrence.engines._catalogue import engine_named
from seqpipe.recurrence.engines._trial import _difference

SLOW = "SEQPIPE_SLOW" in os.environ  # set by `make fuzz`
LIMITS = {torch.float64: 1e-12, torch.float32: 1e-5}
Everything = Callable[..., list[Tensor]]
Furthest = Callable[..., float]


class PeepholeLSTM(Cell):
    """Gates that see the cell state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recur = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.peep = nn.Parameter(0.1 * torch.randn(3, hidden_size))

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = state
        i, f, g, o = (self.input(x_t) + self.recur(h)).chunk(4, dim=-1)
        c = torch.sigmoid(f + self.peep[1] * c) * c + torch.sigmoid(i + self.peep[0] * c) * torch.tanh(g)
        h = torch.sigmoid(o + self.peep[2] * c) * torch.tanh(c)
        return h, (h, c)


class MinGRU(Cell):
    """A gate and a candidate that do not see the state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.both = nn.Linear(input_size, 2 * hidden_size)

    def project(self, x: Tensor) -> Tensor:
        both: Tensor = self.both(x)
        return both

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        z, c = x_t.chunk(2, dim=-1)
        z = torch.sigmoid(z)
        h = (1 - z) * h + z * c
        return h, h


class MGU(Cell):
    """A single gate that forgets and resets."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.forget = nn.Linear(input_size + hidden_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recur = nn.Linear(hidden_size, hidden_size, bias=False)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        f = torch.sigmoid(self.forget(torch.cat([x_t, h], dim=-1)))
        h = (1 - f) * h + f * torch.tanh(self.input(x_t) + self.recur(f * h))
        return h, h


class Normalising(MGU):
    """Centres and scales the columns of its state, with a learned gain."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gain = nn.Parameter(torch.rand(hidden_size) + 0.5)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = self.input(x_t) + self.recur(h)
        h = h - h.mean(dim=-1, keepdim=True)
        h = self.gain * h * torch.rsqrt((h * h).mean(dim=-1, keepdim=True) + 0.1)
        return h, h


class Reading(MinGRU):
    """An output that is narrower than the state and computed from it."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.read = nn.Linear(hidden_size, 2)

    @property
    def output_size(self) -> int:
        return 2

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        _, h = super().step(x_t, h)
        return self.read(h), h


class TwoWidths(Cell):
    """A wide state and a narrow one; the output combines both."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.wide = nn.Linear(input_size + 3, hidden_size)
        self.narrow = nn.Linear(hidden_size, 3)

    @property
    def output_size(self) -> int:
        return self.hidden_size + 3

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        h = super().initial_state(batch_size)
        return h, h.new_zeros(batch_size, 3)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        a, b = state
        a = torch.tanh(self.wide(torch.cat([x_t, b], dim=1))) + 0.5 * a
        b = F.softplus(self.narrow(a)) - b
        return torch.cat([a, b], dim=1), (a, b)


class Buffered(MinGRU):
    """A cell with a buffer."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.rates: Tensor
        self.register_buffer("rates", torch.linspace(0.1, 0.9, hidden_size))

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        _, new = super().step(x_t, h)
        h = self.rates * h + (1 - self.rates) * new
        return h, h


class Remembering(GRUCell):
    """A learned initial state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.first = nn.Parameter(torch.randn(hidden_size))

    def initial_state(self, batch_size: int) -> Tensor:
        return self.first.expand(batch_size, -1)


class Leaky(MinGRU):
    """A cell with an attribute that can be set."""

    slope = 0.5

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.slope = 0.5

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = self.change(F.leaky_relu(super().step(x_t, h)[1], self.slope))
        return h, h

    def change(self, h: Tensor) -> Tensor:
        return h


MAKERS: dict[str, Callable[[int, int], Cell]] = {
    "gru": GRUCell, "lstm": LSTMCell, "mlp": MLPCell, "tanh": RNNCell,
    "relu": lambda n, m: RNNCell(n, m, "relu"), "sigmoid": lambda n, m: RNNCell(n, m, "sigmoid"),
    "peephole": PeepholeLSTM, "minGRU": MinGRU, "MGU": MGU, "normalising": Normalising, "reading": Reading,
    "two widths": TwoWidths, "buffered": Buffered, "remembering": Remembering,
}  # fmt: skip


@pytest.fixture(scope="module", params=["c", "torch"])
def planned(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the name of a planned engine, which runs sequences of any length."""
    name: str = request.param
    if name == "c":
        request.getfixturevalue("needs_compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_named("torch"), "min_steps", 0)
        yield name


@pytest.fixture(scope="module")
def needs_compiler() -> None:
    """Skip where there is no C compiler."""
    try:
        find_compiler()
    except CompilerError as error:
        pytest.skip(str(error))


@contextmanager
def engine(name: str) -> Iterator[None]:
    """Use one engine only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQPIPE_ENGINE", name)
        yield


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Split a batch of any size over several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadPolicy, "parts", lambda self, work, n_rows, threads: min(threads, n_rows))
        yield
    torch.set_num_threads(before)


def first_state(recurrent: Recurrent, batch_size: int) -> Any:
    cell: Any = recurrent.cells[0]
    return cell.initial_state(batch_size)


def tensors(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def engines_of(name: str, recurrent: Recurrent) -> set[str]:
    with engine(name):
        return {choice.engine for choice in recurrent.explain()}


def reason_of(name: str, recurrent: Recurrent) -> str:
    """Return why an engine does not run a cell."""
    with engine(name):
        (choice,) = recurrent.explain()
    assert choice.engine == "loop"
    return choice.reason


def make(name: str = "gru", *, dtype: torch.dtype = torch.float64, **kwargs: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(MAKERS[name](3, 5).to(dtype), **kwargs)


def run_with(name: str, recurrent: Recurrent, *call: Any) -> tuple[Tensor, ...]:
    with engine(name):
        outputs, after = recurrent(*call)
    return outputs, *tensors(after)


def compare(
    everything: Everything,
    furthest: Furthest,
    planned: str,
    recurrent: Recurrent,
    x: Tensor,
    lengths: Any,
    state: tuple[Tensor, ...] | None,
) -> float:
    """Return the largest deviation of an engine from the plain loop, including gradients."""
    weights = [p for p in recurrent.parameters() if p.requires_grad]
    several = isinstance(first_state(recurrent, 1), tuple)

    def run(name: str) -> list[Tensor]:
        def call(x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            given_state = None if not states else states if several else states[0]
            return run_with(name, recurrent, x, lengths, given_state)

        return everything(call, x, state or (), weights)

    return furthest(run("loop"), run(planned))


@st.composite
def batches(draw: Callable[..., Any]) -> dict[str, Any]:
    """Draw everything except the sizes of a cell, which would require compiling it again."""
    batch, steps = draw(st.integers(1, 17)), draw(st.integers(1, 9))
    return {
        "batch": batch,
        "steps": steps,
        "lengths": draw(st.none() | st.lists(st.integers(0, steps), min_size=batch, max_size=batch)),
        "layout": draw(st.sampled_from(["plain", "time first", "every other", "reversed features"])),
        "state": draw(st.booleans()),
        "threads": draw(st.integers(1, 3)),
        "bidirectional": draw(st.booleans()),
    }


def laid_out(layout: str, batch: int, steps: int, features: int, dtype: torch.dtype) -> Tensor:
    if layout == "time first":
        return torch.randn(steps, batch, features, dtype=dtype).transpose(0, 1)
    if layout == "every other":
        return torch.randn(2 * batch, steps, 2 * features, dtype=dtype)[::2, :, ::2]
    if layout == "reversed features":
        return torch.randn(features, steps, batch, dtype=dtype).permute(2, 1, 0)
    return torch.randn(batch, steps, features, dtype=dtype)


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=12 if SLOW else 4, derandomize=True)
@given(drawn=batches())
def test_results_and_gradients_are_the_plain_loops(
    everything: Everything, furthest: Furthest, planned: str, name: str, dtype: torch.dtype, drawn: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    recurrent = Recurrent(MAKERS[name](3, 5).to(dtype), bidirectional=drawn["bidirectional"])
    assert engines_of(planned, recurrent) == {planned}
    # With and without the gradient of x: each is a separate program, compiled once per dtype.
    x = laid_out(drawn["layout"], drawn["batch"], drawn["steps"], 3, dtype).requires_grad_(dtype == torch.float64)
    state = None
    if drawn["state"]:
        like = tensors(first_state(recurrent, drawn["batch"]))
        state = tuple(torch.randn(len(recurrent.cells), *s.shape, dtype=dtype, requires_grad=True) for s in like)
    with threads(drawn["threads"]):
        assert compare(everything, furthest, planned, recurrent, x, drawn["lengths"], state) <= LIMITS[dtype]


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("gru", (20, 37)), ("peephole", (16, 64)), ("normalising", (20, 37)), ("lstm", (1, 1)), ("gru", (300, 300))],
)
@pytest.mark.parametrize("dtype", LIMITS if SLOW else [torch.float32], ids=str)
def test_wide_cells_in_large_ragged_batches_are_right(
    everything: Everything, furthest: Furthest, planned: str, name: str, sizes: tuple[int, int], dtype: torch.dtype
) -> None:
    torch.manual_seed(1)
    recurrent = Recurrent(MAKERS[name](*sizes).to(dtype))
    x = torch.randn(107, 12, sizes[0], dtype=dtype, requires_grad=True)
    lengths = torch.randint(0, 13, (107,))
    with threads(2):
        assert compare(everything, furthest, planned, recurrent, x, lengths, None) <= LIMITS[dtype]


def test_layers_and_directions_are_stacked(everything: Everything, furthest: Furthest, planned: str) -> None:
    recurrent = make("lstm", num_layers=3, bidirectional=True)
    x = torch.randn(6, 7, 3, dtype=torch.float64, requires_grad=True)
    assert compare(everything, furthest, planned, recurrent, x, [7, 1, 0, 3, 3, 6], None) <= 1e-12


@pytest.mark.parametrize(
    "module", [nn.RNN(3, 5), nn.RNN(3, 5, nonlinearity="relu"), nn.LSTM(3, 5), nn.GRU(3, 5)], ids=str
)
def test_torchs_modules_give_the_same_on_the_same_weights(planned: str, module: Any) -> None:
    module = copy.deepcopy(module).double()
    module.batch_first = True
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    expected = module(x)
    found = run_with(planned, Recurrent.from_torch(module), x)
    for a, b in zip((expected[0], *tensors(expected[1])), found):
        torch.testing.assert_close(b, a, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", MAKERS)
def test_nan_in_the_padding_never_leaks(planned: str, name: str) -> None:
    recurrent = make(name, bidirectional=True)
    x = torch.randn(3, 5, 3, dtype=torch.float64)
    x[1, 2:] = torch.nan
    x[2] = torch.nan
    x.requires_grad_()
    results = run_with(planned, recurrent, x, [5, 2, 0])
    torch.stack([r.square().sum() for r in results]).sum().backward()
    assert all(torch.isfinite(r).all() for r in results)
    assert not results[0][1, 2:].any()
    assert x.grad is not None
    assert not x.grad[1, 2:].any()
    assert all(torch.isfinite(p.grad).all() for p in recurrent.parameters() if p.grad is not None)
    assert torch.isfinite(x.grad).all()


def test_nan_in_a_valid_step_stays_nan_in_its_row_alone(planned: str) -> None:
    x = torch.randn(3, 5, 3)
    x[1, 2] = torch.nan
    outputs = run_with(planned, make(dtype=torch.float32), x)[0]
    assert outputs[1, 2:].isnan().all()
    assert torch.isfinite(outputs[[0, 2]]).all()
    assert torch.isfinite(outputs[1, :2]).all()


def test_a_second_derivative_is_refused(planned: str) -> None:
    recurrent, x = make(), torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    outputs = run_with(planned, recurrent, x)[0]
    with pytest.raises(RuntimeError, match=r'cannot be differentiated twice .* engine="loop"'):
        torch.autograd.grad(outputs.sum(), x, create_graph=True)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_repeat_bit_for_bit(planned: str, everything: Everything, count: int) -> None:
    recurrent, x = make("peephole", dtype=torch.float32), torch.randn(40, 9, 3, requires_grad=True)
    lengths, weights = torch.randint(0, 10, (40,)), list(recurrent.parameters())
    with threads(count):
        first, again = (
            everything(lambda x, s: run_with(planned, recurrent, x, lengths), x, (), weights) for _ in range(2)
        )
    assert all(torch.equal(a, b) for a, b in zip(first, again))


@pytest.mark.parametrize("name", ["gru", "normalising"])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.usefixtures("needs_compiler")
def test_a_rows_result_does_not_depend_on_its_batch(name: str, count: int) -> None:
    recurrent, x = make(name, dtype=torch.float32), torch.randn(61, 6, 3)
    lengths = torch.randint(0, 7, (61,))
    with threads(count):
        together = run_with("c", recurrent, x, lengths)
        for i in (0, 17, 60):
            alone = run_with("c", recurrent, x[i : i + 1], lengths[i : i + 1])
            assert torch.equal(alone[0][0], together[0][i])
            assert torch.equal(alone[1][:, 0], together[1][:, i])


def test_weights_changed_before_the_backward_pass_are_refused(planned: str) -> None:
    recurrent = make()
    outputs = run_with(planned, recurrent, torch.randn(2, 3, 3, dtype=torch.float64))[0]
    with torch.no_grad():
        recurrent.get_parameter("cells.0.weight_hh").mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()


def test_weights_that_move_to_other_memory_before_the_backward_pass_are_those_of_the_run(planned: str) -> None:
    found, x = [], torch.ones(2, 3, 3, dtype=torch.float64, requires_grad=True)
    for name in ("loop", planned):
        recurrent = Recurrent(GRUCell(3, 64).double())
        for p in recurrent.parameters():
            nn.init.constant_(p, 0.01)
        outputs = run_with(name, recurrent, x)[0]
        for p in recurrent.parameters():
            p.data = torch.full_like(p, 7)
        others = [torch.full_like(p, torch.nan) for p in recurrent.parameters() for _ in range(50)]
        found += torch.autograd.grad(outputs.sum(), x)
        del others
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("given", [(4, 3, 1), (3, 1, 4)], ids=["longest first", "in any order"])
def test_lengths_that_change_before_the_backward_pass_are_those_of_the_run(
    planned: str, given: tuple[int, ...]
) -> None:
    found = []
    for name in ("loop", planned):
        recurrent, lengths = make(), torch.tensor(given)
        outputs, _ = run_with(name, recurrent, torch.ones(3, 6, 3, dtype=torch.float64), lengths)
        lengths.zero_()
        outputs.sum().backward()
        found.append(recurrent.get_parameter("cells.0.weight_hh").grad)
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def test_a_buffer_that_repeats_one_number_is_taken(planned: str, everything: Everything, furthest: Furthest) -> None:
    torch.manual_seed(0)
    cell = Buffered(3, 5).double()
    cell.rates = torch.tensor([0.3], dtype=torch.float64).expand(5)
    x = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert engines_of(planned, Recurrent(cell)) == {planned}
    assert compare(everything, furthest, planned, Recurrent(cell), x, [4, 2], None) <= LIMITS[torch.float64]


class Selecting(MinGRU):
    """Reads its weights through buffers of booleans and indices, and where they are positive."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.recur = nn.Parameter(torch.randn(3, hidden_size, hidden_size))
        self.register_buffer("mask", torch.rand(hidden_size, hidden_size) > 0.5)
        self.register_buffer("order", torch.randperm(hidden_size))

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        one, two, three = self.recur
        h, _ = super().step(x_t, h @ (one * self.mask) + h @ two[self.order] + h @ (three * (three > 0)))
        return h, h


def test_cells_that_share_a_plan_differ_in_masks_and_indices(
    planned: str, everything: Everything, furthest: Furthest
) -> None:
    torch.manual_seed(0)
    for _ in range(3):
        recurrent, x = Recurrent(Selecting(3, 5).double()), torch.randn(2, 4, 3, dtype=torch.float64)
        assert engines_of(planned, recurrent) == {planned}
        assert compare(everything, furthest, planned, recurrent, x, [4, 2], None) <= LIMITS[torch.float64]


def test_weights_changed_between_two_passes_are_seen(planned: str) -> None:
    recurrent, x = make(), torch.randn(2, 3, 3, dtype=torch.float64)
    run_with(planned, recurrent, x)
    with torch.no_grad():
        recurrent.get_parameter("cells.0.weight_hh").mul_(2)
    torch.testing.assert_close(
        run_with(planned, recurrent, x)[0], run_with("loop", recurrent, x)[0], rtol=1e-12, atol=1e-12
    )


def test_frozen_parameters_get_no_gradient_and_the_others_theirs(
    everything: Everything, furthest: Furthest, planned: str
) -> None:
    recurrent = make("MGU")
    cell: Any = recurrent.cells[0]
    cell.forget.requires_grad_(False)
    x = torch.randn(3, 4, 3, dtype=torch.float64)
    assert compare(everything, furthest, planned, recurrent, x, [4, 0, 2], None) <= 1e-12
    run_with(planned, recurrent, x)[0].sum().backward()
    assert cell.forget.weight.grad is None
    assert cell.recur.weight.grad is not None


def test_gradients_that_fade_below_the_smallest_normal_number_are_zero_and_only_these(planned: str) -> None:
    recurrent = Recurrent(RNNCell(2, 3))
    for parameter in recurrent.parameters():
        torch.nn.init.uniform_(parameter, -0.1, 0.1)
    x = torch.randn(4, 200, 2, requires_grad=True)
    run_with(planned, recurrent, x)[0][:, -1].sum().backward()
    assert x.grad is not None
    assert x.grad[:, -20:].all()
    assert x.grad[:, 0].abs().max() <= torch.finfo(torch.float32).tiny
    denormal = torch.full((100,), 1e-40)
    assert torch.equal(denormal * 1, denormal)
    assert denormal.sum() > 0


def test_columns_of_x_that_nothing_comes_of_have_a_gradient_of_zero(planned: str) -> None:
    class LastColumn(Cell):
        def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            h = torch.tanh(torch.sqrt(1 + x_t * x_t)[:, 2:] - 0.5 * h)
            return h, h

    recurrent = Recurrent(LastColumn(3, 1))
    for _ in range(5):
        x = torch.randn(8, 16, 3, requires_grad=True)
        torch.full_like(x, torch.nan)  # freed memory that is not zero
        recurrent(x)[0].sum().backward()
        assert x.grad is not None
        assert torch.equal(x.grad[:, :, :2], torch.zeros(8, 16, 2))


def test_a_wholly_frozen_cell_still_passes_a_gradient_to_its_input(
    everything: Everything, furthest: Furthest, planned: str
) -> None:
    recurrent = make("lstm").requires_grad_(False)
    assert not run_with(planned, recurrent, torch.randn(2, 3, 3, dtype=torch.float64))[0].requires_grad
    x = torch.randn(3, 4, 3, dtype=torch.float64, requires_grad=True)
    assert compare(everything, furthest, planned, recurrent, x, None, None) <= 1e-12


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", MAKERS)
def test_inference_gives_what_training_gives(planned: str, name: str, mode: Callable[[], Any]) -> None:
    recurrent, x = make(name), torch.randn(4, 5, 3, dtype=torch.float64)
    trained = run_with(planned, recurrent, x, [5, 0, 2, 4])
    with mode():
        found = run_with(planned, recurrent, x, [5, 0, 2, 4])
    for a, b in zip(trained, found):
        assert not b.requires_grad
        torch.testing.assert_close(b, a.detach(), rtol=1e-12, atol=1e-13)


def test_no_row_and_no_step_are_left_to_the_plain_loop(planned: str) -> None:
    recurrent = make()
    assert run_with(planned, recurrent, torch.zeros(0, 4, 3, dtype=torch.float64))[0].shape == (0, 4, 5)
    assert not run_with(planned, recurrent, torch.randn(2, 4, 3, dtype=torch.float64), [0, 0])[0].any()


def test_copies_run_as_the_cell_does(planned: str) -> None:
    recurrent, x = make("peephole"), torch.randn(2, 4, 3, dtype=torch.float64)
    expected = run_with(planned, recurrent, x)[0]
    for other in (copy.deepcopy(recurrent), pickle.loads(pickle.dumps(recurrent))):
        assert engines_of(planned, other) == {planned}
        assert torch.equal(run_with(planned, other, x)[0], expected)


def _in_child(recurrent: Recurrent, x: Tensor, queue: Any) -> None:
    torch.set_num_threads(2)
    queue.put(run_with("c", recurrent, x)[0].detach().numpy())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("needs_compiler")
def test_a_forked_process_has_threads_of_its_own() -> None:
    recurrent, x = make(dtype=torch.float32), torch.randn(9, 4, 3)
    with threads(2):
        expected = run_with("c", recurrent, x)[0].detach().numpy()
        context: Any = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=_in_child, args=(recurrent, x, queue), daemon=True)
        child.start()
        found = queue.get(timeout=60)
        child.join(60)
    assert (found == expected).all()


class Branching(Leaky):
    def change(self, h: Tensor) -> Tensor:
        return h if h.sum() > 0 else -h


class Drawing(Leaky):
    def change(self, h: Tensor) -> Tensor:
        return h + 0 * torch.rand_like(h)


class Inverting(Leaky):
    def change(self, h: Tensor) -> Tensor:
        return torch.erfinv(torch.tanh(h))


class Mixing(Leaky):
    def change(self, h: Tensor) -> Tensor:
        return h - h.mean(0)


class Sorting(Leaky):
    def change(self, h: Tensor) -> Tensor:
        return torch.topk(h, h.shape[1], dim=1).values


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (Branching, "needs the value of a tensor"),
        (Drawing, r"draws random numbers \(aten.rand_like"),
        (Inverting, "aten.erfinv.default is not supported"),
        (Mixing, "aten.mean.dim averages over the samples"),
        (Sorting, "aten.topk.default is not supported"),
    ],
)
@pytest.mark.usefixtures("needs_compiler")
def test_a_step_without_a_plan_runs_in_the_plain_loop_and_is_explained(cls: type[Cell], words: str) -> None:
    torch.manual_seed(0)
    recurrent, x = Recurrent(cls(3, 5)), torch.randn(2, 4, 3)
    line = cls.change.__code__.co_firstlineno + 1  # type: ignore[attr-defined]
    reason = reason_of("c", recurrent)
    assert re.search(words, reason)
    assert reason.endswith(f"test_c_engine.py:{line}")
    for a, b in zip(run_with("c", recurrent, x, [4, 2]), run_with("loop", recurrent, x, [4, 2])):
        assert torch.equal(a, b)


def test_a_hook_is_not_passed_over(planned: str) -> None:
    recurrent, x, seen = make("reading"), torch.randn(2, 4, 3, dtype=torch.float64), []
    cell: Any = recurrent.cells[0]
    handle = cell.read.register_forward_hook(lambda *args: seen.append(1))
    assert "has hooks" in reason_of(planned, recurrent)
    run_with(planned, recurrent, x)
    assert len(seen) == 4
    handle.remove()
    run_with(planned, recurrent, x)
    assert engines_of(planned, recurrent) == {planned}


def test_an_attribute_that_was_set_after_the_first_use_counts(planned: str) -> None:
    torch.manual_seed(0)
    cell, x = Leaky(3, 5).double(), torch.randn(2, 4, 3, dtype=torch.float64)
    recurrent = Recurrent(cell)
    before = run_with(planned, recurrent, x)[0]
    cell.slope = 2
    after = run_with(planned, recurrent, x)[0]
    assert not torch.allclose(before, after)
    assert engines_of(planned, recurrent) == {planned}
    torch.testing.assert_close(after, run_with("loop", recurrent, x)[0], rtol=1e-12, atol=1e-12)


class Counting(Leaky):
    """Depends on the batch size, which plans do not support."""

    def change(self, h: Tensor) -> Tensor:
        return h / len(h)


@pytest.mark.usefixtures("needs_compiler")
def test_a_compiled_step_that_is_wrong_warns_and_is_not_used() -> None:
    torch.manual_seed(0)
    recurrent, x = Recurrent(Counting(3, 5)), torch.randn(2, 4, 3)
    with pytest.warns(RuntimeWarning, match="Counting is not compiled: its results differ from the plain loop's by"):
        found = run_with("c", recurrent, x)[0]
    assert torch.equal(found, run_with("loop", recurrent, x)[0])
    assert torch.equal(run_with("c", recurrent, x)[0], found)  # without a second warning


class Lost(Leaky):
    """Returns other values for batches smaller than those used for planning."""

    def change(self, h: Tensor) -> Tensor:
        return h if len(h) <= 5 else h * torch.nan


@pytest.mark.usefixtures("needs_compiler")
def test_a_difference_that_is_no_number_is_a_difference() -> None:
    recurrent, x = Recurrent(Lost(3, 5)), torch.randn(2, 4, 3)
    with pytest.warns(RuntimeWarning, match="Lost is not compiled: its results differ from the plain loop's by inf"):
        found = run_with("c", recurrent, x)[0]
    assert found.isfinite().all()


class Coarse(Leaky):
    """Stores a part of its state in another dtype."""

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        return super().initial_state(batch_size), torch.full((batch_size, 5), 0.3, dtype=torch.float32)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, h = super().step(x_t, state[0])
        return output, (h, state[1])


def test_memory_is_never_read_as_numbers_of_another_type(planned: str) -> None:
    torch.manual_seed(0)
    recurrent, x = Recurrent(Coarse(3, 5).double()), torch.randn(2, 4, 3, dtype=torch.float64)
    state = tuple(torch.randn(2, 1, 2, 5, dtype=torch.float64))
    found = run_with(planned, recurrent, x, None, state)
    assert "it was planned for a state of torch.float32" in recurrent.explain()[0].reason
    assert all(torch.equal(a, b) for a, b in zip(found, run_with("loop", recurrent, x, None, state)))


class Spinning(Cell):
    """Its state is complex: its real and imaginary parts are neighbours in memory."""

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.zeros(batch_size, self.hidden_size, dtype=torch.complex64)

    def step(self, x_t: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        z = z * 0.9j + x_t
        return z.real, z


def test_a_state_that_is_not_contiguous_is_read_in_the_order_of_the_batch(planned: str) -> None:
    torch.manual_seed(0)
    recurrent, x = Recurrent(Spinning(3, 3)), torch.randn(3, 4, 3, requires_grad=True)
    state = torch.randn(1, 3, 3, dtype=torch.complex64)
    found, expected = (run_with(name, recurrent, x, [4, 0, 2], state) for name in (planned, "loop"))
    torch.testing.assert_close(found, expected)


class Uncompiled(Leaky):
    pass


@pytest.mark.usefixtures("needs_compiler")
def test_source_that_the_compiler_refuses_warns_and_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compiled_kernel, "load", lambda source: load(source + "\n#error no\n"))
    torch.manual_seed(0)
    recurrent, x = Recurrent(Uncompiled(3, 5)), torch.randn(2, 4, 3)
    with pytest.warns(RuntimeWarning, match=r"Uncompiled is not compiled: The C compiler .* failed"):
        found = run_with("c", recurrent, x)[0]
    assert torch.equal(found, run_with("loop", recurrent, x)[0])


def test_nan_in_one_result_is_never_hidden_by_another() -> None:
    good, wrong = torch.ones(2), torch.tensor([1.0, float("nan")])
    assert max(_difference(good, found) for found in (good, wrong)) == float("inf")
