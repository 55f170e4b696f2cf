"""`prunable_cross_val_score`: cross-validation whose folds are trained together, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils.metaestimators import _safe_split

from seqpipe.callbacks import FOLD, FOLD_NUMBER, REFIT, FitListener, FitTask, fit_with_callbacks, listeners_of
from seqpipe.tuning._lockstep import Lockstep

__all__ = ["prunable_cross_val_score"]


def prunable_cross_val_score(
    estimator: Any, X: Any, y: Any = None, *, trial: Any, cv: Any = 5, scoring: Any = None, groups: Any = None
) -> NDArray[np.float64]:
    """Evaluate an estimator by cross-validation, unless Optuna prunes the trial after an epoch.

    All folds are trained at the same time, each in a thread, and wait for each other after every epoch. The mean of their
    scores on held-out data is then reported to the trial, at the step that is the number of the epoch. Held-out data is
    used for this alone: early stopping holds out a part of each fold's training data. Folds are the same in all trials.

    An estimator without epochs, or one that cannot predict before its fit ends, is not pruned; an ensemble is scored by its
    first network until then.

    Parameters
    ----------
    estimator : estimator
        An estimator of seqpipe, or a Pipeline that ends with one; it is cloned for each fold, and its callbacks are those
        of the clones.
    X, y : samples and targets
        As ``estimator.fit`` takes them.
    trial : optuna.Trial
        The trial. Its user attributes ``mean_test_score``, ``std_test_score``, ``split0_test_score``, … are set.
    cv : int, splitter or iterable, default=5
        As in `sklearn.model_selection.cross_val_score`, but without random folds.
    scoring : str or callable, optional
        As in `sklearn.model_selection.cross_val_score`.
    groups : array of shape (n_samples,), optional
        Groups for the splitter.

    Returns
    -------
    scores : array of shape (n_folds,)
        Score of each fold.

    Raises
    ------
    optuna.TrialPruned
        If the pruner of the study stops the trial.
    ValueError
        If the folds are random, so that trials could not be compared.

    Examples
    --------
    >>> from seqpipe import SequenceClassifier, prunable_cross_val_score
    >>> def objective(trial):
    ...     model = SequenceClassifier(hidden_size=trial.suggest_int("hidden_size", 8, 64, log=True), random_state=0)
    ...     return prunable_cross_val_score(model, X, y, trial=trial, cv=5).mean()
    >>> study.optimize(objective, n_trials=20)  # doctest: +SKIP
    """
    splitter = check_cv(cv, y, classifier=is_classifier(estimator))
    _check_fixed(splitter)
    scorer = check_scoring(estimator, scoring=scoring)
    splits = list(splitter.split(X, y, groups))

    def report(mean: float, epoch: int) -> bool:
        trial.report(mean, epoch)
        return bool(trial.should_prune())

    lockstep = Lockstep(len(splits), report)
    folds = [_Fold(number, estimator, scorer, X, y, split, lockstep) for number, split in enumerate(splits)]
    scores = np.array(_in_threads(folds, lockstep))
    for number, score in enumerate(scores):
        trial.set_user_attr(f"split{number}_test_score", float(score))
    trial.set_user_attr("mean_test_score", float(scores.mean()))
    trial.set_user_attr("std_test_score", float(scores.std()))
    if lockstep.pruned:
        from optuna import TrialPruned

        raise TrialPruned(f"Trial {trial.number} was pruned after epoch {lockstep.epoch}.")
    return scores


def _check_fixed(splitter: Any) -> None:
    if getattr(splitter, "random_state", 0) is None and getattr(splitter, "shuffle", True):
        raise ValueError(
            f"The folds of {splitter} are drawn again in each trial, so that their scores cannot be compared. Set its random_state."
        )


def _in_threads(folds: list[_Fold], lockstep: Lockstep) -> list[float]:
    """Return the scores of folds, each run in a thread of its own in the context of this one."""
    contexts: list[tuple[Context, _Fold]] = [(copy_context(), fold) for fold in folds]
    with ThreadPool(len(folds)) as pool:
        try:
            results = pool.starmap(lambda context, fold: context.run(fold.run), contexts, chunksize=1)
        except BaseException:  # such as Ctrl-C
            lockstep.stop()
            pool.close()
            pool.join()
            raise
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


class _Fold:
    """One fold: its fit and its score."""

    def __init__(
        self,
        number: int,
        estimator: Any,
        scorer: Callable[..., float],
        X: Any,
        y: Any,
        split: tuple[Any, Any],
        lockstep: Lockstep,
    ) -> None:
        train, test = split
        self._number = number
        self._model = clone(estimator)
        self._callbacks = listeners_of(estimator)
        self._scorer = scorer
        self._lockstep = lockstep
        self._train = _safe_split(estimator, X, y, train)
        self._test = _safe_split(estimator, X, y, test, train)

    def run(self) -> float | BaseException:
        """Fit, and return the score on held-out data, or what was raised: some errors end a thread of a pool."""
        FOLD_NUMBER.set(self._number)
        failed = True
        try:
            fit_with_callbacks(self._model, [_AfterEpoch(self), *self._callbacks], *self._train)
            failed = False
            return self._score()
        except BaseException as error:
            return error
        finally:
            self._lockstep.leave(self._number, failed=failed)

    def after_epoch(self, metadata: dict[str, Any]) -> bool:
        """Score the unfinished model, add the score to the epoch's ``metadata``, and return whether to stop."""
        try:
            score = self._score()
        except NotFittedError:
            return False
        metadata["test_score"] = score
        return self._lockstep.after_epoch(self._number, score)

    def _score(self) -> float:
        return float(self._scorer(self._model, *self._test))


class _AfterEpoch(FitListener):
    """Notifies a fold of its epochs; other callbacks come after it, so that they get the score on held-out data, too."""

    def __init__(self, fold: _Fold) -> None:
        super().__init__()
        self._fold: _Fold | None = fold

    def __getstate__(self) -> dict[str, Any]:  # in a worker of an inner search there is nothing to do
        return {"_under_way": self._under_way, "_fold": None}

    def on_fit_task_end(self, estimator: Any, context: Any, *, metadata: Any = None) -> bool:
        """Return whether the fit is to stop."""
        task = FitTask.of(context)
        stops = False
        if self._fold is not None and task.name == "epoch" and not {FOLD, REFIT} & {role for role, _ in task.path}:
            stops = self._fold.after_epoch(metadata)
        return super().on_fit_task_end(estimator, context, metadata=metadata) or stops
