"""Read candidates and results of scikit-learn searches."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from seqpipe.callbacks import searched_candidates
from seqpipe.tracking._params import as_text

__all__ = [
    "SearchResults",
    "grid_of",
    "has_indexed_folds",
    "has_rungs",
    "resources_of_rung",
    "results_of",
    "searched_params",
]

_OF_CANDIDATE = re.compile(r"(mean|std|rank)_(test|train)_.+|mean_fit_time")
_OF_FOLD = re.compile(r"split(\d+)_((?:test|train)_.+)")


@dataclass(frozen=True, slots=True)
class SearchResults:
    """The scores of a search, per candidate.

    Attributes
    ----------
    params : list of dict
        Searched parameters of each candidate, as strings.
    candidates : list of dict
        Mean, standard deviation and rank of each candidate's scores, and its mean fit time in seconds.
    folds : list of list of dict
        Scores of each candidate on each split.
    best_score : float or None
        Mean score of the best candidate; None if several metrics leave that undefined.
    best : int or None
        Index of the best candidate; None if several metrics leave that undefined.
    metric : str
        The metric that candidates are ranked by: "score", or the one of several that the search refits by.
    rungs : list of int or None
        The rung of each candidate, from 0, of a successive halving search.
    """

    params: list[dict[str, str]]
    candidates: list[dict[str, float]]
    folds: list[list[dict[str, float]]]
    best_score: float | None
    best: int | None = None
    metric: str = "score"
    rungs: list[int] | None = None

    @property
    def ranking_metric(self) -> str:
        """The metric whose mean ranks the candidates; the first one if several metrics leave that undefined."""
        scores = [key.removeprefix("mean_test_") for key in self.candidates[0] if key.startswith("mean_test_")]
        return self.metric if self.metric in scores or not scores else scores[0]

    def of_rung(self, rung: int) -> SearchResults:
        """Return those of the candidates in a rung; the best one is None if it is in another one."""
        here = [i for i, each in enumerate(self.rungs or ()) if each == rung]
        return replace(
            self,
            params=[self.params[i] for i in here],
            candidates=[self.candidates[i] for i in here],
            folds=[self.folds[i] for i in here],
            best=here.index(self.best) if self.best in here else None,
        )


def has_indexed_folds(search: Any) -> bool:
    """Return whether the index of a fold determines its candidate, which does not hold for searches in rounds."""
    known = (GridSearchCV._run_search, RandomizedSearchCV._run_search)
    return getattr(type(search), "_run_search", None) in known


def has_rungs(search: Any) -> bool:
    """Return whether this is a successive halving search."""
    return hasattr(search, "n_resources_")


def searched_params(search: Any) -> list[dict[str, str]] | None:
    """Return the parameters that each candidate sets, None if they are known only at the end of the search."""
    candidates = searched_candidates(search)
    return None if candidates is None else [_as_texts(params) for params in candidates]


def grid_of(search: Any) -> dict[str, list[str]]:
    """Return the values that a search tries, per parameter, as strings; empty for an estimator that is no search."""
    grids = getattr(search, "param_grid", None) or getattr(search, "param_distributions", None) or {}
    values: dict[str, list[str]] = {}
    for grid in [grids] if isinstance(grids, Mapping) else grids:
        for name, tried in grid.items():
            values[name] = list(dict.fromkeys([*values.get(name, []), *_texts_of(tried)]))
    return values


def _texts_of(tried: Any) -> list[str]:
    """Return values as strings; those of a distribution of scipy are described by its name and arguments."""
    if hasattr(tried, "rvs"):
        name = getattr(getattr(tried, "dist", tried), "name", type(tried).__name__)
        given = [*getattr(tried, "args", ()), *getattr(tried, "kwds", {}).values()]
        return [f"{name}({', '.join(map(str, given))})"]
    return [as_text(tried)] if isinstance(tried, str) else [as_text(value) for value in tried]


def resources_of_rung(search: Any, number: int, n_candidates: int) -> int:
    """Return the resources of each candidate in a rung of a successive halving search, which begins."""
    smallest, largest, power = search.min_resources_, search.max_resources_, number
    if search.aggressive_elimination:
        first = search.n_candidates_[0] if number else n_candidates
        required, possible = (1 + math.floor(math.log(n, search.factor)) for n in (first, largest // smallest))
        power = max(0, number - required + possible)
    return min(int(search.factor**power * smallest), largest)


def results_of(search: Any) -> SearchResults:
    """Return the scores of a fitted search."""
    columns = search.cv_results_
    n_candidates = len(columns["params"])
    kept = sorted((key for key in columns if _OF_CANDIDATE.fullmatch(key)), key=_is_time)
    best = getattr(search, "best_score_", None)
    return SearchResults(
        params=[_as_texts(params) for params in columns["params"]],
        candidates=[{key: float(columns[key][i]) for key in kept} for i in range(n_candidates)],
        folds=_by_fold(columns, n_candidates, search.n_splits_),
        best_score=None if best is None else float(best),
        best=_best(search),
        metric=search.refit if search.multimetric_ and isinstance(search.refit, str) else "score",
        rungs=[int(rung) for rung in columns["iter"]] if "iter" in columns else None,
    )


def _best(search: Any) -> int | None:
    """Return the index of the best candidate with a finite score."""
    index = getattr(search, "best_index_", None)
    score = getattr(search, "best_score_", 0.0)
    return None if index is None or not math.isfinite(score) else int(index)


def _is_time(key: str) -> bool:
    """Return whether a result is a time; MLflow's page that compares runs shows the first metric of a run, so scores precede."""
    return key.endswith("_time")


def _by_fold(columns: dict[str, Any], n_candidates: int, n_splits: int) -> list[list[dict[str, float]]]:
    folds: list[list[dict[str, float]]] = [[{} for _ in range(n_splits)] for _ in range(n_candidates)]
    for key, column in columns.items():
        if found := _OF_FOLD.fullmatch(key):
            for candidate, value in enumerate(column):
                folds[candidate][int(found[1])][found[2]] = float(value)
    return folds


def _as_texts(params: dict[str, Any]) -> dict[str, str]:
    return {name: as_text(value) for name, value in params.items()}
