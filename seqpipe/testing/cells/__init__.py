"""Conformance checks of cells.

``_subject`` creates the cell and runs it; each other module holds a group of checks, functions of a `CellSubject` that raise
`Failure` with the smallest case and the remedy: ``_protocol`` what a cell is and returns, ``_purity`` that a step is a
function, ``_batches`` that batches do not matter, ``_training`` gradients, ``_use`` engines, persistence and estimators.
"""

from seqpipe.testing.cells._check_cell import CELL_CHECKS, check_cell, parametrize_with_cell_checks

__all__ = ["CELL_CHECKS", "check_cell", "parametrize_with_cell_checks"]
