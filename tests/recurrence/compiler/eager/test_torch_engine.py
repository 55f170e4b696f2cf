"""Plans run by torch: cells without specific rules, refusals and messages."""

from __future__ import annotations

import re
import resource
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seqpipe.cells import Cell, GRUCell
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.compiler import TorchEngine
from seqpipe.recurrence.compiler.eager._eager_program import EagerProgram
from seqpipe.recurrence.compiler.eager._packing import Packing
from seqpipe.recurrence.engines._catalogue import engine_named

Everything = Callable[..., list[Tensor]]
Furthest = Callable[..., float]


class Gated(Cell):
    """Updates its state by a function that subclasses choose."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recur = nn.Linear(hidden_size, hidden_size, bias=False)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.input(x_t) + self.recur(h))
        h = self.change(h)
        return h, h

    def change(self, h: Tensor) -> Tensor:
        return h


class Softmax(Gated):
    def change(self, h: Tensor) -> Tensor:
        return h * torch.softmax(h, dim=1)


class Cumulating(Gated):
    def change(self, h: Tensor) -> Tensor:
        return torch.cumsum(h, dim=1) / 6


class Sorting(Gated):
    def change(self, h: Tensor) -> Tensor:
        return torch.sort(h, dim=1).values


class Slicing(Gated):
    def change(self, h: Tensor) -> Tensor:
        return torch.cat([h[:, 3:] * h[:, :3], torch.sigmoid(h[:, :3])], dim=1)


class Interleaving(Gated):
    def change(self, h: Tensor) -> Tensor:
        return h[:, ::2].repeat_interleave(2, dim=1) - 0.5 * h


class Blocks(Gated):
    """Computes along an inner dimension."""

    def change(self, h: Tensor) -> Tensor:
        blocks = h.view(-1, 2, 3)
        return (blocks * blocks.sum(dim=2, keepdim=True)).reshape(-1, 6)


class Attending(Gated):
    """Reads two slots of its state by products with one matrix per sample."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.key = nn.Linear(3, 3, bias=False)

    def change(self, h: Tensor) -> Tensor:
        slots = h.unflatten(1, (2, 3))
        weights = torch.softmax(slots @ self.key(slots).transpose(1, 2), dim=-1)
        return torch.bmm(weights, slots).flatten(1)


class Layered(Gated):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)

    def change(self, h: Tensor) -> Tensor:
        return torch.nn.functional.gelu(self.norm(h))


class Exchanging(Cell):
    """Two states that are swapped, one of them never computed."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        a, b = state
        return a * self.input(x_t), (b, torch.sin(a) + x_t.sum(dim=1, keepdim=True))


class Forgetting(Cell):
    """A state that is the input of the previous step, and an output that only reads it."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(h) * h.exp(), self.input(x_t)


class Standing(Cell):
    """A state that never changes."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return self.input(x_t) * h, h


TAKEN = (
    Softmax, Cumulating, Sorting, Slicing, Interleaving, Blocks, Attending, Layered, Exchanging, Forgetting, Standing,
)  # fmt: skip


class Branching(Gated):
    def change(self, h: Tensor) -> Tensor:
        return h if h.sum() > 0 else -h


class InPlace(Gated):
    def change(self, h: Tensor) -> Tensor:
        return (doubled := 2 * h)[:, :1].mul_(0.5) + doubled


class Drawing(Gated):
    def change(self, h: Tensor) -> Tensor:
        return h + 0 * torch.rand_like(h)


class Averaging(Gated):
    def change(self, h: Tensor) -> Tensor:
        return h - h.mean(0)


class Ranking(Gated):
    def change(self, h: Tensor) -> Tensor:
        return torch.sort(h, dim=0).values


class Relating(Gated):
    def change(self, h: Tensor) -> Tensor:
        return torch.mm(torch.mm(h, h.t()), h)


class Sharing(Gated):
    def change(self, h: Tensor) -> Tensor:
        return h / len(h)


class Numbering(Gated):
    def change(self, h: Tensor) -> Tensor:
        return h + (len(h) + 1)


class Clocked(Gated):
    def change(self, h: Tensor) -> Tensor:
        return resource.getrusage(resource.RUSAGE_SELF).ru_utime % 1 * h


@pytest.fixture(autouse=True)
def in_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Plan for torch, and run sequences of any length in one thread."""
    monkeypatch.setenv("SEQPIPE_ENGINE", "torch")
    monkeypatch.setattr(engine_named("torch"), "min_steps", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(cls: type[Cell], dtype: torch.dtype = torch.float64) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cls(3, 6).to(dtype))


