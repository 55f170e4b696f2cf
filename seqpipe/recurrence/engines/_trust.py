"""Engines that are compared with the plain loop before their first use, and no longer used once they fail."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CellError
from seqpipe.recurrence._generators import GENERATORS
from seqpipe.recurrence._recent import Recent
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.contents import Signature, contents_in_run, contents_of
from seqpipe.recurrence.engines._engine import Engine
from seqpipe.recurrence.engines._loop import fall_back
from seqpipe.recurrence.engines._trial import draws_random_numbers, find_fault, one_line

__all__ = ["CheckedEngine"]

#: Maximum number of kinds of cells whose comparison is remembered.
_MAX_KINDS = 512


class CheckedEngine(Engine):
    """Use another engine for the cells that it accepts and runs as the plain loop does.

    If that engine raises any error other than a lack of memory, it is no longer used for such cells, with a warning.

    Parameters
    ----------
    make : callable () -> Engine
        Function that creates the engine.
    name : str
        Name of the engine for users.
    distribution : str, default=""
        Distribution of the plug-in that offers it.
    """

    def __init__(self, make: Callable[[], Engine], name: str, distribution: str = "") -> None:
        self.name = name
        self.offered_by = distribution
        self._lock = GENERATORS
        self._faults: Recent[Signature, str] = Recent(_MAX_KINDS)
        self._engine: Engine | None = None
        self._error: str | None = None
        try:
            self._engine = make()
        except Exception as error:  # other engines can run the cells
            self._error = f"it cannot be created ({one_line(error)})"
            self._warn("", self._error)

    def refuses(self, cell: Cell) -> str | None:
        """Accept what the engine accepts, if its results in inference and training equal the plain loop's."""
        if self._engine is None:
            return self._error
        try:
            refusal = self._engine.refuses(cell)
        except Exception as error:  # other engines can run the cells
            fault = f"its method refuses fails ({one_line(error)})"
            return self._faults.get(contents_of(cell).signature) or self._exclude(cell, fault)
        return refusal or self._fault(cell)

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x in the engine or, if that fails, in the plain loop."""
        try:
            return self._run_cleared(cell, x, valid, state)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # if the cell itself fails, the loop raises its error
            fault = self._exclude(cell, f"it fails ({one_line(error)})")
            return fall_back(cell, x, valid, state, f"not {self.name}: {fault}")

    def code(self, cell: Cell) -> str:
        """Return the code that the engine generates for a cell."""
        code = getattr(self._engine, "code", None)
        return "" if code is None else str(code(cell))

    def _run_cleared(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the engine, and set its outputs in the padding to zero."""
        assert self._engine is not None
        outputs, after = self._engine.run(cell, x, valid, state)
        return outputs if valid is None else valid.clear(outputs), after

    def _fault(self, cell: Cell) -> str | None:
        """Return why the engine cannot be used for such cells, determined once per kind of cell."""
        contents = contents_in_run(cell)
        if contents.unseen is not None:
            return contents.unseen
        fault = self._faults.get(contents.signature)
        if fault is None:
            with self._lock, torch.inference_mode(False):
                fault = self._faults.get(contents.signature)
                if fault is None:
                    fault = self._faults[contents.signature] = self._compare(cell) or ""
        return fault or None

    def _compare(self, cell: Cell) -> str | None:
        try:
            if draws_random_numbers(cell):
                return "the cell draws random numbers, so that results cannot be compared"
            for training in (False, True):
                fault = find_fault(self._run_cleared, cell, training=training)
                if fault is not None:
                    return self._exclude(cell, fault)
        except CellError as error:  # the cell cannot be copied
            return str(error)
        return None

    def _exclude(self, cell: Cell, fault: str) -> str:
        self._faults[contents_of(cell).signature] = fault
        self._warn(f" for {type(cell).__name__}", fault)
        return fault

    def _warn(self, cells: str, fault: str) -> None:
        whose = f" of the plug-in {self.offered_by!r}" if self.offered_by else ""
        message = f"The engine {self.name!r}{whose} is not used{cells}: {fault}."
        warnings.warn(message, RuntimeWarning, stacklevel=4)
