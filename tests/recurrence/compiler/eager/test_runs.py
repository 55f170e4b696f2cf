"""Plans run by torch: operations on a run of steps at a time, their memory and threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqpipe.cells import Cell
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.compiler.eager._columns import RunSize
from seqpipe.recurrence.compiler.eager._eager_program import EagerProgram, run_eagerly
from seqpipe.recurrence.compiler.eager._packing import Packing
from seqpipe.recurrence.compiler.eager._workload import Workload
from seqpipe.recurrence.engines import POLICY, LoopEngine


class Gates(Cell):
    """An LSTM whose forget gate sees the cell state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recur = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.p = nn.Parameter(torch.randn(hidden_size))

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = state
        i, f, g, o = (self.input(x_t) + self.recur(h)).chunk(4, dim=1)
        c = torch.sigmoid(f + self.p * c) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class Scaled(Cell):
    """Scalars and parameters between one state and the next, and one sum used twice."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.p = nn.Parameter(1 + torch.rand(hidden_size))

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        a = -(self.input(x_t) + h / 4) / self.p
        h = 0.5 * a - torch.relu(a * self.p) * 3 + nn.functional.leaky_relu(a, 0.1)
        return h, torch.tanh(h)


class Joined(Cell):
    """A concatenation stored as the state, with a piece that the backward pass needs."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.few = nn.Linear(hidden_size, hidden_size - input_size)
        self.all = nn.Linear(hidden_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        joined = torch.cat([x_t, self.few(h)], dim=1)
        h = torch.tanh(joined - 0.5 * self.all(joined))
        return h, h


def make(cell: type[Cell]) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell(3, 6)).double()


def program_of(cell: Cell, **settings: Any) -> EagerProgram:
    wanted = (True,) * len(list(cell.parameters()))
    return EagerProgram(cell, torch.float64, input_grad=True, parameter_grads=wanted, **settings)


def in_step(source: str) -> list[str]:
    """Return the lines that every step runs."""
    lines = source.splitlines()
    return [line.strip() for line in lines if line.startswith(" " * (12 if "islice" in source else 8))]


def outputs_and_gradients(recurrent: Recurrent, x: Tensor, run: Callable[[Tensor], tuple[Tensor, Any]]) -> list[Tensor]:
    x = x.clone().requires_grad_()
    outputs, _ = run(x)
    wanted = [x, *recurrent.parameters()]
    return [outputs.detach(), *torch.autograd.grad(outputs.square().sum(), wanted)]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("lengths", [None, [17, 3, 0, 9, 17, 12]], ids=["whole", "ragged"])
@pytest.mark.parametrize("cell", [Gates, Scaled, Joined])
def test_runs_of_some_steps_give_what_the_plain_loop_gives(
    cell: type[Cell], lengths: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recurrent, x = make(cell), torch.randn(6, 17, 3, dtype=torch.float64)
    given = None if lengths is None else torch.tensor(lengths)
    monkeypatch.setenv("SEQPIPE_ENGINE", "loop")
    expected = outputs_and_gradients(recurrent, x, lambda x: recurrent(x, given))
    layer, weights = recurrent.cells[0], tuple(recurrent.parameters())
    state = layer.initial_state(6)
    states = state if isinstance(state, tuple) else (state,)
    for rows in (1, 20, 1000):
        program = program_of(layer, run_size=RunSize(elements=1, min_rows=rows))
        found = outputs_and_gradients(
            recurrent, x, partial(run_eagerly, program, lengths=given, states=states, tensors=weights)
        )
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_a_run_has_whole_steps_and_no_more_rows_than_it_may() -> None:
    packing = Packing(4, 5, torch.tensor([5, 1, 2, 5]), torch.device("cpu"))
    assert packing.runs(6) == [[4], [3, 2], [2, 2]]
    assert packing.runs(1) == [[4], [3], [2], [2], [2]]
    assert packing.runs(100) == [[4, 3, 2, 2, 2]]


def test_the_way_back_through_gates_is_a_product_each_with_factors_known_before() -> None:
    lines = in_step(program_of(Gates(3, 6)).backward_loop.source)
    assert sum(line.startswith("addmm(") for line in lines) == 1
    assert len(lines) == 7  # the gradients of c, of four gates, of h and of c before
    assert not any("backward" in line for line in lines)


def test_gates_are_computed_where_the_products_of_the_input_stood() -> None:
    source = program_of(Gates(3, 6)).training_loop.source
    assert "sigmoid_(" in source
    assert "addmm(v0, v1, p3, out=v0)" in source


def test_a_bias_is_laid_out_for_a_run_of_steps() -> None:
    class Deep(Cell):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, hidden_size)
            self.first = nn.Linear(hidden_size, hidden_size)

        def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            h = torch.tanh(self.first(h)) + x_t
            return h, h

    source = program_of(Deep(6, 6)).inference_loop.source
    assert ".copy_(p1)" in source
    assert not any(".copy_(" in line for line in in_step(source))


@pytest.mark.usefixtures("two_threads")
def test_little_work_holds_torch_to_one_thread_and_gives_it_back() -> None:
    program = program_of(Gates(3, 6))
    workload = Workload([], [], [*program.phases.forward, *program.phases.back])
    few, many = (Packing(n, 8, None, torch.device("cpu")) for n in (5, 1_000_000))
    with workload.threads_in_loop(few, torch.device("cpu")):
        assert torch.get_num_threads() == 1
    with workload.threads_in_loop(many, torch.device("cpu")):
        assert torch.get_num_threads() == 2
    with workload.threads_in_loop(few, torch.device("cuda")):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_products_outside_the_loop_count_for_all_their_rows() -> None:
    program = program_of(Gates(3, 6))
    products = [v for v in program.phases.before if v.name == "addmm"]
    workload = Workload(products, [], [])
    assert workload.outside == 3 * 24
    for n, expected in ((5, 1), (1_000_000, 2)):
        with workload.threads(Packing(n, 8, None, torch.device("cpu")), torch.device("cpu")):
            assert torch.get_num_threads() == expected


@pytest.mark.usefixtures("two_threads")
def test_large_products_of_a_run_have_all_threads_and_leave_them_to_whoever_comes_next() -> None:
    cell = make(Gates)._cell(0)
    x, weights = torch.randn(2, 9, 3, dtype=torch.float64, requires_grad=True), tuple(cell.parameters())
    program = program_of(cell, policy=replace(POLICY, row_of_run=50))
    state = cell.initial_state(2)
    expected, _ = LoopEngine().run(cell, x, None, state)
    found, _ = run_eagerly(program, x, None, state, weights)
    source = program.source
    assert source.count("threads(many)") == source.count("threads(few)") == 4
    assert not any("threads" in line for line in in_step(source))
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)
    grads = [torch.autograd.grad(outputs.square().sum(), [x, *weights]) for outputs in (found, expected)]
    torch.testing.assert_close(*grads, rtol=1e-11, atol=1e-12)
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_torch_has_its_threads_back_after_a_run_that_failed() -> None:
    packing, cpu = Packing(2, 8, None, torch.device("cpu")), torch.device("cpu")
    with pytest.raises(RuntimeError, match="no memory"), Workload([], [], []).threads(packing, cpu):
        raise RuntimeError("no memory")
    assert torch.get_num_threads() == 2
