"""Fits and predictions of the regressor inside a forecaster, in the form that it accepts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags

from seqpipe.estimators._suited import suited
from seqpipe.sequences import Windows

__all__ = ["fit_inner", "has_network", "new_inner", "predict_inner"]


def has_network(estimator: Any) -> bool:
    """Return whether this is one of seqpipe's estimators with a network."""
    return hasattr(estimator, "as_samples")


def new_inner(estimator: Any, n_targets: int) -> Any:
    """Return a clone; one per target of a regressor of tables that predicts a single number."""
    tags = get_tags(estimator)
    single = not tags.target_tags.multi_output and not tags.input_tags.three_d_array
    return MultiOutputRegressor(clone(estimator)) if single and n_targets > 1 else clone(estimator)


def fit_inner(estimator: Any, windows: Windows, targets: NDArray[np.float64]) -> Any:
    """Fit to windows and targets of shape (n_windows, n_targets), and return the estimator."""
    flat = targets.shape[1] == 1 and not get_tags(estimator).input_tags.three_d_array
    return estimator.fit(suited(estimator, windows), targets.ravel() if flat else targets)


def predict_inner(estimator: Any, windows: Any) -> NDArray[np.float64]:
    """Return predictions of shape (n_windows, n_targets)."""
    return np.asarray(estimator.predict(suited(estimator, windows)), dtype=np.float64).reshape(len(windows), -1)
