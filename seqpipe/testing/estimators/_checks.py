"""The checks of estimators, each a function of a `Problem`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score

from seqpipe.testing._report import Failure
from seqpipe.testing.estimators._problem import Problem, Refusal, compare

__all__ = ["CHECKS"]


def fits_and_predicts(problem: Problem) -> None:
    """It is fitted, which fit returns, and gives one answer per sample."""
    X, y = problem.data()
    model = clone(problem.estimator)
    if model.fit(X, y) is not model:
        raise Failure("fit() does not return the estimator: end it with return self.")
    for part, found in problem.answers(model, problem.data()[0]).items():
        if len(found) != len(X):
            raise Failure(f"{len(X)} samples give {len(found)} {part}: return one per sample, in their order.")


def data_is_not_changed(problem: Problem) -> None:
    """Fitting and predicting leave X and y as they are, and take arrays that cannot be written to."""
    X, y = problem.data()
    model = problem.fit(X, y)
    model.predict(X)
    for name, found, expected in zip(("X", "y"), (X, y), problem.data()):
        if not _same_values(found, expected):
            raise Failure(f"fit or predict changed {name}: work on a copy.")
    for array in _arrays(X, y):
        array.setflags(write=False)
    try:
        problem.fit(X, y).predict(X)
    except ValueError as error:
        raise Failure(f"Arrays that are read-only are not accepted: {error}. Work on a copy.") from error


def _same_values(found: Any, expected: Any) -> bool:
    if found is None or expected is None:
        return found is expected
    return len(found) == len(expected) and all(np.array_equal(a, b) for a, b in zip(found, expected))


def _arrays(*parts: Any) -> list[Any]:
    """Return the arrays that the data consists of."""
    each = [item for part in parts for item in (part if isinstance(part, list) else [part])]
    return [item for item in each if isinstance(item, np.ndarray)]


def input_kinds_agree(problem: Problem) -> None:
    """All accepted kinds of input give the same fit and the same predictions."""
    remedy = "Convert X in fit and predict alike, as seqpipe's estimators do."
    X, y = problem.data()
    for name, make in problem.kinds.items():
        fitted = problem.fit(make(X), y)
        compare(f"A fit to {name}", problem.answers(fitted, make(X)), problem.expected, remedy)
        compare(f"Predictions of {name}", problem.answers(problem.fitted, make(X)), problem.expected, remedy)


def three_dimensional_input_works(problem: Problem) -> None:
    """(n_samples, n_timesteps, n_features) gives the results of a list, and one feature, one sequence and other lengths are taken."""
    problem.three_dimensions()


def batches_do_not_matter(problem: Problem) -> None:
    """A sample gives the same answer alone, in a batch, and in another order."""
    remedy = "A prediction must depend on its own sample alone, not on padding, position or other samples."
    X, _ = problem.data()
    expected = problem.expected
    each = [problem.answers(problem.fitted, X[i : i + 1]) for i in range(len(X))]
    alone = {part: [answer for one in each for answer in one[part]] for part in expected}
    compare("Alone instead of in a batch", alone, expected, remedy)
    order = np.random.default_rng(2).permutation(len(X))
    shuffled = problem.answers(problem.fitted, X[order] if isinstance(X, np.ndarray) else [X[i] for i in order])
    in_order = {part: [answers[i] for i in order] for part, answers in expected.items()}
    compare("In another order", shuffled, in_order, remedy)


def fits_repeat(problem: Problem) -> None:
    """Fitting again, in a clone or in place, gives the same bits."""
    X, y = problem.data()
    expected = problem.expected
    again = problem.fit(X, y)
    compare(
        "A second fit with the same random_state",
        problem.answers(again, X), expected, "Draw random numbers from random_state alone.", exact=True,
    )  # fmt: skip
    compare(
        "Refitting instead of fitting a new estimator",
        problem.answers(again.fit(X, y), X), expected, "Let fit forget what an earlier fit has learnt.", exact=True,
    )  # fmt: skip


def fitted_models_are_pickled(problem: Problem) -> None:
    """A fitted estimator that is pickled and loaded gives the same bits."""
    loaded = pickle.loads(pickle.dumps(problem.fitted))
    found = problem.answers(loaded, problem.data()[0])
    compare("After pickling", found, problem.expected, "Keep all that predict reads when it is pickled.", exact=True)


def model_selection_works(problem: Problem) -> None:
    """scikit-learn scores, cross-validates and searches it, alone and in a Pipeline."""
    X, y = problem.data()
    pipeline = problem.pipeline()
    if not np.isfinite(pipeline.fit(X, y).score(X, y)):
        raise Failure("A Pipeline gives no score: let score(X, y) return a finite number.")
    if not np.isfinite(cross_val_score(clone(problem.estimator), X, y, cv=2)).all():
        raise Failure("cross_val_score gives no score: let score(X, y) return a finite number.")
    if y is not None and len(cross_val_predict(clone(problem.estimator), X, y, cv=2)) != len(X):
        raise Failure("cross_val_predict does not give one prediction per sample: let predict return one for each.")
    grid = {"model__cell": ["rnn", "gru"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(problem.splittable(X), y)
    if search.best_params_["model__cell"] not in ("rnn", "gru"):
        raise Failure("A search over cells selects none: let set_params(cell=…) set the cell that fit uses.")


def bad_input_is_refused(problem: Problem) -> None:
    """Invalid input raises a ValueError that says what is wrong and where."""
    for refusal in problem.refusals():
        refusal.check()
    X, _ = problem.data()
    if isinstance(X, np.ndarray) or isinstance(X[0], np.ndarray):
        fewer = X[:, :2] if isinstance(X, np.ndarray) else [np.ones((2, 3))]
        Refusal("predict with other features", lambda: problem.fitted.predict(fewer), "features").check()


def missing_targets_are_handled(problem: Problem) -> None:
    """A missing target is refused, or, with one target per step, left out of loss and score."""
    problem.missing_targets()


CHECKS = (
    fits_and_predicts,
    data_is_not_changed,
    input_kinds_agree,
    three_dimensional_input_works,
    batches_do_not_matter,
    fits_repeat,
    fitted_models_are_pickled,
    model_selection_works,
    bad_input_is_refused,
    missing_targets_are_handled,
)
