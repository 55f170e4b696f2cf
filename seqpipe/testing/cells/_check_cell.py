"""`check_cell` and `parametrize_with_cell_checks`: conformance checks for cells, for the tests of plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import torch

from seqpipe.cells import Cell
from seqpipe.testing._report import Check, CheckReport, check_named, merged, run_checks, selected
from seqpipe.testing.cells._batches import BATCHES
from seqpipe.testing.cells._protocol import PROTOCOL
from seqpipe.testing.cells._purity import PURITY
from seqpipe.testing.cells._subject import CellSubject
from seqpipe.testing.cells._training import TRAINING
from seqpipe.testing.cells._use import USE

__all__ = ["CELL_CHECKS", "check_cell", "parametrize_with_cell_checks"]

#: All checks of cells, in the order in which they run.
CELL_CHECKS: tuple[Check[CellSubject], ...] = tuple(
    check_named(function.__name__, function) for function in (*PROTOCOL, *PURITY, *BATCHES, *TRAINING, *USE)
)


def check_cell(
    cell: Callable[..., Cell],
    *,
    cell_params: Mapping[str, Any] | None = None,
    sizes: tuple[int, int] | list[tuple[int, int]] = (3, 5),
    include: Collection[str] | None = None,
    exclude: Collection[str] = (),
    expected_failed: Mapping[str, str] | None = None,
    raise_exceptions: bool = True,
) -> CheckReport:
    """Check that a cell conforms to the cell protocol, alone and in all that seqpipe does with it.

    All checks run, also after one that failed; only if a single step fails, the others are skipped. Each has a name,
    one sentence that says what it means, and on failure the smallest case that fails and what to do.

    Parameters
    ----------
    cell : callable (input_size, hidden_size, …) -> Cell
        The class of the cell, or a function that creates one.
    cell_params : dict, optional
        Further arguments.
    sizes : tuple of int, or list of them, default=(3, 5)
        input_size and hidden_size to check with; of several, each is checked, and a check passes if it does for all.
    include, exclude : collection of str, optional
        Names of the checks to run, all by default, and of those to leave out.
    expected_failed : mapping of str to str, optional
        Names of checks that may fail, and why.
    raise_exceptions : bool, default=True
        Whether to raise an error that lists the failed checks; otherwise they are only in the report.

    Returns
    -------
    report : CheckReport
        The outcome of every check; printed, a line each.

    Raises
    ------
    CheckError
        If a check fails and ``raise_exceptions`` is true.
    UnknownNameError
        If there is no check of some name.
    TypeError
        If ``cell`` is an instance or a name.

    Examples
    --------
    >>> from seqpipe import GRUCell
    >>> from seqpipe.testing import check_cell
    >>> report = check_cell(GRUCell, exclude=["speed_is_graded"])
    >>> report.passed, report["rows_are_independent"].status
    (True, 'passed')
    """
    if not callable(cell) or isinstance(cell, torch.nn.Module):
        raise TypeError(
            "The 'cell' of check_cell must be a class or a function (input_size, hidden_size) -> Cell, not a name or an "
            f"instance. Got {cell!r:.60} instead."
        )
    checks = selected(CELL_CHECKS, include, exclude, owner="check_cell")
    pairs = sizes if isinstance(sizes, list) else [sizes]
    reports = []
    for pair in pairs:
        subject = CellSubject(cell, dict(cell_params or {}), *pair)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            reports.append(run_checks(checks, subject, subject.name, expected_failed))
    report = merged(reports, [f"with input_size={m}, hidden_size={n}" for m, n in pairs])
    if raise_exceptions:
        report.raise_if_failed()
    return report


def parametrize_with_cell_checks(
    cells: Iterable[Callable[..., Cell]],
    *,
    expected_failed_checks: Callable[[Any], Mapping[str, str]] | None = None,
    exclude: Collection[str] = (),
) -> Any:
    """Return a decorator of pytest that runs a test for every check of every cell.

    The test takes ``cell`` and ``check``, the name of one check, as scikit-learn's ``parametrize_with_checks`` does.

    Parameters
    ----------
    cells : iterable of callable
        As in `check_cell`.
    expected_failed_checks : callable (cell) -> dict of str to str, optional
        Returns names of checks that are expected to fail, and why; these tests are marked as xfail.
    exclude : collection of str, optional
        Names of checks to leave out, such as "speed_is_graded", which takes time and judges nothing.

    Raises
    ------
    UnknownNameError
        If there is no check of some name.

    Examples
    --------
    ::

        @parametrize_with_cell_checks([MyCell])
        def test_my_cell(cell, check):
            check_cell(cell, include=[check])
    """
    import pytest

    checks = selected(CELL_CHECKS, None, exclude, owner="parametrize_with_cell_checks")
    cases = []
    for cell in cells:
        expected = {} if expected_failed_checks is None else expected_failed_checks(cell)
        for check in checks:
            marks = [pytest.mark.xfail(reason=expected[check.name])] if check.name in expected else []
            name = getattr(cell, "__name__", repr(cell))
            cases.append(pytest.param(cell, check.name, marks=marks, id=f"{name}-{check.name}"))
    return pytest.mark.parametrize(("cell", "check"), cases)
