"""Conformance checks that authors of plug-ins can run in their tests."""

from seqpipe.testing._engines import ENGINE_CHECKS, check_engine
from seqpipe.testing._readers import READER_CHECKS, check_reader
from seqpipe.testing._report import CheckError, CheckReport, CheckResult
from seqpipe.testing._targets import CheckTarget, targets_named
from seqpipe.testing._wrappers import WRAPPER_CHECKS, check_wrapper
from seqpipe.testing.cells import CELL_CHECKS, check_cell, parametrize_with_cell_checks
from seqpipe.testing.estimators import ESTIMATOR_CHECKS, check_estimator
from seqpipe.testing.tasks import TASK_CHECKS, check_task

__all__ = [
    "CELL_CHECKS",
    "CheckError",
    "CheckReport",
    "CheckResult",
    "CheckTarget",
    "ENGINE_CHECKS",
    "ESTIMATOR_CHECKS",
    "READER_CHECKS",
    "TASK_CHECKS",
    "WRAPPER_CHECKS",
    "check_cell",
    "check_engine",
    "check_estimator",
    "check_reader",
    "check_task",
    "check_wrapper",
    "parametrize_with_cell_checks",
    "targets_named",
]
