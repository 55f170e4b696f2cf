"""The state after each step of one sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqpipe.diagnostics._fitted import subject_of
from seqpipe.diagnostics._recording import Layer, LayerRun, recorded
from seqpipe.recurrence import state_tensors

__all__ = ["HiddenStates", "hidden_states"]


@dataclass(frozen=True, eq=False)
class HiddenStates:
    """What the recurrent layers held after each step of one sequence.

    Attributes
    ----------
    layers : tuple of Layer
        What was run; ``str(layer)`` names it.
    values : tuple of array of shape (n_timesteps, hidden_size)
        One a layer; of a state of several tensors the first, an LSTM's h.
    """

    layers: tuple[Layer, ...]
    values: tuple[NDArray[np.float64], ...]


def hidden_states(estimator: Any, X: Any, y: Any = None, *, sample: int = 0) -> HiddenStates:
    """Run a fitted estimator's network along one sequence, and return what it held after each step.

    Parameters
    ----------
    estimator : estimator
        Fitted, with a recurrent network: one of seqpipe's, or a search, Pipeline or Forecaster around one.
    X : sequences
        As for ``fit``.
    y : targets, optional
        As for ``fit``; only networks that read their targets need them.
    sample : int, default=0
        The sequence's number in X, from 0; of a Forecaster the window's.

    Returns
    -------
    HiddenStates

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If there is no recurrent network inside.
    ValueError
        If X is unfit, or has no such sample.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceRegressor
    >>> X = np.random.default_rng(0).normal(size=(40, 30, 1))
    >>> model = SequenceRegressor(hidden_size=8, max_epochs=2, random_state=0).fit(X, X[:, -1, 0])
    >>> hidden_states(model, X).values[0].shape
    (30, 8)
    """
    subject = subject_of(estimator, X, y)
    n_samples = len(subject.samples)
    if not 0 <= sample < n_samples:
        raise ValueError(
            f"The 'sample' parameter of hidden_states must be from 0 to {n_samples - 1}. Got {sample!r} instead."
        )
    one = subject.take(np.array([sample]))
    [(_, inputs, targets)] = one.batches()
    with torch.no_grad():
        runs, _ = recorded(one, lambda: one.net.infer(inputs, y=targets))
    return HiddenStates(tuple(run.layer for run in runs), tuple(_values(run) for run in runs))


def _values(run: LayerRun) -> NDArray[np.float64]:
    """Return the first tensor of the state after each step, shape (n_timesteps, hidden_size)."""
    rows = [state_tensors(state)[0].reshape(-1).to(torch.float64).cpu().numpy() for state in run.states[1:]]
    return run.in_time(np.stack(rows)[None])[0]
