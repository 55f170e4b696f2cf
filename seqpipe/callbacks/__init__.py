"""Callbacks of fits: the only place that imports `sklearn.callback`, which is experimental.

From version 1.9 on scikit-learn notifies callbacks of every task of a fit. The tasks form a tree that reaches through
searches and pipelines into the estimators inside, in any process that runs them.

- Estimators and transformers support callbacks by `CallbackSupportMixin` and `with_callbacks`.
- A callback is a `FitListener`. It receives each task as a `FitTask`, and sends messages to the process that began the fit
  through a `Channel`.
- `reported` makes a search notify them of the scores of each fold at once, as `reports_score` makes a ``score`` method.
- `fit_with_callbacks` fits any estimator with callbacks.

Where `sklearn.callback` is missing, as in scikit-learn 1.7 and 1.8, or has changed, the stand-ins of `_stand_in`
replace it: seqpipe's own estimators notify callbacks as before, and a search only of its own task and of its refit.
"""

from seqpipe.callbacks._candidates import n_candidates, ranking_metric, searched_candidates
from seqpipe.callbacks._channel import Channel, open_channel
from seqpipe.callbacks._fit import fit_with_callbacks
from seqpipe.callbacks._listener import FitListener
from seqpipe.callbacks._scores import Reported, reported, reports_score
from seqpipe.callbacks._support import (
    CALLBACK_STATE,
    IS_LIVE,
    CallbackSupportMixin,
    listeners_of,
    with_callbacks,
    without_callbacks,
)
from seqpipe.callbacks._task import FOLD, FOLD_NUMBER, PARTIAL_FIT, REFIT, RUNG, SEARCH, FitTask, TaskPath

__all__ = [
    "CALLBACK_STATE",
    "CallbackSupportMixin",
    "Channel",
    "FOLD",
    "FOLD_NUMBER",
    "FitListener",
    "FitTask",
    "IS_LIVE",
    "PARTIAL_FIT",
    "REFIT",
    "RUNG",
    "Reported",
    "SEARCH",
    "TaskPath",
    "fit_with_callbacks",
    "listeners_of",
    "n_candidates",
    "open_channel",
    "ranking_metric",
    "reported",
    "reports_score",
    "searched_candidates",
    "with_callbacks",
    "without_callbacks",
]
