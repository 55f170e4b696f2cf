"""Baselines of tasks whose targets are labels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["label_baselines", "quiet_baselines"]


def label_baselines(y: NDArray[Any]) -> dict[str, BaseEstimator]:
    """Return the baselines for labels of shape (n_rows,), or indicators of shape (n_rows, n_labels)."""
    logistic = LogisticRegression(max_iter=1000)
    return {
        "most frequent class": DummyClassifier(strategy="prior"),
        "logistic regression": make_pipeline(
            StandardScaler(), OneVsRestClassifier(logistic) if y.ndim == 2 else logistic
        ),
    }


@contextmanager
def quiet_baselines() -> Iterator[None]:
    """Ignore the warnings of baselines that do not converge, or have a label that always or never applies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Label .* is present in (all|no) training examples", UserWarning)
        warnings.filterwarnings("ignore", "Label not .* is present in all training examples", UserWarning)
        yield
