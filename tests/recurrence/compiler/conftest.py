"""Functions that compare two runs; cells of many shapes; stand-ins for a GPU."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqpipe.cells import Cell, GRUCell, LSTMCell, MLPCell, RNNCell
from seqpipe.recurrence import LoopEngine, ValidSteps
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence.compiler.triton._loading import has_triton
from seqpipe.recurrence.engines._engine import Engine

Run = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]


def _everything(run: Run, x: Tensor, states: tuple[Tensor, ...], weights: Sequence[Tensor]) -> list[Tensor]:
    """Return outputs, final states, and the gradients of a random sum over all of them."""
    inputs = [t for t in (x, *states, *weights) if t.requires_grad]
    results = run(x, states)
    generator = torch.Generator().manual_seed(1)
    loss = x.new_zeros(())
    for result in results:
        factors = torch.randn(result.shape, generator=generator, dtype=result.dtype)
        loss = loss + (result * factors.to(result.device)).sum()
    grads: Any = torch.autograd.grad(loss, inputs, allow_unused=True) if loss.requires_grad else [None] * len(inputs)
    return [r.detach() for r in results] + [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, grads)]


def _furthest(expected: Sequence[Tensor], found: Sequence[Tensor]) -> float:
    """Return the largest relative error of a tensor, as a whole; NaN if it contains one."""
    assert [t.shape for t in expected] == [t.shape for t in found]
    errors = [0.0]
    for a, b in zip(expected, found):
        size, error = float(a.norm()), float((a - b).norm())
        errors.append(error / size if size else error)
    return max(errors, key=lambda e: float("inf") if e != e else e)


@pytest.fixture(scope="session")
def everything() -> Callable[..., list[Tensor]]:
    """The results of a run: see `_everything`."""
    return _everything


@pytest.fixture(scope="session")
def furthest() -> Callable[..., float]:
    """The largest difference of two such lists: see `_furthest`."""
    return _furthest


class MGU(Cell):
    """A gate that the candidate depends on."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.forget = nn.Linear(input_size + hidden_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recur = nn.Linear(hidden_size, hidden_size, bias=False)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        f = torch.sigmoid(self.forget(torch.cat([x_t, h], dim=-1)))
        h = (1 - f) * h + f * torch.tanh(self.input(x_t) + self.recur(f * h))
        return h, h


class Reading(MGU):
    """An output that no later step depends on, narrower than the state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.read = nn.Linear(hidden_size, 2)

    @property
    def output_size(self) -> int:
        return 2

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        _, h = super().step(x_t, h)
        return torch.sigmoid(self.read(h * h)) + 1, h


class Pieces(Cell):
    """A state whose parts are computed separately, swapped, and read separately; the output combines several."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2)
        self.recur = nn.Linear(hidden_size - 2, hidden_size - 2, bias=False)

    @property
    def output_size(self) -> int:
        return self.hidden_size + 1

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        first, second = h[:, :2], h[:, 2:]
        new = torch.cat([torch.tanh(self.recur(second)), torch.sin(self.input(x_t)) * first], dim=1)
        return torch.cat([new, x_t.sum(dim=1, keepdim=True)], dim=1), new


