"""The choice by measurements: torch's kernel comes first only where it was faster than C."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seqpipe.cells import Cell, GRUCell, LSTMCell, MLPCell
from seqpipe.recurrence import Choice, Recurrent, allowed_threads
from seqpipe.recurrence._machine import machine_kind
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.engines import _measured
from seqpipe.recurrence.engines._sizes import Sizes

#: For batches of 8 and of 128, 20 and 500 steps, hidden sizes 64 and 256: C is slow for small batches of few steps.
SPEEDS = [[[0.5, 0.9], [1.5, 1.5]], [[1.2, 1.2], [3.0, 0.98]]]
TABLE: dict[str, Any] = {
    "made_for": machine_kind(), "batch": [8, 128], "n_timesteps": [20, 500], "hidden_size": [64, 256],
    "speed": {"lstm": {"training": {"2/2": {"c": SPEEDS}, "1/2": {"c": [[[2.0] * 2] * 2] * 2}}}},
}  # fmt: skip


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_measured, "_grid", lambda: TABLE)


def behind(cell: Cell, batch: int, n_timesteps: int, **kwargs: Any) -> set[str]:
    sizes = {"training": True, "threads": 2, "torch_threads": 2} | kwargs
    return _measured.slower_than_torch(cell, Sizes(batch, n_timesteps, **sizes))


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("batch", "n_timesteps", "hidden_size", "slower"),
    [
        (8, 20, 64, {"c"}),
        (1, 1, 1, {"c"}),
        (31, 90, 100, {"c"}),
        (33, 90, 100, set()),
        (31, 110, 100, set()),
        (128, 500, 256, set()),
        (4096, 10**6, 300, set()),
    ],
)
def test_the_point_with_the_nearest_ratio_decides(
    batch: int, n_timesteps: int, hidden_size: int, slower: set[str]
) -> None:
    assert behind(LSTMCell(1, hidden_size), batch, n_timesteps) == slower


@pytest.mark.usefixtures("table")
def test_what_was_not_measured_to_be_slower_is_not() -> None:
    assert behind(LSTMCell(3, 64), 8, 20) == {"c"}
    assert behind(LSTMCell(3, 64), 8, 20, training=False) == set()
    assert behind(LSTMCell(3, 64), 8, 20, torch_threads=1) == set()
    assert behind(LSTMCell(3, 64), 8, 20, torch_threads=1, threads=1) == set()
    assert behind(LSTMCell(3, 64), 8, 20, torch_threads=16, threads=16) == {"c"}
    assert behind(LSTMCell(3, 64).double(), 8, 20) == set()
    assert behind(LSTMCell(3, 64).to("meta"), 8, 20) == set()
    assert behind(GRUCell(3, 64), 8, 20) == set()
    assert behind(MLPCell(3, 64), 8, 20) == set()


@pytest.mark.parametrize("other", [{"processor": "Abacus"}, {"vector_bytes": 8}, {"cores": 0}], ids=str)
def test_on_another_machine_the_order_decides(other: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_measured, "_grid", lambda: TABLE | {"made_for": machine_kind() | other})
    assert behind(LSTMCell(3, 64), 8, 20) == set()


@pytest.mark.usefixtures("table")
def test_padding_counts_against_the_kernel_that_computes_it() -> None:
    assert behind(LSTMCell(3, 256), 8, 20, valid=1.0) == {"c"}
    assert behind(LSTMCell(3, 256), 8, 20, valid=0.9) == set()


def test_sizes_tell_steps_padding_gradients_and_threads() -> None:
    cell, x = LSTMCell(3, 64), torch.zeros(4, 10, 3)
    state = cell.initial_state(4)
    valid = ValidSteps.of(torch.tensor([8, 4, 4, 0]), 8, x.device)
    token = allowed_threads.set(3)
    try:
        seen = [Sizes.of(cell, x[:, :8], valid, state)]
        with torch.no_grad():
            seen.append(Sizes.of(cell, x, None, state))
    finally:
        allowed_threads.reset(token)
    torch_threads = torch.get_num_threads()
    assert seen == [Sizes(4, 8, True, 3, torch_threads, 0.5), Sizes(4, 10, False, 3, torch_threads, 1.0)]


@pytest.mark.usefixtures("compiled", "table")
def test_explain_speaks_of_the_sizes_asked_about_else_of_the_last_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqpipe.recurrence.engines._sizes.n_threads", lambda: 2)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    recurrent = Recurrent(LSTMCell(3, 64))
    c = Choice(0, "forward", "c", "the first of seqpipe's engines that accepts this cell")
    reason = "torch's kernel was measured to be faster than c near batch size 8, 20 steps, hidden size 64"
    fused = Choice(0, "forward", "fused", reason)
    assert recurrent.explain() == [c]
    assert recurrent.explain(sizes=(8, 20)) == [fused]
    assert recurrent.explain(sizes=(8, 20), training=False) == recurrent.explain(sizes=(128, 20)) == [c]
    with torch.no_grad():
        recurrent(torch.zeros(8, 20, 3))
    assert recurrent.explain() == [c]
    recurrent(torch.zeros(8, 20, 3))
    assert recurrent.explain() == [fused]


@pytest.mark.usefixtures("compiled", "table")
def test_an_engine_that_is_asked_for_is_not_measured_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "c")
    assert Recurrent(LSTMCell(3, 64)).explain(sizes=(8, 20))[0].engine == "c"


def test_the_file_that_is_shipped_is_whole() -> None:
    grid = _measured._grid()
    shape = [len(grid[axis]) for axis in ("batch", "n_timesteps", "hidden_size")]
    tables = [
        (engine, torch.tensor(speeds))
        for modes in grid["speed"].values()
        for numbers in modes.values()
        for engines in numbers.values()
        for engine, speeds in engines.items()
    ]
    assert tables
    for engine, speeds in tables:
        assert engine in ("c", "torch")
        assert list(speeds.shape) == shape
        assert (speeds > 0).all()
        assert speeds.min() < _measured._MARGIN
