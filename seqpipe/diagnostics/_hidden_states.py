"""Compute the hidden states of a fitted network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqpipe.diagnostics._fitted import fitted_net_of
from seqpipe.diagnostics._recording import Layer, LayerRun, recorded
from seqpipe.recurrence import state_tensors

__all__ = ["HiddenStates", "hidden_states"]


@dataclass(frozen=True, eq=False)
class HiddenStates:
    """States of the recurrent layers after each step of one sequence.

    Attributes
    ----------
    layers : tuple of Layer
        The layers; ``str(layer)`` names a layer.
    values : tuple of array of shape (n_timesteps, hidden_size)
        One array per layer; of a state with several tensors the first, for an LSTM h. Of an estimator with ``patch``, the
        state at a time step is that after the first patch that contains the step, in the direction of the layer.
    """

    layers: tuple[Layer, ...]
    values: tuple[NDArray[np.float64], ...]


def hidden_states(estimator: Any, X: Any, y: Any = None, *, sample: int = 0) -> HiddenStates:
    """Return the hidden states of a fitted estimator's network after each step of one sequence.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator with a recurrent network: one of seqpipe's, or a search, Pipeline or Forecaster around one.
    X : sequences
        Sequences as for ``fit``.
    y : targets, optional
        Targets as for ``fit``; required only by networks that read their targets.
    sample : int, default=0
        Index of the sequence in X; for a Forecaster the index of the window.

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
        If X is invalid or has no such sample.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceRegressor
    >>> X = np.random.default_rng(0).normal(size=(40, 30, 1))
    >>> model = SequenceRegressor(hidden_size=8, max_epochs=2, random_state=0).fit(X, X[:, -1, 0])
    >>> hidden_states(model, X).values[0].shape
    (30, 8)
    """
    fitted = fitted_net_of(estimator, X, y)
    n_samples = len(fitted.samples)
    if not 0 <= sample < n_samples:
        raise ValueError(
            f"The 'sample' parameter of hidden_states must be an int from 0 to {n_samples - 1}. Got {sample!r} instead."
        )
    one = fitted.take(np.array([sample]))
    [(_, inputs, targets)] = one.batches()
    with torch.no_grad():
        runs, _ = recorded(one, inputs, lambda: one.net.infer(inputs, y=targets))
    return HiddenStates(tuple(run.layer for run in runs), tuple(_values(run) for run in runs))


def _values(run: LayerRun) -> NDArray[np.float64]:
    """Return the first tensor of the state after each step, shape (n_timesteps, hidden_size)."""
    rows = [state_tensors(state)[0].reshape(-1).to(torch.float64).cpu().numpy() for state in run.states[1:]]
    return run.in_time(np.stack(rows)[None])[0]
