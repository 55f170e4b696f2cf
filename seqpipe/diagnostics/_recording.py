"""What recurrent layers go through while a fitted network runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.cells import State
from seqpipe.diagnostics._fitted import Subject
from seqpipe.recurrence import RecordedRun, Recurrent, recorded_states

__all__ = ["Layer", "LayerRun", "recorded"]

T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    """One direction of one recurrent layer; ``str`` names it.

    Attributes
    ----------
    network : str
        Where it stands, such as "encoder"; empty where there is nothing to tell apart.
    number : int
        From 0, next to the input.
    direction : {"", "forward", "backward"}
        Along time; empty where there is but one.
    """

    network: str
    number: int
    direction: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.network, f"layer {self.number}", self.direction) if part)


@dataclass(frozen=True)
class LayerRun:
    """One layer along one batch.

    Attributes
    ----------
    layer : Layer
        Which one.
    lengths : array of int64, shape (batch,)
        Valid steps of each row.
    states : list of State
        In the order in which they were reached: first the one before any step.
    """

    layer: Layer
    lengths: NDArray[np.int64]
    states: list[State]

    def in_time(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values (batch, n_timesteps, …), one a step as the layer takes them, in time; NaN after the ends."""
        t = np.broadcast_to(np.arange(values.shape[1]), values.shape[:2])
        lengths = self.lengths[:, None]
        order = np.where(t < lengths, lengths - 1 - t, t) if self.layer.direction == "backward" else t
        extra = (...,) + (None,) * (values.ndim - 2)
        return np.where((t < lengths)[extra], np.take_along_axis(values, order[extra], axis=1), np.nan)


def recorded(subject: Subject, run: Callable[[], T]) -> tuple[list[LayerRun], T]:
    """Run the network, and return what its layers went through, with what it gave.

    A layer that a network runs more than once from the start is shown at its first run, one that it does not run not
    at all.
    """
    with subject.evaluated(), ExitStack() as stack:
        recordings = {
            name: (layers, stack.enter_context(recorded_states(layers)))
            for name, layers in subject.recurrents().items()
        }
        given = run()
    found = [_layer_runs(name, layers, runs[0]) for name, (layers, runs) in recordings.items() if runs]
    return [each for layers in found for each in layers], given


def _layer_runs(name: str, layers: Recurrent, run: RecordedRun) -> list[LayerRun]:
    directions = ("forward", "backward") if layers.bidirectional else ("",)
    lengths = run.lengths.cpu().numpy()
    return [
        LayerRun(Layer(name, k // len(directions), directions[k % len(directions)]), lengths, states)
        for k, states in enumerate(run.states)
    ]
