"""What a scikit-learn search tries, and what it found."""

from __future__ import annotations

import numbers
import re
import warnings
from dataclasses import dataclass
from typing import Any

from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)

from seqpipe.tracking._params import as_text

__all__ = ["SearchResults", "numbers_its_folds", "results_of", "searched_params"]

_OF_CANDIDATE = re.compile(r"(mean|std|rank)_(test|train)_.+|mean_fit_time")
_OF_FOLD = re.compile(r"split(\d+)_((?:test|train)_.+)")


@dataclass(frozen=True, slots=True)
class SearchResults:
    """The scores of a search, by candidate.

    Attributes
    ----------
    params : list of dict
        Searched parameters of each candidate, as text.
    candidates : list of dict
        Mean, spread and rank of each candidate's scores, and its mean fit time in seconds.
    folds : list of list of dict
        Scores of each candidate on each split.
    best_score : float or None
        Mean score of the best candidate; None where several metrics leave that open.
    """

    params: list[dict[str, str]]
    candidates: list[dict[str, float]]
    folds: list[list[dict[str, float]]]
    best_score: float | None


def numbers_its_folds(search: Any) -> bool:
    """Tell whether a fold's number says whose it is: a search of another kind may try candidates in rounds."""
    known = (GridSearchCV._run_search, RandomizedSearchCV._run_search)
    return getattr(type(search), "_run_search", None) in known


def searched_params(search: Any) -> list[dict[str, str]] | None:
    """Return what each candidate of a search sets, None if only the search itself knows, at its end."""
    if isinstance(search, GridSearchCV):
        return [_as_texts(params) for params in ParameterGrid(search.param_grid)]
    if isinstance(search, RandomizedSearchCV) and isinstance(search.random_state, numbers.Integral):
        sampler = ParameterSampler(search.param_distributions, search.n_iter, random_state=search.random_state)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the search itself warns of a space smaller than n_iter
            return [_as_texts(params) for params in sampler]
    return None


def results_of(search: Any) -> SearchResults:
    """Return the scores of a fitted search."""
    columns = search.cv_results_
    n_candidates = len(columns["params"])
    kept = [key for key in columns if _OF_CANDIDATE.fullmatch(key)]
    best = getattr(search, "best_score_", None)
    return SearchResults(
        params=[_as_texts(params) for params in columns["params"]],
        candidates=[{key: float(columns[key][i]) for key in kept} for i in range(n_candidates)],
        folds=_by_fold(columns, n_candidates, search.n_splits_),
        best_score=None if best is None else float(best),
    )


def _by_fold(columns: dict[str, Any], n_candidates: int, n_splits: int) -> list[list[dict[str, float]]]:
    folds: list[list[dict[str, float]]] = [[{} for _ in range(n_splits)] for _ in range(n_candidates)]
    for key, column in columns.items():
        if found := _OF_FOLD.fullmatch(key):
            for candidate, value in enumerate(column):
                folds[candidate][int(found[1])][found[2]] = float(value)
    return folds


def _as_texts(params: dict[str, Any]) -> dict[str, str]:
    return {name: as_text(value) for name, value in params.items()}
