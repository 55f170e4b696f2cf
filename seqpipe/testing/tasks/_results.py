"""Checks of what a task computes of its fitted estimator: metrics, baselines, pictures, predictions, scores."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV

from seqpipe.callbacks import FitListener, FitTask, fit_with_callbacks
from seqpipe.sequences import Sequences
from seqpipe.tasks import TaskData
from seqpipe.testing._report import Failure, Skip, told
from seqpipe.testing.tasks._subject import TaskSubject, naming_the_method

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["RESULTS", "any_parameter"]


def metrics_are_finite_numbers(subject: TaskSubject) -> None:
    """Metrics are finite numbers, with the same names for any data, and the same when computed again."""
    with naming_the_method():
        train, test = subject.split()
        other = test if subject.task.target_type == "series" else train  # the training part of a series is not forecast
        found, again, of_other = (subject.task.metrics(subject.fitted, data) for data in (test, test, other))
    if not found:
        raise Failure("metrics() returns no metric: return at least one.")
    _check_finite("metrics()", found)
    if list(of_other) != list(found):
        raise Failure(
            f"metrics() returns {list(found)} for held-out data and {list(of_other)} for training data: return the same names."
        )
    if again != found:
        raise Failure(f"metrics() returns {again} when called again, instead of {found}: draw no random numbers.")


def _check_finite(what: str, metrics: Mapping[str, float]) -> None:
    for name, value in metrics.items():
        if not np.isfinite(value):
            raise Failure(
                f"{what} returns {name}={value}: return a finite number also for a poor model and few samples."
            )


def baselines_have_the_metrics(subject: TaskSubject) -> None:
    """Each baseline has finite metrics of the names of the model's, and constant_baseline is one of them."""
    task = subject.task
    with naming_the_method():
        train, test = subject.split()
        found = task.baselines(subject.fitted, train, test)
        names = list(task.metrics(subject.fitted, test))
    for baseline, metrics in found.items():
        if list(metrics) != names:
            raise Failure(
                f"The baseline {baseline!r} has {list(metrics)}, the model {names}: compute both by one function."
            )
        _check_finite(f"baselines()[{baseline!r}]", metrics)
    if task.constant_baseline is None:
        if not found:
            raise Skip("it has no baselines")
        return
    if task.constant_baseline not in found:
        raise Failure(
            f"constant_baseline is {task.constant_baseline!r}, which is none of {list(found)}: name one, or None."
        )
    if not set(task.constant_metrics) & set(names):
        raise Failure(f"None of constant_metrics, {task.constant_metrics}, is one of the metrics {names}: name some.")


def pictures_are_figures(subject: TaskSubject) -> None:
    """Pictures are figures that can be saved, by names that can be names of files."""
    with naming_the_method():
        found = subject.task.pictures(subject.fitted, *subject.split())
    if not found:
        raise Skip("it has no pictures")
    for name, figure in found.items():
        if not re.fullmatch(r"[\w.-]+", name):
            raise Failure(f"The picture {name!r} cannot be the name of a file: use letters, digits, '-' and '_'.")
        _check_saved(name, figure)


def epoch_pictures_are_drawn_in_training(subject: TaskSubject) -> None:
    """Pictures of an epoch are drawn of an estimator in training, and can be saved, by names of ASCII letters and digits."""
    with naming_the_method():
        if not subject.task.epoch_pictures(subject.fitted, subject.test):
            raise Skip("it has no pictures of epochs")
        found = _drawn_in_training(subject)
    for name, figure in found.items():
        if not re.fullmatch(r"[\w\-. /]+", name, re.ASCII):
            raise Failure(
                f"The picture {name!r} cannot be logged by epoch: use ASCII letters, digits, spaces, and '_-./'."
            )
        _check_saved(name, figure)


def _drawn_in_training(subject: TaskSubject) -> dict[str, Figure]:
    """Return the pictures of the last epoch of a fit."""
    estimator, (train, test) = clone(subject.estimator()), subject.split()
    drawing = _DrawsEpochs(lambda trained: subject.task.epoch_pictures(trained, test))
    if hasattr(estimator, "set_callbacks"):
        fit_with_callbacks(estimator, [drawing], train.X, train.y)
    if drawing.found is None:
        raise Skip("its estimator notifies callbacks of no epochs")
    return drawing.found


class _DrawsEpochs(FitListener):
    def __init__(self, draw: Callable[[Any], dict[str, Figure]]) -> None:
        super().__init__()
        self._draw = draw
        self.found: dict[str, Figure] | None = None

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        if "epoch" in metadata:
            self.found = self._draw(estimator)


