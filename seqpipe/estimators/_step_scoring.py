"""scikit-learn's scorers, given by name or made by ``make_scorer``, over time steps.

A scorer passes the user's targets unchanged to the metric. No metric accepts ragged targets, and some mistake the time
steps of padded ones for outputs. Since scikit-learn has no hook between the two, the method that all scorers share is
wrapped: for estimators with one prediction per time step, each step with a target is a sample. Other estimators are
not affected.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import _scorer
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_response_method

from seqpipe.estimators._step_targets import read_step_targets, read_step_weight, step_rows
from seqpipe.sequences import Sequences

__all__ = ["install_step_scoring", "predicts_steps"]


def predicts_steps(estimator: Any) -> bool:
    """Return whether an estimator, or the last one of a pipeline or search, predicts at every time step."""
    return bool(getattr(_last(estimator), "_by_step", False))


def _last(estimator: Any) -> Any:
    """Return the last estimator of a pipeline or search."""
    while True:
        inner = getattr(estimator, "best_estimator_", getattr(estimator, "_final_estimator", None))
        if inner is None:
            return estimator
        estimator = inner


class _KnownSteps(BaseEstimator):
    """A fitted estimator in the form that scikit-learn's scorers expect: each known time step is a sample.

    Parameters
    ----------
    estimator : estimator
        Predicts at every time step.
    predictions : array of shape (n_steps, …)
        Its predictions at the known steps.
    """

    def __init__(self, estimator: Any, predictions: NDArray[Any]) -> None:
        self.estimator = estimator
        self.predictions = predictions

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier" if hasattr(self.estimator, "classes_") else "regressor"
        return tags

    @property
    def classes_(self) -> Any:
        """The class labels."""
        return self.estimator.classes_

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predictions at the known steps."""
        return self.predictions

    @available_if(lambda self: hasattr(self.estimator, "decision_function"))
    def decision_function(self, X: Any) -> NDArray[Any]:
        """Return the predictions at the known steps."""
        return self.predictions

    @available_if(lambda self: hasattr(self.estimator, "predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the predictions at the known steps."""
        return self.predictions


def _at_known_steps(
    estimator: Any, method: str, X: Any, y: Any, sample_weight: Any
) -> tuple[_KnownSteps, NDArray[Any], NDArray[np.float64] | None]:
    """Return the estimator, targets and weights at time steps with a target and a weight above 0."""
    owner = type(estimator).__name__
    predictions, offsets = step_rows(getattr(estimator, method)(X))
    steps = Sequences(np.zeros(len(predictions)), offsets)
    rows = read_step_targets(y, steps, owner=owner).rows
    values, known = _last(estimator)._read_steps(rows, steps)
    weight = read_step_weight(sample_weight, steps, owner=owner)
    known = known & (weight > 0)
    if not known.any():
        raise ValueError(f"y of {owner} has no target at any scored time step with a weight above 0.")
    narrow = method == "predict" or values.ndim == 1
    truth = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if narrow and predictions.ndim == 2 and predictions.shape[1] == 1:
        predictions = predictions[:, 0]
    return _KnownSteps(estimator, predictions[known]), truth[known], None if sample_weight is None else weight[known]


def install_step_scoring() -> None:
    """Make scikit-learn's scorers treat time steps as samples if an estimator predicts at each; safe to call again."""
    score = _scorer._Scorer._score
    if hasattr(score, "__wrapped__"):
        return

    @wraps(score)
    def score_steps(self: Any, method_caller: Any, estimator: Any, X: Any, y_true: Any, **kwargs: Any) -> Any:
        if not predicts_steps(estimator):
            return score(self, method_caller, estimator, X, y_true, **kwargs)
        method = _check_response_method(estimator, self._response_method).__name__
        weight = kwargs.pop("sample_weight", None)
        steps, truth, weight = _at_known_steps(estimator, method, X, y_true, weight)
        if weight is not None:
            kwargs["sample_weight"] = weight
        # without scikit-learn's cache of predictions: the known steps of other scorers may differ
        return score(self, partial(_scorer._cached_call, None), steps, X, truth, **kwargs)

    _scorer._Scorer._score = score_steps
