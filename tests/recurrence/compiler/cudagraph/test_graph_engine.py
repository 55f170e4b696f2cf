"""Recorded runs, compared with the plain loop, with a recorder that replays by calling again."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seqpipe.cells import Cell
from seqpipe.recurrence import GraphEngine, LoopEngine, Recurrent, ValidSteps
from seqpipe.recurrence.engines import _choice
from seqpipe.testing import _invariants

NAMES = ["gru", "lstm", "mlp", "relu", "mgu", "reading", "pieces", "normalising", "exchanging", "calling"]
Make = Callable[..., Cell]
Distance = Callable[..., float]


@pytest.fixture
def engine(recorder: Any) -> GraphEngine:
    """An engine for a CPU."""
    return GraphEngine(recorder, "cpu")


@pytest.fixture
def chosen(engine: GraphEngine, monkeypatch: pytest.MonkeyPatch) -> GraphEngine:
    """Run every cell that it supports."""
    monkeypatch.setenv("SEQPIPE_ENGINE", "graph")
    monkeypatch.setattr(_choice, "engine_named", lambda name, **given: engine)
    return engine


def trained(engine: Any, cell: Cell, x: Tensor, lengths: Any = None) -> list[Tensor]:
    """Return outputs and gradients."""
    valid = None if lengths is None else ValidSteps.of(torch.tensor(lengths), x.shape[1], x.device)
    outputs, _ = engine.run(cell, x, valid, cell.initial_state(len(x)))
    return [outputs.detach(), *torch.autograd.grad((outputs * outputs).sum(), list(cell.parameters()))]


def assert_close(found: list[Tensor], expected: list[Tensor]) -> None:
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_replays_give_what_the_plain_loop_gives(
    engine: GraphEngine, recorder: Any, make: Make, distance: Distance, name: str, data: Any
) -> None:
    cell = make(name)
    batch, steps = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    ragged, input_grad = data.draw(st.booleans()), data.draw(st.booleans())
    for time in range(4):
        lengths = data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch)) if ragged else None
        before = recorder.replayed
        assert distance(engine, cell, batch, steps, lengths, input_grad=input_grad) <= 1e-12
        if time > 1:
            assert recorder.replayed == before + 2


def test_the_first_run_of_a_size_is_eager_the_second_recorded_and_further_ones_replayed(
    engine: GraphEngine, recorder: Any, make: Make
) -> None:
    cell = make("mgu")
    trained(engine, cell, torch.randn(3, 5, 3, dtype=torch.float64))  # with the trial of the plan
    counts = []
    for _ in range(3):
        recorder.made = recorder.replayed = 0
        trained(engine, cell, torch.randn(2, 7, 3, dtype=torch.float64))
        counts.append((recorder.made, recorder.replayed))
    assert counts == [(0, 0), (2, 2), (0, 2)]


def test_a_replay_reads_the_weights_as_they_are_now(engine: GraphEngine, make: Make) -> None:
    cell, x = make("mgu"), torch.randn(2, 4, 3, dtype=torch.float64)
    optimizer = torch.optim.SGD(cell.parameters(), 0.1)
    for _ in range(4):
        found = trained(engine, cell, x)
        assert_close(found, trained(LoopEngine(), cell, x))
        for parameter, grad in zip(cell.parameters(), found[1:]):
            parameter.grad = grad
        optimizer.step()


def test_a_run_whose_way_back_is_still_to_come_is_not_overwritten(engine: GraphEngine, make: Make) -> None:
    cell = make("gru")
    batches = [torch.randn(2, 4, 3, dtype=torch.float64) for _ in range(4)]
    for x in batches[:2]:
        trained(engine, cell, x)
    outputs = [engine.run(cell, x, None, cell.initial_state(2))[0] for x in batches]
    for x, output in zip(batches, outputs):
        found = torch.autograd.grad((output * output).sum(), list(cell.parameters()))
        assert_close([output, *found], trained(LoopEngine(), cell, x))


def test_going_back_twice_gives_the_same_even_after_another_run(engine: GraphEngine, make: Make) -> None:
    cell, x = make("lstm"), torch.randn(3, 4, 3, dtype=torch.float64)
    for _ in range(2):
        trained(engine, cell, x, [4, 0, 2])
    valid = ValidSteps.of(torch.tensor([4, 1, 3]), 4, x.device)
    loss = engine.run(cell, valid.clear(x), valid, cell.initial_state(3))[0].square().sum()
    first = torch.autograd.grad(loss, list(cell.parameters()), retain_graph=True)
    again = torch.autograd.grad(loss, list(cell.parameters()), retain_graph=True)
    trained(engine, cell, torch.randn_like(x), [4, 4, 4])
    last = torch.autograd.grad(loss, list(cell.parameters()))
    assert_close(list(again), list(first))
    assert_close(list(last), list(first))


@pytest.mark.parametrize("ragged", [True, False])
def test_what_is_recorded_in_inference_mode_serves_outside_too(engine: GraphEngine, make: Make, ragged: bool) -> None:
    cell, x = make("lstm"), torch.randn(2, 4, 3, dtype=torch.float64)
    valid = ValidSteps.of(torch.tensor([4, 2]), 4, x.device) if ragged else None
    x = valid.clear(x) if valid else x
    with torch.no_grad():
        expected, _ = LoopEngine().run(cell, x, valid, cell.initial_state(2))
    for mode in (torch.inference_mode, torch.inference_mode, torch.no_grad, torch.inference_mode):
        with mode():
            assert_close([engine.run(cell, x, valid, cell.initial_state(2))[0]], [expected])


def test_results_are_the_callers_own(engine: GraphEngine, make: Make) -> None:
    cell, x = make("mgu"), torch.randn(2, 4, 3, dtype=torch.float64)
    with torch.no_grad():
        runs = [engine.run(cell, i * x, None, cell.initial_state(2)) for i in range(1, 5)]
        again = [LoopEngine().run(cell, i * x, None, cell.initial_state(2)) for i in range(1, 5)]
    for (outputs, state), (expected, after) in zip(runs, again):
        assert_close([outputs, state], [expected, after])


def test_weights_changed_before_the_way_back_are_noticed(engine: GraphEngine, make: Make) -> None:
    cell, x = make("mgu"), torch.randn(2, 4, 3, dtype=torch.float64)
    for _ in range(2):
        trained(engine, cell, x)
    outputs, _ = engine.run(cell, x, None, cell.initial_state(2))
    with torch.no_grad():
        next(cell.parameters()).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()


def test_a_second_derivative_is_refused(engine: GraphEngine, make: Make) -> None:
    cell, x = make("mgu"), torch.randn(2, 4, 3, dtype=torch.float64)
    for _ in range(2):
        trained(engine, cell, x)
    outputs, _ = engine.run(cell, x, None, cell.initial_state(2))
    with pytest.raises(RuntimeError, match="cannot be differentiated twice"):
        torch.autograd.grad(outputs.sum(), list(cell.parameters()), create_graph=True)


def test_the_recording_that_was_not_used_for_longest_goes(recorder: Any, make: Make) -> None:
    engine, cell = GraphEngine(recorder, "cpu", max_recordings=2), make("mgu")

    def recorded(steps: int) -> bool:
        recorder.made = 0
        trained(engine, cell, torch.randn(2, steps, 3, dtype=torch.float64))
        return bool(recorder.made)

    recorded(4)  # with the trial of the plan
    assert [recorded(steps) for steps in (5, 6, 7)] == [False] * 3
    assert [recorded(steps) for steps in (5, 6, 5, 7)] == [True, True, False, True]
    assert [recorded(steps) for steps in (5, 6)] == [False, True]


def test_recordings_are_freed_with_the_cell(engine: GraphEngine, make: Make) -> None:
    cell, x = make("mgu"), torch.randn(2, 4, 3, dtype=torch.float64)
    for _ in range(3):
        trained(engine, cell, x)
    programs: list[Any] = [plan.program for plan in engine._plans._items.values() if not isinstance(plan, str)]
    program = next(program for program in programs if len(program._recordings))
    kept = [weakref.ref(c) for recordings in program._recordings.values() for c in recordings.kept.values()]
    assert kept
    del cell
    for _ in range(2):  # the first call frees the plans, whose recordings are reference cycles
        gc.collect()
    assert [captured() for captured in kept] == [None] * len(kept)


def test_planning_leaves_the_modes_of_a_cells_modules_alone(engine: GraphEngine) -> None:
    class Noisy(Cell):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, hidden_size)
            self.inner = nn.Sequential(nn.Linear(input_size, hidden_size), nn.Dropout(0.5))

        def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            h = torch.tanh(self.inner(x_t) + h)
            return h, h

    cell = Noisy(3, 5)
    cell.inner.eval()
    assert engine.refuses(cell) is None
    assert cell.training
    assert not cell.inner[1].training


def test_where_memory_is_short_nothing_is_recorded(make: Make) -> None:
    tried = []

    def fail(*_: Any) -> Any:
        tried.append(1)
        raise torch.OutOfMemoryError("full")

    engine, cell = GraphEngine(fail, "cpu"), make("mgu")
    for _ in range(3):
        x = torch.randn(2, 4, 3, dtype=torch.float64)
        assert_close(trained(engine, cell, x, [4, 2]), trained(LoopEngine(), cell, x, [4, 2]))
    assert len(tried) == 2  # on the copy that was tried, and on the cell


def test_a_recording_that_is_wrong_is_not_used(recorder: Any, make: Make) -> None:
    class Stale(recorder):  # type: ignore[misc]
        def replay(self) -> None:
            for result in self.results:
                if result is not None:
                    result.zero_()

    engine, cell = GraphEngine(Stale, "cpu"), make("mgu")
    with pytest.warns(RuntimeWarning, match="MGU is not planned: its results differ from the plain loop's"):
        trained(engine, cell, torch.randn(2, 4, 3, dtype=torch.float64))
    assert "its results differ" in str(engine.refuses(cell))


def test_padding_changes_nothing_and_a_row_does_not_see_its_batch(chosen: GraphEngine, make: Make) -> None:
    recurrent, x = Recurrent(make("relu"), bidirectional=True), torch.randn(4, 5, 3, dtype=torch.float64)
    assert {choice.engine for choice in recurrent.explain()} == {"graph"}
    lengths = torch.tensor([5, 1, 0, 3])
    for _ in range(3):
        _invariants.check_padding(recurrent, x, lengths, extra=2)
        _invariants.check_nan_in_padding(recurrent, x, lengths)
        _invariants.check_permutation(recurrent, x, lengths, torch.tensor([2, 0, 3, 1]))
        _invariants.check_alone_equals_batched(recurrent, x, lengths.clamp(min=1))


def test_off_a_gpu_it_refuses(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "graph")
    [choice] = Recurrent(make("mgu")).explain()
    assert choice.engine == "loop"
    assert "not graph: a CUDA graph needs a GPU, and the cell is on cpu" in choice.reason
    assert GraphEngine().refuses(nn.Module.to(make("mgu"), torch.bfloat16)) is not None
