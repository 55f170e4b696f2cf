"""Conformance checks that authors of cells and estimators can run in their tests."""

from seqpipe.testing._cells import check_cell
from seqpipe.testing._estimators import check_estimator

__all__ = ["check_cell", "check_estimator"]