def states_of(recurrent: Recurrent, batch_size: int) -> tuple[Tensor, ...]:
    cell: Any = recurrent.cells[0]
    state = cell.initial_state(batch_size)
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("lengths", [None, [4, 1, 0, 3, 2]], ids=["whole", "ragged"])
@pytest.mark.parametrize("cls", TAKEN)
def test_operations_need_no_rule_of_their_own(
    everything: Everything, furthest: Furthest, monkeypatch: pytest.MonkeyPatch, cls: type[Cell], lengths: Any
) -> None:
    recurrent = make(cls)
    assert [choice.engine for choice in recurrent.explain()] == ["torch"]
    x = torch.randn(5, 4, 3, dtype=torch.float64, requires_grad=True)
    states = tuple(torch.randn(1, 5, 6, dtype=torch.float64, requires_grad=True) for _ in states_of(recurrent, 5))

    def run(x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        outputs, after = recurrent(x, lengths, states if len(states) > 1 else states[0])
        return outputs, *(after if isinstance(after, tuple) else (after,))

    found = everything(run, x, states, list(recurrent.parameters()))
    monkeypatch.setenv("SEQPIPE_ENGINE", "loop")
    assert furthest(everything(run, x, states, list(recurrent.parameters())), found) <= 1e-12


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (Branching, "its step needs the value of a tensor"),
        (InPlace, "it changes a part of a tensor in place"),
        (Drawing, r"its step draws random numbers \(aten.rand_like"),
        (Averaging, "aten.mean.dim mixes samples"),
        (Ranking, "aten.sort.default mixes samples"),
        (Relating, "aten.mm.default mixes samples"),
        (Sharing, "aten.div.Tensor mixes samples"),
        (Numbering, "aten.add.Tensor depends on the number of samples"),
        (Clocked, "aten.mul.Tensor takes a number that changes between calls"),
    ],
)
def test_a_step_that_does_not_treat_each_sample_alike_runs_in_the_plain_loop(cls: type[Cell], words: str) -> None:
    (choice,) = make(cls).explain()
    line = cls.change.__code__.co_firstlineno + 1  # type: ignore[attr-defined]
    assert choice.engine == "loop"
    assert re.search(words, choice.reason)
    assert choice.reason.endswith(f"test_torch_engine.py:{line}")


def test_without_a_compiler_it_is_chosen_and_shows_its_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "auto")
    monkeypatch.setenv("SEQPIPE_CC", "no-such-compiler")
    (choice,) = make(Gated).explain(code=True)
    assert choice.engine == "torch"
    assert "not c: " in choice.reason
    assert choice.code.count("def loop(") == 2
    lines = choice.code.splitlines()
    step = [line for line in lines if line.startswith(" " * 12)]
    assert sum("addmm(" in line for line in step) == 2  # the last is added in place, where the next step reads it
    assert (
        sum("addmm(" in line for line in lines) == 5
    )  # x's, and the sums of two weights, for a run of steps at a time


def test_without_a_compiler_torchs_own_kernel_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "auto")
    monkeypatch.setenv("SEQPIPE_CC", "no-such-compiler")
    assert [choice.engine for choice in Recurrent(GRUCell(7, 43)).explain()] == ["fused"]


class Measuring(Gated):
    """Behaves differently for batches smaller than those used for tracing."""

    def change(self, h: Tensor) -> Tensor:
        return h if len(h) > 6 else 0.5 * h


