"""Record the states of recurrent layers while a fitted network runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from seqpipe.cells import State
from seqpipe.diagnostics._fitted import FittedNet
from seqpipe.networks import Patching
from seqpipe.recurrence import RecordedRun, Recurrent, recorded_states

__all__ = ["Layer", "LayerRun", "recorded"]

T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    """One direction of one recurrent layer; ``str(layer)`` is its name.

    Attributes
    ----------
    network : str
        Its part of the network, such as "encoder"; empty if there is only one.
    number : int
        Index of the layer; 0 is next to the input.
    direction : {"", "forward", "backward"}
        Direction in time; empty if there is only one.
    """

    network: str
    number: int
    direction: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.network, f"layer {self.number}", self.direction) if part)


@dataclass(frozen=True)
class LayerRun:
    """States of one layer for one batch.

    Attributes
    ----------
    layer : Layer
        The layer.
    lengths : array of int64, shape (batch,)
        Number of valid steps per row.
    states : list of State
        States in the order of computation, beginning with the initial state.
    patches : array of int64, shape (batch, n_timesteps), or None
        Index of the patch after which a time step is known, -1 after the ends, if the steps of the layer are patches.
    """

    layer: Layer
    lengths: NDArray[np.int64]
    states: list[State]
    patches: NDArray[np.int64] | None = None

    def in_time(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values (batch, n_timesteps, …) in the order of time, which come in the order of computation; NaN after the ends.

        Steps that become known with the same patch have the same value.
        """
        t = np.broadcast_to(np.arange(values.shape[1]), values.shape[:2])
        lengths = self.lengths[:, None]
        order = np.where(t < lengths, lengths - 1 - t, t) if self.layer.direction == "backward" else t
        extra = (...,) + (None,) * (values.ndim - 2)
        steps = np.where((t < lengths)[extra], np.take_along_axis(values, order[extra], axis=1), np.nan)
        if self.patches is None:
            return steps
        patches = self.patches[extra]
        return np.where(patches >= 0, np.take_along_axis(steps, patches.clip(min=0), axis=1), np.nan)


def recorded(fitted: FittedNet, inputs: dict[str, Any], run: Callable[[], T]) -> tuple[list[LayerRun], T]:
    """Run the network on a batch, and return the states of its layers and its result.

    Of a layer that runs several times from the start the first run is returned; a layer that does not run is left out.
    """
    patching: Patching | None = getattr(fitted.net.module_, "patching", None)
    with fitted.eval_mode(), ExitStack() as stack:
        recordings = {
            name: (layers, stack.enter_context(recorded_states(layers))) for name, layers in fitted.recurrents().items()
        }
        result = run()
    found = [_layer_runs(name, layers, runs[0]) for name, (layers, runs) in recordings.items() if runs]
    of_layers = [each for layers in found for each in layers]
    if patching is not None:
        of_layers = [replace(each, patches=_patches(patching, inputs, each.layer)) for each in of_layers]
    return of_layers, result


def _layer_runs(name: str, layers: Recurrent, run: RecordedRun) -> list[LayerRun]:
    directions = ("forward", "backward") if layers.bidirectional else ("",)
    lengths = run.lengths.cpu().numpy()
    return [
        LayerRun(Layer(name, k // len(directions), directions[k % len(directions)]), lengths, states)
        for k, states in enumerate(run.states)
    ]


def _patches(patching: Patching, inputs: dict[str, Any], layer: Layer) -> NDArray[np.int64]:
    """Return ``LayerRun.patches`` of a layer: backward, a step is known after the last patch that contains it."""
    n_samples, n_timesteps = inputs["x"].shape[:2]
    lengths = inputs.get("lengths", torch.full((n_samples,), n_timesteps)).cpu()[:, None]
    t = torch.arange(n_timesteps).expand(n_samples, -1)
    backward = torch.minimum(patching.last_patch_of(t), patching.n_patches(lengths) - 1)
    known = backward if layer.direction == "backward" else patching.patch_of(t)
    return torch.where(t < lengths, known, -1).numpy()
