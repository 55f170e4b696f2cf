"""Reports of conformance checks: what was checked, what failed, and what to do about it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from seqpipe.exceptions import UnknownNameError, did_you_mean

__all__ = [
    "Check",
    "CheckError",
    "CheckReport",
    "CheckResult",
    "Failure",
    "Skip",
    "check_named",
    "merged",
    "run_checks",
    "selected",
    "told",
]

S = TypeVar("S")
Status = Literal["passed", "failed", "failed as expected", "skipped"]


class CheckError(AssertionError):
    """Some checks failed; the message is the report."""


class Failure(AssertionError):
    """Raised by a check: the smallest case that fails, and what to do."""


class Skip(Exception):
    """Raised by a check that does not apply; the message says why."""


@dataclass(frozen=True)
class Check(Generic[S]):
    """A check of a subject.

    Attributes
    ----------
    name : str
        Identifies it in ``include``, ``exclude`` and reports.
    meaning : str
        One sentence: what holds if it passes.
    run : callable (subject) -> str or None
        Raises `Failure` or `Skip`; may return a remark for the report.
    """

    name: str
    meaning: str
    run: Callable[[S], str | None]


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check.

    Attributes
    ----------
    name, meaning : str
    status : {"passed", "failed", "failed as expected", "skipped"}
    message : str
        What failed and what to do, why it was skipped, or a remark.
    """

    name: str
    meaning: str
    status: Status
    message: str = ""

    def __str__(self) -> str:
        return f"{self.status:8} {self.name}: {self.message or self.meaning}"


@dataclass(frozen=True)
class CheckReport:
    """The outcomes of all checks of one subject.

    Attributes
    ----------
    subject : str
        What was checked.
    results : tuple of CheckResult
    """

    subject: str
    results: tuple[CheckResult, ...]

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed unexpectedly."""
        return tuple(result for result in self.results if result.status == "failed")

    @property
    def passed(self) -> bool:
        """Whether no check failed unexpectedly."""
        return not self.failed

    def __getitem__(self, name: str) -> CheckResult:
        return next(result for result in self.results if result.name == name)

    def __str__(self) -> str:
        counted = {status: sum(r.status == status for r in self.results) for status in ("passed", "failed", "skipped")}
        head = f"{self.subject}: " + ", ".join(f"{n} {status}" for status, n in counted.items())
        first, *others = self.results
        if first.status == "failed" and others and all(other.status == "skipped" for other in others):
            return "\n".join([head, f"  {first}", f"  skipped  the {len(others)} other checks: {first.name} failed"])
        return "\n".join([head, *(f"  {result}" for result in self.results)])

    def as_dict(self) -> dict[str, Any]:
        """Return built-in types, for JSON."""
        return {"subject": self.subject, "passed": self.passed, "checks": [vars(result) for result in self.results]}

    def raise_if_failed(self) -> None:
        """Raise an error that lists the failed checks, if there are any.

        Raises
        ------
        CheckError
        """
        if self.failed:
            listed = "\n".join(f"- {r.name} ({r.meaning.rstrip('.')}): {r.message}" for r in self.failed)
            raise CheckError(f"{self.subject} fails {len(self.failed)} of {len(self.results)} checks:\n{listed}")


def check_named(name: str, function: Callable[[S], str | None]) -> Check[S]:
    """Return a check whose meaning is the first sentence of the function's docstring."""
    meaning = (function.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    return Check(name, " ".join(meaning.split()), function)


def selected(
    checks: Sequence[Check[S]], include: Collection[str] | None, exclude: Collection[str], *, owner: str
) -> list[Check[S]]:
    """Return the checks that are included and not excluded.

    Raises
    ------
    UnknownNameError
        If there is no check of some name.
    """
    names = [check.name for check in checks]
    for name in (*(include or ()), *exclude):
        if name not in names:
            raise UnknownNameError(f"{owner} has no check {name!r}.{did_you_mean(name, names)} It has {names}.")
    return [c for c in checks if (include is None or c.name in include) and c.name not in exclude]


def run_checks(
    checks: Iterable[Check[S]], subject: S, name: str, expected_failed: Mapping[str, str] | None = None
) -> CheckReport:
    """Run all checks, also after one that failed; but if the first one fails, it is the reason why all others would.

    Parameters
    ----------
    checks : iterable of Check
    subject : object
        What they check.
    name : str
        Name of the subject in the report.
    expected_failed : mapping of str to str, optional
        Names of checks that are expected to fail, and why.
    """
    expected = expected_failed or {}
    results: list[CheckResult] = []
    for check in checks:
        if results and results[0].status == "failed":
            results.append(CheckResult(check.name, check.meaning, "skipped", f"{results[0].name} failed"))
        else:
            results.append(_outcome(check, subject, expected.get(check.name)))
    return CheckReport(name, tuple(results))


def merged(reports: Sequence[CheckReport], cases: Sequence[str]) -> CheckReport:
    """Return one report of the same checks in several cases: a check has the outcome of the first case that failed.

    Parameters
    ----------
    reports : sequence of CheckReport
        One per case.
    cases : sequence of str
        What tells the cases apart; begins the message of one that failed.
    """
    if len(reports) == 1:
        return reports[0]
    results = []
    for together in zip(*(report.results for report in reports), strict=True):
        failed = next((i for i, result in enumerate(together) if result.status == "failed"), None)
        if failed is None:
            results.append(together[0])
        else:
            results.append(replace(together[failed], message=f"{cases[failed]}: {together[failed].message}"))
    return CheckReport(reports[0].subject, tuple(results))


def _outcome(check: Check[S], subject: S, expected: str | None) -> CheckResult:
    try:
        remark = check.run(subject) or ""
    except Skip as reason:
        return CheckResult(check.name, check.meaning, "skipped", str(reason))
    except Exception as error:
        status: Status = "failed" if expected is None else "failed as expected"
        return CheckResult(check.name, check.meaning, status, expected or told(error))
    return CheckResult(check.name, check.meaning, "passed", remark)


def told(error: Exception) -> str:
    """Return the message of a failure, or what was raised and where."""
    if isinstance(error, Failure):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} (in {frame.name}, {frame.filename.rsplit('/', 1)[-1]}:{frame.lineno})"
