"""Both GPU engines on a GPU; skipped without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from seqpipe.cells import Cell, LSTMCell
from seqpipe.recurrence import GraphEngine, Recurrent, TritonEngine
from seqpipe.recurrence.compiler.triton._loading import has_triton
from seqpipe.recurrence.engines._engine import Engine

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")

NAMES = ["gru", "lstm", "mlp", "relu", "mgu", "reading", "pieces", "normalising", "exchanging", "calling"]
LIMITS = {torch.float64: 1e-12, torch.float32: 2e-5}
ENGINES: dict[str, Callable[[], Engine]] = {"graph": GraphEngine, "triton": TritonEngine}


@pytest.fixture(autouse=True)
def not_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile kernels instead of interpreting them."""
    monkeypatch.setenv("TRITON_INTERPRET", "0")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine, one instance for all tests."""
    if request.param == "triton" and not has_triton():
        pytest.skip("Triton is not installed")
    return ENGINES[request.param]()


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_results_and_gradients_are_the_plain_loops(
    engine: Engine, make: Callable[..., Cell], distance: Callable[..., float], name: str, dtype: torch.dtype
) -> None:
    cell = make(name, dtype=dtype).cuda()
    assert engine.refuses(cell) is None
    for lengths in ([5, 0, 3, 1, 5, 2, 4], None, [0, 5, 5, 5, 1, 1, 2], None, None):
        assert distance(engine, cell, 7, 5, lengths) <= LIMITS[dtype]


@pytest.mark.parametrize("name", ["gru", "normalising", "mgu"])
def test_wide_cells_in_large_batches_are_right(
    engine: Engine, make: Callable[..., Cell], distance: Callable[..., float], name: str
) -> None:
    cell = make(name, 70, 130, torch.float32).cuda()
    lengths = torch.randint(0, 12, (300,)).tolist()
    for _ in range(3):
        assert distance(engine, cell, 300, 12, lengths) <= 1e-4


def test_results_repeat_bit_for_bit(engine: Engine, make: Callable[..., Cell]) -> None:
    cell, x = make("mgu", dtype=torch.float32).cuda(), torch.randn(40, 9, 3, device="cuda")
    runs = [engine.run(cell, x, None, cell.initial_state(40))[0] for _ in range(4)]
    assert all(torch.equal(runs[0], run) for run in runs[1:])


def test_cudnn_comes_first_then_triton_then_the_graph(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "auto")
    engines = [
        Recurrent(cell.cuda()).explain()[0].engine for cell in (LSTMCell(3, 5), make("mgu"), make("mgu", 3, 300))
    ]
    assert engines == ["fused", "triton" if has_triton() else "graph", "graph"]


def test_training_with_the_engine_learns_what_the_loop_learns(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    def losses(name: str) -> list[float]:
        monkeypatch.setenv("SEQPIPE_ENGINE", name)
        recurrent = Recurrent(make("mgu", dtype=torch.float32), num_layers=2, bidirectional=True).cuda()
        torch.manual_seed(1)
        x, head = torch.randn(16, 12, 3, device="cuda"), nn.Linear(10, 1).cuda()
        optimizer = torch.optim.Adam([*recurrent.parameters(), *head.parameters()], 0.01)
        found = []
        for _ in range(20):
            loss = (head(recurrent(x, torch.randint(1, 13, (16,)))[0]) - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    expected = losses("loop")
    for name in ENGINES:
        assert losses(name) == pytest.approx(expected, rel=1e-3)
