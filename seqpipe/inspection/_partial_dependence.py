"""Partial dependence on a feature of sequences (Friedman, 2001, doi:10.1214/aos/1013203451, section 8.2)."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators import predicts_steps
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.inspection._features import FeatureSeries

__all__ = ["partial_dependence"]


def partial_dependence(
    estimator: Any,
    X: Any,
    feature: int | str,
    *,
    change: Literal["set", "shift"] = "set",
    grid_resolution: int = 20,
    percentiles: tuple[float, float] = (0.05, 0.95),
) -> Bunch:
    """Return the average prediction as a function of one feature of the sequences.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator, pipeline or search.
    X : sequences
        Data over which predictions are averaged, in any form that the estimator accepts, other than a table.
    feature : int or str
        Index or name of the feature.
    change : {"set", "shift"}, default="set"
        "set" replaces the feature by the same value at all time steps, as scikit-learn's function does for a column;
        "shift" adds a value to it, so that its course in time remains.
    grid_resolution : int, default=20
        Number of values.
    percentiles : (float, float), default=(0.05, 0.95)
        The values range between these quantiles of the feature over all time steps; shifts, between their distances
        from the median.

    Returns
    -------
    result : Bunch
        ``grid_values`` of shape (grid_resolution,), in the unit of the feature, and ``average`` of shape (n_outputs,
        grid_resolution): the mean of the predictions or, for a classifier, of the probabilities, with one row per class,
        over all sequences or, with one prediction per time step, over all steps.

    Raises
    ------
    InvalidSequencesError
        If X is a table or invalid, there is no such feature, or a parameter is invalid.

    Notes
    -----
    scikit-learn's function of the same name accepts tables only. As there, values of the feature are combined with those
    of the other features even if the two never occur together, which misleads if features depend on each other.

    References
    ----------
    J. H. Friedman, 2001, Greedy Function Approximation: A Gradient Boosting Machine, doi:10.1214/aos/1013203451.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceRegressor
    >>> from seqpipe.inspection import partial_dependence
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 2)) for n in rng.integers(4, 9, size=80)]
    >>> model = SequenceRegressor(hidden_size=8, max_epochs=20, random_state=0).fit(X, [x[:, 0].mean() for x in X])
    >>> low, middle, high = partial_dependence(model, X, 0, change="shift", grid_resolution=3).average[0]
    >>> bool(low < middle < high)
    True
    """
    _check_parameters(change, grid_resolution, percentiles)
    check_is_fitted(estimator)
    series = FeatureSeries(X, owner="partial_dependence")
    index = series.index(feature)
    values = series.sequences.values[:, index]
    first, last = np.quantile(values, percentiles) - (np.median(values) if change == "shift" else 0)
    grid = np.linspace(first, last, grid_resolution)
    base = values if change == "shift" else 0.0
    average = [_mean_prediction(estimator, series.replaced(index, base + value)) for value in grid]
    return Bunch(grid_values=grid, average=np.stack(average, axis=1))


def _check_parameters(change: Any, grid_resolution: Any, percentiles: Any) -> None:
    valid = {
        "change": (change in ("set", "shift"), change, "'set' or 'shift'"),
        "grid_resolution": (
            isinstance(grid_resolution, Integral) and int(grid_resolution) > 1,
            grid_resolution,
            "an integer of at least 2",
        ),
        "percentiles": (
            0 <= percentiles[0] < percentiles[1] <= 1,
            percentiles,
            "two increasing numbers from 0 to 1",
        ),
    }
    for name, (is_valid, value, wanted) in valid.items():
        if not is_valid:
            raise InvalidSequencesError(
                f"The {name!r} parameter of partial_dependence must be {wanted}. Got {value!r} instead."
            )


def _mean_prediction(estimator: Any, X: Any) -> NDArray[np.float64]:
    """Return the mean of probabilities or predictions over all sequences or steps, shape (n_outputs,)."""
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    found = getattr(estimator, method)(X)
    rows = np.concatenate([*found]) if predicts_steps(estimator) else np.asarray(found)
    return np.asarray(rows.reshape(len(rows), -1).mean(axis=0, dtype=np.float64))
