"""Measure the gradient of the loss with respect to the state at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.diagnostics._fitted import fitted_net_of
from seqpipe.diagnostics._recording import Layer
from seqpipe.diagnostics._state_gradients import state_gradients

__all__ = ["GradientFlow", "gradient_flow"]


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """Norm of the gradient of the loss with respect to the state after each step, ‖∂loss/∂h_t‖.

    The loss is the training loss of one sequence; h_t is the whole state, for an LSTM h and c.

    Attributes
    ----------
    layers : tuple of Layer
        The layers, in the order of the rows; ``str(layer)`` names a layer.
    sample_norms : array of shape (n_samples, n_layers, n_timesteps)
        Norms of each sequence; NaN after its end, and after the last step that its loss depends on. The first column is
        the state after the first step.
    initial_norms : array of shape (n_layers,)
        Norms for the state before the first step, averaged over sequences.
    """

    layers: tuple[Layer, ...]
    sample_norms: NDArray[np.float64]
    initial_norms: NDArray[np.float64]

    @property
    def norms(self) -> NDArray[np.float64]:
        """Mean over the sequences that reach each step, shape (n_layers, n_timesteps); NaN where none does."""
        reached = (~np.isnan(self.sample_norms)).sum(axis=0)
        totals = np.nansum(self.sample_norms, axis=0)
        return np.divide(totals, reached, out=np.full(totals.shape, np.nan), where=reached > 0)

    @property
    def growth(self) -> NDArray[np.float64]:
        """Factor by which the gradient grows per step backwards in time, shape (n_layers,).

        Below 1 the gradient vanishes, above 1 it explodes. It is ``exp`` of the slope of a least-squares line through the
        logarithms of ``sample_norms``, with one slope for all sequences and an intercept for each. Steps with a zero
        gradient are left out; NaN if no sequence has two steps with a gradient.
        """
        return np.exp([_slope_back(self._logarithms(i)) for i in range(len(self.layers))])

    @property
    def half_life(self) -> NDArray[np.float64]:
        """Number of steps backwards after which the gradient has halved, shape (n_layers,); if negative, doubled."""
        with np.errstate(divide="ignore"):
            return -np.log(2) / np.log(self.growth)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Interpretation of the growth for each layer, as text.

        "steady" if the gradient changes by less than a factor of two over the longest sequence.
        """
        return tuple(self._verdict(i) for i in range(len(self.layers)))

    @property
    def verdict(self) -> str:
        """The verdicts in one line, with the names of the layers if there are several."""
        if len(self.layers) == 1:
            return self.verdicts[0]
        return "; ".join(f"{layer}: {verdict}" for layer, verdict in zip(self.layers, self.verdicts))

    def _logarithms(self, i: int) -> NDArray[np.float64]:
        """Return log-norms of a layer (n_samples, n_timesteps) in the order in which the layer processes the steps."""
        norms = self.sample_norms[:, i]
        norms = norms[:, ::-1] if self.layers[i].direction == "backward" else norms
        return np.log(norms, out=np.full(norms.shape, np.nan), where=(norms > 0) & np.isfinite(norms))

    def _verdict(self, i: int) -> str:
        norms, valid = self.sample_norms[:, i], ~np.isnan(self.sample_norms[:, i])
        if np.isposinf(norms).any():
            return "exploding: the gradient is no longer finite"
        if not (norms > 0).any():
            return "vanishing: no gradient reaches any state"
        steps, n_timesteps = float(self.half_life[i]), int(valid.sum(axis=1).max())
        if np.isnan(steps):
            return "unknown: two steps with a gradient are needed"
        if abs(steps) >= n_timesteps - 1:
            return f"steady: the gradient changes less than twofold over {n_timesteps} steps"
        word, change = ("vanishing", "halves") if steps > 0 else ("exploding", "doubles")
        every = "step" if f"{abs(steps):.2g}" == "1" else f"{abs(steps):.2g} steps"
        lost = float((norms == 0).sum() / valid.sum())
        zero = f", and is 0 at {lost:.0%} of the steps" if lost >= 0.005 else ""
        return f"{word}: the gradient {change} every {every}{zero}"


def gradient_flow(estimator: Any, X: Any, y: Any = None, *, max_samples: int | None = 256) -> GradientFlow:
    """Backpropagate the loss of a fitted estimator, and measure the gradient at each time step.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator with a recurrent network: one of seqpipe's, or a search, Pipeline or Forecaster around one.
    X : sequences
        Sequences as for ``fit``.
    y : targets, optional
        Targets as for ``fit``; required if ``fit`` requires them.
    max_samples : int or None, default=256
        Number of sequences to use, evenly spaced in X; None for all.

    Returns
    -------
    GradientFlow
        Norms per layer and step, their growth, and a verdict.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If there is no recurrent network inside.
    ValueError
        If X or y is invalid, y is missing, or max_samples is below 1.

    Notes
    -----
    Dropout is disabled, sample weights count as one, and the ``grad`` of the parameters is not changed. If the loss
    depends on every step (``pooling="mean"``, or one prediction per step), part of the gradient of a state comes directly
    from there: the result is the gradient in training, not the effect of the recurrence alone. Of an estimator with
    ``patch``, the norm at a time step is that of the state after the first patch that contains the step, in the direction
    of the layer.

    References
    ----------
    Bengio, Simard and Frasconi, 1994, doi:10.1109/72.279181; Pascanu, Mikolov and Bengio, 2013, arXiv:1211.5063.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceRegressor
    >>> X = np.random.default_rng(0).normal(size=(40, 30, 1))
    >>> model = SequenceRegressor("rnn", pooling="last", max_epochs=2, random_state=0).fit(X, X[:, -1, 0])
    >>> flow = gradient_flow(model, X, X[:, -1, 0])
    >>> flow.norms.shape
    (1, 30)
    """
    if max_samples is not None and max_samples < 1:
        raise ValueError(
            f"The 'max_samples' parameter of gradient_flow must be an int >= 1, or None. Got {max_samples!r} instead."
        )
    fitted = fitted_net_of(estimator, X, y)
    if fitted.samples.y is None:
        raise ValueError(f"The loss of {type(estimator).__name__} needs targets: pass y as for fit.")
    layers, norms, initial = state_gradients(fitted.subsample(max_samples))
    return GradientFlow(tuple(layers), norms, initial.mean(axis=0))


def _slope_back(logarithms: NDArray[np.float64]) -> float:
    """Return the mean rise per step to the left of rows (n_samples, n_timesteps), ignoring NaN."""
    valid = ~np.isnan(logarithms)
    t = np.where(valid, np.arange(logarithms.shape[1], dtype=np.float64), np.nan)
    rows = valid.sum(axis=1) > 1
    if not rows.any():
        return np.nan
    t = t[rows] - np.nanmean(t[rows], axis=1, keepdims=True)
    rise = logarithms[rows] - np.nanmean(logarithms[rows], axis=1, keepdims=True)
    return float(-np.nansum(t * rise) / np.nansum(t * t))
