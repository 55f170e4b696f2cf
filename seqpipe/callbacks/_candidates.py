"""The candidates of a search, before it is fitted."""

from __future__ import annotations

import numbers
import warnings
from typing import Any

from sklearn.model_selection import GridSearchCV, ParameterGrid, ParameterSampler, RandomizedSearchCV

__all__ = ["n_candidates", "searched_candidates"]


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
