"""What a recipe's run gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Record", "RunResult"]


@dataclass(frozen=True)
class Record:
    """Where a run was recorded.

    Attributes
    ----------
    experiment, tracking_uri : str
        The MLflow experiment and its store.
    run_id : str
        The parent run.
    refit_run_id : str or None
        The run that made the final model, where it is another.
    artifact_uri : str
        Where the parent run's files are.
    model_uri : str or None
        The logged model; None if none was.
    """

    experiment: str
    tracking_uri: str
    run_id: str
    refit_run_id: str | None
    artifact_uri: str
    model_uri: str | None


@dataclass(frozen=True)
class RunResult:
    """Scores, pictures and the fitted estimator of one recipe.

    Attributes
    ----------
    name : str
        The recipe's.
    estimator : estimator
        Fitted to all training data, the best candidate where there was a search.
    table : DataFrame
        One row a candidate, the best first: ``rank``, ``name``, the searched parameters, ``mean`` and ``std`` of the
        score, ``seconds`` of training and ``compile_seconds`` of compiling before it, each per fit, ``n_parameters``,
        ``error``. Empty without a search.
    best_params : mapping
        What a search chose; empty without one.
    best_score : float or None
        The mean score of that candidate over the folds; None without a search.
    metrics : mapping of str to float
        Scores on the held-out data.
    baselines : mapping of str to mapping of str to float
        The same scores of models that anything useful must beat.
    pictures : mapping of str to matplotlib.figure.Figure
        The task's pictures, and the diagnostics that the recipe asked for.
    texts : mapping of str to str
        What the estimator writes, where the task shows such a thing.
    record : Record or None
        Where all of it was recorded; None if the recipe turned tracking off.
    """

    name: str
    estimator: Any
    table: pd.DataFrame
    best_params: Mapping[str, Any] = field(default_factory=dict)
    best_score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    pictures: Mapping[str, Figure] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    record: Record | None = None
