"""Truncated backpropagation through time: a batch is processed in parts, and the state is carried between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.cells import State
from seqpipe.recurrence import map_state
from seqpipe.training._objective import StepObjective

__all__ = ["Span", "Truncation", "Window", "check_tbptt"]


class Advancing(Protocol):
    """A network that continues from a state, such as `StepNetwork`."""

    def advance(self, x: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Return outputs (batch, n_timesteps, n_outputs) and the new state."""


@dataclass(frozen=True)
class Span:
    """The steps of one update, as indices into the sequences.

    Attributes
    ----------
    start : int
        First step of the backward pass: the state before it is a constant.
    first : int
        First step with a loss; previous updates covered those before it.
    mark : int
        ``start`` of the next update: the state before this step is kept.
    stop : int
        End of the steps, exclusive.
    """

    start: int
    first: int
    mark: int
    stop: int


@dataclass(frozen=True)
class Truncation:
    """An update every k1 steps, each backpropagated through k2 steps: BPTT(h; h') of Williams and Peng.

    After steps k1, 2·k1, … and after the last one, an update lowers the mean loss of the steps since the previous
    one. Its gradient is that of a run over the last k2 steps with the current weights, starting from a constant: the
    state that an earlier update, with its weights, computed there. Thus the state is carried from the first step to the
    last, while no gradient flows back further than k2 steps from the end of a part.

    - (1, n), n the longest sequence: an update per step, through all steps so far.
    - (n, n): an update per batch, through all steps; no truncation.
    - k1 = k2 < n: adjacent parts, each step run once.
    - k1 < k2 < n: overlapping parts; each step is run k2 / k1 times.

    Parameters
    ----------
    k1 : int
        Steps between updates.
    k2 : int
        Steps of the backward pass, >= k1: otherwise the losses at the first k1 − k2 of each k1 steps would be lost.

    References
    ----------
    Williams and Peng (1990), An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories, Neural Computation 2(4), 490-501, doi:10.1162/neco.1990.2.4.490.
    """

    k1: int
    k2: int

    def n_updates(self, n_timesteps: int) -> int:
        """Return the number of updates for a batch whose longest sequence has ``n_timesteps`` steps."""
        return -(-n_timesteps // self.k1)

    def n_scored(self, chosen: NDArray[np.bool_]) -> int:
        """Return the number of updates with a loss for one sequence, given a mask of its steps, (n_timesteps,)."""
        return len(np.unique(np.flatnonzero(chosen) // self.k1))

    def spans(self, n_timesteps: int) -> list[Span]:
        """Return the steps of each update of a batch."""
        stops = [min(k, n_timesteps) for k in range(self.k1, n_timesteps + self.k1, self.k1)]
        starts = [max(0, stop - self.k2) for stop in stops]
        firsts, marks = [0, *stops[:-1]], [*starts[1:], n_timesteps]
        return [Span(*steps) for steps in zip(starts, firsts, marks, stops)]

    def walk(
        self, inputs: dict[str, Any], y: Tensor, objective: StepObjective, *, start: int = 0, state: State | None = None
    ) -> Iterator[tuple[dict[str, Any], Tensor]]:
        """Yield the parts of a batch from number ``start``, each in the form of a batch of the steps that it scores.

        ``state`` is the one carried to the first of these parts, which all earlier ones have computed.

        Additional inputs are ``chosen``, ``n_chosen`` and ``share``, see `StepObjective`; ``done``, the fraction of the
        batch's time steps processed after the part; and ``window``, which computes the outputs.
        """
        n_samples, n_timesteps = inputs["x"].shape[:2]
        chosen = objective.chosen(inputs, n_samples, n_timesteps)
        weights = _step_weights(chosen, inputs)
        carried, total = _Carried(state), weights.sum() or 1.0
        for span in self.spans(n_timesteps)[start:]:
            part = {
                **inputs,
                **_cut_entries(inputs, span),
                "chosen": chosen[:, span.first : span.stop],
                "n_chosen": int(chosen.sum()),
                "share": float(weights[span.first : span.stop].sum() / total),
                "done": span.stop / n_timesteps,
                "window": Window.of(inputs, span, carried),
            }
            yield part, y[:, span.first : span.stop]


@dataclass
class _Carried:
    """The initial state of the next window; None before the first."""

    state: State | None = None


@dataclass(frozen=True)
class Window:
    """The steps that one update runs: those that it scores, and those before them in its backward pass.

    Attributes
    ----------
    x : tensor of shape (batch, n_timesteps, n_features)
        Input of these steps.
    lengths : tensor of shape (batch,), or None
        Number of valid steps in the window, possibly 0.
    mark, first : int
        As in `Span`, relative to the window's first step.
    """

    x: Tensor
    lengths: Tensor | None
    mark: int
    first: int
    _carried: _Carried = field(repr=False)

    @classmethod
    def of(cls, inputs: dict[str, Any], span: Span, carried: _Carried) -> Window:
        """Return the window of a batch at a span."""
        x = inputs["x"][:, span.start : span.stop]
        lengths = _within(inputs.get("lengths"), span.start, span.stop)
        return cls(x, lengths, span.mark - span.start, span.first - span.start, carried)

    @property
    def state(self) -> State | None:
        """The state carried to this window; None before the first."""
        return self._carried.state

    def of_rows(self, rows: slice) -> Window:
        """Return the window of some of the sequences, with a state of its own."""
        state = None if self.state is None else map_state(lambda tensor: tensor[:, rows], self.state)
        lengths = None if self.lengths is None else self.lengths[rows]
        return Window(self.x[rows], lengths, self.mark, self.first, _Carried(state))

    def continue_from(self, state: State | None) -> None:
        """Set the state that is carried to the next window."""
        self._carried.state = state

    def continue_from_rows(self, windows: Sequence[Window]) -> None:
        """Set the state that is carried to the next window from the windows of all rows."""
        states = [window.state for window in windows if window.state is not None]
        if states:
            self.continue_from(map_state(lambda *tensors: torch.cat(tensors, dim=1), *states))

    def outputs(self, network: Advancing) -> Tensor:
        """Return the outputs at the scored steps, and keep the initial state of the next window."""
        state, found = self._carried.state, []
        for start, stop in ((0, self.mark), (self.mark, self.x.shape[1])):
            if start < stop:
                outputs, state = network.advance(self.x[:, start:stop], _within(self.lengths, start, stop), state)
                found.append(outputs)
            if stop == self.mark and state is not None:
                self._carried.state = map_state(torch.Tensor.detach, state)
        return (found[0] if len(found) == 1 else torch.cat(found, dim=1))[:, self.first :]


def _step_weights(chosen: NDArray[np.bool_], inputs: dict[str, Any]) -> NDArray[np.float64]:
    """Return the weight of each time step in the loss of a batch, shape (n_timesteps,)."""
    if "step_weight" in inputs:
        return np.where(chosen, inputs["step_weight"], 0.0).sum(axis=0, dtype=np.float64)
    weight = inputs.get("weight")
    of_sample = np.ones(len(chosen)) if weight is None else weight.cpu().numpy().astype(np.float64)
    return of_sample @ chosen


def _cut_entries(inputs: dict[str, Any], span: Span) -> dict[str, Any]:
    cut: dict[str, Any] = {}
    for name in {"x", "step_weight"} & inputs.keys():
        cut[name] = inputs[name][:, span.first : span.stop]
    for name in {"lengths", "y_lengths"} & inputs.keys():
        cut[name] = _within(inputs[name], span.first, span.stop)
    return cut


def _within(lengths: Tensor | None, start: int, stop: int) -> Tensor | None:
    """Return the number of valid steps between start and stop."""
    return None if lengths is None else (lengths - start).clamp(0, stop - start)


def _is_count(k: Any) -> bool:
    return isinstance(k, Integral) and not isinstance(k, bool) and int(k) >= 1


def check_tbptt(tbptt: Any, *, bidirectional: bool, owner: str) -> Truncation | None:
    """Return the truncation for an estimator's ``tbptt`` parameter, or None.

    Raises
    ------
    ValueError
        If it is not two ints with 1 <= k1 <= k2, or the estimator is bidirectional.
    """
    if tbptt is None:
        return None
    pair = tuple(tbptt) if isinstance(tbptt, list | tuple) else ()
    if len(pair) != 2 or not all(_is_count(k) for k in pair):
        raise ValueError(
            f"The 'tbptt' parameter of {owner} must be None or two ints (k1, k2) with 1 <= k1 <= k2: an update every k1 "
            f"steps, backpropagated through k2. Got {tbptt!r} instead."
        )
    k1, k2 = map(int, pair)
    if k2 < k1:
        raise ValueError(
            f"The 'tbptt' parameter of {owner} must have k1 <= k2. Got {tbptt!r} instead: nothing would be learned at the "
            f"first {k1 - k2} of each {k1} steps. Use tbptt=({k2}, {k2}), or ({k1}, {k1})."
        )
    if bidirectional:
        raise ValueError(
            f"The 'tbptt' parameter of {owner} cannot be used with bidirectional=True: the backward direction starts at "
            "the end of a sequence, so no state can be carried. Set tbptt=None or bidirectional=False."
        )
    return Truncation(k1, k2)