def test_a_plan_that_is_wrong_warns_and_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    recurrent, x = make(Measuring, torch.float32), torch.randn(2, 4, 3)
    with pytest.warns(RuntimeWarning, match="Measuring is not planned: its results differ from the plain loop's by"):
        found = recurrent(x)[0]
    assert torch.equal(recurrent(x)[0], found)  # without a second warning
    monkeypatch.setenv("SEQPIPE_ENGINE", "loop")
    assert torch.equal(found, recurrent(x)[0])


class Turning(Cell):
    """A complex state, turned by a constant and scaled by real numbers that depend on the input."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.W = nn.Linear(input_size, 2 * hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        zeros = super().initial_state(batch_size)
        return torch.complex(zeros, zeros)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        gate, value = self.W(x_t).chunk(2, dim=-1)
        h = (0.3 + 0.5j) * torch.sigmoid(gate) * h + value
        return h.real * gate + h.imag, h


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_complex_states_are_run_as_in_the_plain_loop(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    recurrent = make(Turning, dtype)
    assert [choice.engine for choice in recurrent.explain()] == ["torch"]
    x, lengths = torch.randn(5, 4, 3, dtype=dtype), torch.tensor([4, 1, 3, 3, 2])

    def gradients() -> list[Tensor]:
        outputs, _ = recurrent(x, lengths)
        return [outputs, *torch.autograd.grad(outputs.square().sum(), list(recurrent.parameters()))]

    found = gradients()
    monkeypatch.setenv("SEQPIPE_ENGINE", "loop")
    for one, other in zip(found, gradients()):
        torch.testing.assert_close(one, other)


def test_a_cell_in_half_precision_is_left_to_the_plain_loop() -> None:
    (choice,) = make(Gated, torch.bfloat16).explain()
    assert choice.engine == "loop"
    assert "it supports float32 and float64, not torch.bfloat16" in choice.reason


def test_what_x_alone_decides_is_taken_out_of_the_loop() -> None:
    (choice,) = make(Forgetting).explain(code=True)
    assert choice.engine == "torch"
    assert "addmm" not in choice.code


def test_short_sequences_and_wide_steps_are_left_to_the_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    program = EagerProgram(Gated(3, 64), torch.float32, input_grad=True, parameter_grads=(True,) * 3)
    shapes = [(1, 7, 3), (1, 8, 3), (768, 8, 3), (769, 8, 3)]
    assert [TorchEngine().worthwhile(program, torch.empty(shape)) for shape in shapes] == [False, True, True, False]


def test_memory_kept_for_the_way_back_is_freed_by_it() -> None:
    recurrent = make(Gated)
    outputs = recurrent(torch.randn(2, 4, 3, dtype=torch.float64))[0]
    outputs.sum().backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        outputs.sum().backward()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_packed_steps_come_back_to_their_places(data: st.DataObject) -> None:
    batch, steps = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5))
    drawn = data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch).filter(any))
    lengths = torch.tensor(drawn)
    packing = Packing(batch, steps, lengths, torch.device("cpu"))
    x = torch.arange(1.0, batch * steps + 1).view(batch, steps, 1)
    flat = packing.pack(x)
    inside = torch.arange(steps) < lengths[:, None]
    assert len(flat) == packing.n_rows == int(lengths.sum())
    assert torch.equal(packing.unpack(flat), x * inside[:, :, None])
    first = -torch.arange(1.0, batch + 1)[:, None]
    stack = packing.stack(first)
    packing.after(stack).copy_(flat)
    assert torch.equal(packing.first(stack), first)
    last = torch.where(lengths[:, None] > 0, x[torch.arange(batch), (lengths - 1).clamp(min=0)], first)
    assert torch.equal(packing.last(stack), last)
    before = torch.cat([first[:, None], x[:, :-1]], dim=1)
    assert torch.equal(packing.unpack(packing.before(stack)), before * inside[:, :, None])
    steps_before, steps_after = packing.steps_of(stack)
    assert torch.equal(torch.cat(steps_before), packing.before(stack))
    assert torch.equal(torch.cat(steps_after), flat)
