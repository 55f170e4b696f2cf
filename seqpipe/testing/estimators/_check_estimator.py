"""`check_estimator`: conformance checks for estimators on sequences, which scikit-learn's checks do not cover."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator

from seqpipe.exceptions import BaselineWarning
from seqpipe.testing._report import Check, CheckReport, Failure, check_named, run_checks, selected
from seqpipe.testing.estimators._captions import CaptionProblem, writes_captions
from seqpipe.testing.estimators._checks import CHECKS
from seqpipe.testing.estimators._problem import Problem
from seqpipe.testing.estimators._sequences import SequenceProblem, takes_several
from seqpipe.testing.estimators._texts import TextProblem, takes_texts

__all__ = ["ESTIMATOR_CHECKS", "check_estimator"]


@dataclass(frozen=True)
class EstimatorSubject:
    """An estimator to be checked, with one kind of data or several."""

    problems: tuple[Problem, ...]


def _for_each_problem(check: Callable[[Problem], None]) -> Callable[[EstimatorSubject], None]:
    def run(subject: EstimatorSubject) -> None:
        for problem in subject.problems:
            try:
                check(problem)
            except Failure as failure:
                raise Failure(f"{problem.prefix}{failure}") from failure

    run.__name__, run.__doc__ = check.__name__, check.__doc__
    return run


#: All checks of estimators, in the order in which they run.
ESTIMATOR_CHECKS: tuple[Check[EstimatorSubject], ...] = tuple(
    check_named(check.__name__, _for_each_problem(check)) for check in CHECKS
)


def check_estimator(
    estimator: BaseEstimator,
    *,
    include: Collection[str] | None = None,
    exclude: Collection[str] = (),
    expected_failed: Mapping[str, str] | None = None,
    raise_exceptions: bool = True,
) -> CheckReport:
    """Check an estimator with targets per sequence, or per time step, on ragged and three-dimensional input.

    An estimator whose tags declare several labels or outputs is checked with two of them as well; messages then begin
    with "With two targets".

    Parameters
    ----------
    estimator : estimator
        Unfitted, with an int as random_state; a few dozen epochs are sufficient. An estimator with the parameter
        ``loss_on`` is given one target per time step; one whose tags declare text input is given texts; one with
        ``predict_n_best`` is given vectors.
    include, exclude, expected_failed, raise_exceptions
        As in `check_cell`.

    Returns
    -------
    report : CheckReport
        The outcome of every check.

    Raises
    ------
    ValueError
        If the estimator has no random_state.
    CheckError
        If a check fails and ``raise_exceptions`` is true.

    Examples
    --------
    >>> from seqpipe import SequenceRegressor
    >>> from seqpipe.testing import check_estimator
    >>> tiny = SequenceRegressor(hidden_size=2, max_epochs=1, random_state=0)
    >>> check_estimator(tiny, include=["fits_repeat", "batches_do_not_matter"]).passed
    True
    """
    if getattr(estimator, "random_state", None) is None:
        raise ValueError(
            "check_estimator needs an estimator instance with an int as random_state, so that fits are reproducible."
        )
    checks = selected(ESTIMATOR_CHECKS, include, exclude, owner="check_estimator")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BaselineWarning)  # a contract is kept, or broken, however well a fit has learnt
        report = run_checks(checks, EstimatorSubject(_problems(estimator)), type(estimator).__name__, expected_failed)
    if raise_exceptions:
        report.raise_if_failed()
    return report


def _problems(estimator: Any) -> tuple[Problem, ...]:
    if takes_texts(estimator):
        return (TextProblem(estimator),)
    if writes_captions(estimator):
        return (CaptionProblem(estimator),)
    one = SequenceProblem(estimator)
    return (one, SequenceProblem(estimator, several=True)) if takes_several(estimator) else (one,)