def _check_saved(name: str, figure: Figure) -> None:
    try:
        figure.savefig(BytesIO(), dpi=20)
    except Exception as error:
        raise Failure(f"The picture {name!r} cannot be saved: {told(error)}.") from error


def predictions_have_a_row_each(subject: TaskSubject) -> None:
    """The table of predictions has a row per sample or time step, the same ones for data without targets."""
    with naming_the_method():
        test = subject.test
        frame = subject.task.predictions(subject.fitted, test)
        _check_rows("held-out data", frame, test)
        if subject.task.target_type == "series":
            _check_future(subject)
            return
        untargeted = replace(test, y=None)
        without = subject.task.predictions(subject.fitted, untargeted)
        _check_rows("data whose y is None", without, untargeted)
        if subject.task.needs_target and not without.equals(frame):
            raise Failure("predictions() differ if y is None: they must not depend on the targets.")
        data = subject.untargeted()
        _check_rows("data that is read with with_target=False", subject.task.predictions(subject.fitted, data), data)


def _check_rows(what: str, frame: pd.DataFrame, data: TaskData) -> None:
    steps = len(data.X.values) if isinstance(data.X, Sequences) else len(data.X)
    if len(frame) not in (len(data.X), steps):
        each = f"{len(data.X)} samples" + (f" of {steps} steps" if steps != len(data.X) else "")
        raise Failure(f"predictions() of {what} has {len(frame)} rows for {each}: return a row for each.")
    if frame.isna().to_numpy().any():
        column = frame.columns[frame.isna().any()][0]
        raise Failure(f"predictions() of {what} has missing values in the column {column!r}: predict every row.")


def _check_future(subject: TaskSubject) -> None:
    ahead = subject.task.future(subject.train, 2)
    _check_rows("the steps after the end of the series, as future() returns them,", _predicted(subject, ahead), ahead)


def _predicted(subject: TaskSubject, data: TaskData) -> pd.DataFrame:
    return subject.task.predictions(subject.fitted, data)


def scores_rank_candidates(subject: TaskSubject) -> None:
    """A search ranks candidates by the default score and by each of error_scores, of which the smallest error is best."""
    errors = [*getattr(subject.make(), "error_scores", ())]
    with naming_the_method():
        train = subject.train
        scorers = {str(name): _scorer(subject, name, train) for name in (None, *errors)}
        folds = subject.task.cv(subject.estimator(), train, n_splits=2, seed=0)
    search = GridSearchCV(
        subject.estimator(), any_parameter(subject), cv=folds, scoring=scorers, refit=False, error_score="raise"
    )
    try:
        results = search.fit(train.X, train.y).cv_results_
    except Exception as error:
        raise Failure(f"GridSearchCV fails: {told(error)}. Let scorer(name) return a value of scoring=.") from error
    for name in scorers:
        value = float(results[f"mean_test_{name}"][0])
        if not np.isfinite(value):
            raise Failure(f"scorer({name!r}) scores a candidate {value}: a search cannot rank it.")
        if name in errors and value > 0:
            raise Failure(
                f"scorer({name!r}) scores a candidate {value:.3g}: negate errors, as a search takes the greatest."
            )


def _scorer(subject: TaskSubject, name: str | None, train: TaskData) -> Any:
    fault = subject.task.scoring_fault(name, train)
    if fault is not None:
        raise Failure(
            f"scoring_fault({name!r}) says {fault!r} for the data of the task: return None for scores that apply."
        )
    scorer = subject.task.scorer(name)
    try:
        return check_scoring(subject.estimator(), scoring=scorer)
    except Exception as error:
        raise Failure(
            f"scorer({name!r}) returns {scorer!r}, which is no score: {told(error)}. Return a name of scikit-learn's or a "
            "function; without a name, the estimator needs a method score()."
        ) from error


def any_parameter(subject: TaskSubject) -> dict[str, list[Any]]:
    """Return a grid of one parameter of the estimator with the value that it has; an empty one if it has none."""
    estimator = subject.estimator()
    params = estimator.get_params(deep=False)
    given = {subject.task.parameter(name): value for name, value in subject.params.items()}
    plain = {name: value for name, value in params.items() if isinstance(value, int | float | str | None)}
    return {name: [value] for name, value in [*given.items(), *plain.items()][:1]}


RESULTS = (
    metrics_are_finite_numbers,
    baselines_have_the_metrics,
    pictures_are_figures,
    epoch_pictures_are_drawn_in_training,
    predictions_have_a_row_each,
    scores_rank_candidates,
)
