"""The cell that is checked, and the runs that checks compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence import Recurrent, state_tensors
from seqpipe.testing._report import Failure, told

__all__ = ["CellSubject", "Run", "differ", "furthest"]

#: Relative tolerance of sums of the same numbers in another order.
_TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


@dataclass
class Run:
    """Outputs (batch, n_timesteps, output_size) and the tensors of the final state, each (layers, batch, …)."""

    outputs: Tensor
    state: State

    @property
    def tensors(self) -> list[Tensor]:
        """The outputs, and the tensors of the state."""
        return [self.outputs, *state_tensors(self.state)]

    def rows(self, rows: Any) -> Run:
        """Return some rows."""
        parts = [t[:, rows] for t in state_tensors(self.state)]
        return Run(self.outputs[rows], tuple(parts) if isinstance(self.state, tuple) else parts[0])


@dataclass(frozen=True)
class CellSubject:
    """A cell to be checked.

    Attributes
    ----------
    factory : callable (input_size, hidden_size, …) -> Cell
    params : dict
        Further arguments of the factory.
    input_size, hidden_size : int
    """

    factory: Callable[..., Cell]
    params: Mapping[str, Any] = field(default_factory=dict)
    input_size: int = 3
    hidden_size: int = 5

    @property
    def name(self) -> str:
        """Name of the cell in reports."""
        name = getattr(self.factory, "__name__", repr(self.factory))
        return f"{name}({', '.join(f'{k}={v!r}' for k, v in self.params.items())})" if self.params else name

    @property
    def estimator_params(self) -> dict[str, Any]:
        """Parameters by which an estimator uses the cell."""
        return {"cell": self.factory, "cell_params": dict(self.params) or None, "hidden_size": self.hidden_size}

    def cell(self, dtype: torch.dtype = torch.float64, **sizes: int) -> Cell:
        """Return a new cell, always with the same initial weights, in evaluation mode."""
        given = {"input_size": self.input_size, "hidden_size": self.hidden_size} | sizes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            try:
                made = self.factory(given["input_size"], given["hidden_size"], **self.params)
            except Exception as error:
                raise Failure(
                    f"It cannot be created with input_size={given['input_size']}, hidden_size={given['hidden_size']}: "
                    f"{told(error)}. For a cell that takes only some sizes pass sizes=(input_size, hidden_size) and cell_params=."
                ) from error
        if not isinstance(made, Cell):
            raise Failure(
                f"The factory returns a {type(made).__name__}: return an instance of a subclass of seqpipe.Cell."
            )
        return made.to(dtype).eval()

    def layers(self, dtype: torch.dtype = torch.float64, *, training: bool = False, **settings: Any) -> Recurrent:
        """Return new recurrent layers, run in the plain loop unless another engine is given."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Recurrent(self.cell(dtype), **{"engine": "loop", **settings}).train(training)

    def inputs(self, batch_size: int, n_timesteps: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return x (batch_size, n_timesteps, input_size), always the same numbers."""
        random = torch.Generator().manual_seed(1)
        return torch.randn(batch_size, n_timesteps, self.input_size, dtype=torch.float64, generator=random).to(dtype)

    def run(self, layers: Recurrent, x: Tensor, lengths: Any = None, state: State | None = None, seed: int = 0) -> Run:
        """Run layers over x without gradients, with seeded random numbers."""
        with torch.no_grad(), seeded(seed):
            return Run(*layers(x, lengths, state))

    @cached_property
    def draws_in_training(self) -> bool:
        """Whether results depend on random numbers in training."""
        layers, x = self.layers(training=True), self.inputs(4, 5)
        return differ(self.run(layers, x, seed=0), self.run(layers, x, seed=1)) > 0


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's random numbers in the context."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def differ(one: Run, other: Run) -> float:
    """Return the largest difference of two runs, relative to the largest value, as a multiple of the tolerance."""
    return max(furthest(a, b) for a, b in zip(one.tensors, other.tensors, strict=True))


def furthest(one: Tensor, other: Tensor) -> float:
    """Return the largest difference of two tensors as a multiple of the tolerance; infinite if shapes or NaN differ."""
    if one.shape != other.shape or bool((one.isnan() != other.isnan()).any()):
        return float("inf")
    if not one.numel():
        return 0.0
    a, b = one.detach().nan_to_num(), other.detach().nan_to_num()
    if not (a.is_floating_point() or a.is_complex()):
        return float((a != b).any()) * 1e9
    scale = max(1.0, float(b.abs().max()))
    precision = torch.float64 if a.dtype in (torch.float64, torch.complex128) else torch.float32
    return float((a - b).abs().max()) / scale / _TOLERANCE[precision]