class Normalising(MGU):
    """Sums over columns, and a scale with a gain."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gain = nn.Parameter(torch.rand(hidden_size) + 0.5)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = self.input(x_t) + self.recur(h)
        h = h - h.mean(dim=-1, keepdim=True)
        h = self.gain * h * torch.rsqrt((h * h).mean(dim=-1, keepdim=True) + 0.1)
        return h, h


class Exchanging(Cell):
    """Two states that are swapped, one with a single column, one never computed."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.narrow, self.wide = nn.Linear(input_size + 1, 1), nn.Linear(1, hidden_size)
        self.mix = nn.Linear(hidden_size, 1)

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        h = super().initial_state(batch_size)
        return h, h.clone(), h[:, :1].clone()

    def step(self, x_t: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        a, b, c = state
        c = torch.tanh(self.narrow(torch.cat([x_t, c], dim=1)) + self.mix(a))
        return a - 2 * b, (b, torch.where(a > 0.1, self.wide(c), a * c), c)


class Calling(Cell):
    """Every function that kernels support."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.scale = nn.Parameter(torch.rand(()))

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        a = self.input(x_t) + 0.5 * h
        b = torch.expm1(torch.tanh(a)) + torch.log1p(a.abs()) + torch.erf(a) * torch.cos(a) + (1 + a * a) ** 0.3
        b = torch.maximum(b, a) / torch.sqrt(1 + torch.exp(torch.sin(a))) + torch.relu(a) - torch.log(1 + a * a)
        h = torch.tanh(b.clamp(-3, 3)) * self.scale + a.sign() * (a >= 0.2)
        return h, h


CELLS: dict[str, Callable[[int, int], Cell]] = {
    "gru": GRUCell, "lstm": LSTMCell, "mlp": MLPCell, "relu": lambda n, m: RNNCell(n, m, "relu"), "mgu": MGU, "reading": Reading,
    "pieces": Pieces, "normalising": Normalising, "exchanging": Exchanging, "calling": Calling,
}  # fmt: skip


@pytest.fixture(scope="session")
def make() -> Callable[..., Cell]:
    """Return the cell of a name, with the same weights each time."""

    def made(name: str, input_size: int = 3, hidden_size: int = 5, dtype: torch.dtype = torch.float64) -> Cell:
        torch.manual_seed(0)
        return CELLS[name](input_size, hidden_size).to(dtype)

    return made


@pytest.fixture(scope="module")
def interpreter() -> Iterator[None]:
    """Run kernels in Triton's interpreter, without numpy's warnings about columns beyond the last one."""
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setenv("TRITON_INTERPRET", os.environ.get("TRITON_INTERPRET", "1"))
        yield


@pytest.fixture(scope="session")
def needs_triton() -> None:
    """Skip where Triton is not installed."""
    if not has_triton():
        pytest.skip("Triton is not installed")


@pytest.fixture(scope="session")
def distance(everything: Any, furthest: Any) -> Callable[..., float]:
    """The largest deviation of an engine from the plain loop on a random batch, including gradients."""

    def measured(
        engine: Engine, cell: Cell, batch: int, steps: int, lengths: Any = None, *, input_grad: bool = True
    ) -> float:
        like = state_tensors(cell.initial_state(1))[0]
        valid = None if lengths is None else ValidSteps.of(torch.tensor(lengths), steps, like.device)
        x = torch.randn(batch, steps, cell.input_size, dtype=like.dtype, device=like.device)
        x = (x if valid is None else valid.clear(x)).requires_grad_(input_grad)
        initial = cell.initial_state(batch)
        states = tuple(torch.randn_like(s).mul(0.5).requires_grad_() for s in state_tensors(initial))

        def run_with(engine: Engine) -> list[Tensor]:
            def run(x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                state = states if isinstance(initial, tuple) else states[0]
                outputs, after = engine.run(cell, x, valid, state)
                return outputs, *state_tensors(after)

            found: list[Tensor] = everything(run, x, states, [p for p in cell.parameters() if p.requires_grad])
            return found

        error: float = furthest(run_with(LoopEngine()), run_with(engine))
        return error

    return measured


class CalledAgain:
    """Replays by calling again; like a CUDA graph it computes nothing while recording."""

    made = replayed = 0

    def __init__(self, function: Callable[[], list[Tensor | None]], device: torch.device, pool: Any) -> None:
        type(self).made += 1
        self.function, self.pool = function, pool or object()
        self.results = function()
        for result in self.results:
            if result is not None:
                result.fill_(math.nan)

    def replay(self) -> None:
        type(self).replayed += 1
        for old, new in zip(self.results, self.function()):
            if old is not None and new is not None:
                old.copy_(new)


@pytest.fixture
def recorder() -> type[CalledAgain]:
    """A recorder that counts, from 0."""
    CalledAgain.made = CalledAgain.replayed = 0
    return CalledAgain
