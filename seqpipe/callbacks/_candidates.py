"""What is known of a search before it is fitted: its candidates, and how it scores them."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping
from typing import Any

from sklearn.model_selection import GridSearchCV, ParameterGrid, ParameterSampler, RandomizedSearchCV
from sklearn.model_selection._search import BaseSearchCV

__all__ = ["n_candidates", "ranking_metric", "scores_by_method", "searched_candidates"]


def n_candidates(search: Any) -> int | None:
    """Return how many candidates a search has, None if that is known only at its end."""
    if isinstance(search, GridSearchCV):
        return len(ParameterGrid(search.param_grid))
    if isinstance(search, RandomizedSearchCV):
        return len(ParameterSampler(search.param_distributions, search.n_iter))
    return None


def searched_candidates(search: Any) -> list[dict[str, Any]] | None:
    """Return the parameters that each candidate sets, None if they are known only at the end of the search."""
    if isinstance(search, GridSearchCV):
        return list(ParameterGrid(search.param_grid))
    if isinstance(search, RandomizedSearchCV) and isinstance(search.random_state, numbers.Integral):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the search itself warns about a space smaller than n_iter
            return list(ParameterSampler(search.param_distributions, search.n_iter, random_state=search.random_state))
    return None


def scores_by_method(estimator: Any) -> bool:
    """Return whether an estimator is a search that scores candidates by their own method, instead of a scorer."""
    return isinstance(estimator, BaseSearchCV) and estimator.scoring is None


def ranking_metric(search: Any) -> str | None:
    """Return the metric that candidates are ranked by: "score", or the one of several that the search refits by.

    It is None if there are several and the search does not refit by one of them.
    """
    has_several = isinstance(search.scoring, Mapping | list | tuple | set)
    if isinstance(search.refit, str) and (has_several or callable(search.scoring)):
        return search.refit
    return None if has_several else "score"
