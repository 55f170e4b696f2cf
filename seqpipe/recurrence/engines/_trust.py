"""Engines that are compared with the plain loop before their first use, and left out once they fail."""

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
from seqpipe.recurrence.engines._trial import draws_random_numbers, find_fault, said

__all__ = ["CheckedEngine"]

#: Kinds of cells of which is known whether an engine takes them; the least recently used goes first.
_MOST_KINDS = 512


class CheckedEngine(Engine):
    """Takes the cells that another engine takes and runs as the plain loop does.

    Whatever that engine raises, but for a lack of memory, ends its use for such cells with a warning, and nothing else.

    Parameters
    ----------
    make : callable () -> Engine
        What makes the engine.
    name : str
        The name that users write.
    distribution : str, default=""
        The plug-in that it comes from.
    """

    def __init__(self, make: Callable[[], Engine], name: str, distribution: str = "") -> None:
        self.name = name
        self.offered_by = distribution
        self._lock = GENERATORS
        self._faults: Recent[Signature, str] = Recent(_MOST_KINDS)
        self._engine: Engine | None = None
        self._broken: str | None = None
        try:
            self._engine = make()
        except Exception as error:  # other engines can do the work
            self._broken = f"it cannot be made ({said(error)})"
            self._warn("", self._broken)

    def refuses(self, cell: Cell) -> str | None:
        """Take what the engine takes, once its results were the plain loop's in inference and training."""
        if self._engine is None:
            return self._broken
        try:
            refusal = self._engine.refuses(cell)
        except Exception as error:  # other engines can do the work
            fault = f"it fails to tell whether it takes the cell ({said(error)})"
            return self._faults.get(contents_of(cell).signature) or self._leave_out(cell, fault)
        return refusal or self._fault(cell)

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x in the engine or, should that fail, in the plain loop."""
        try:
            return self._cleared(cell, x, valid, state)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # if it is the cell that fails, the loop will say so
            fault = self._leave_out(cell, f"it fails ({said(error)})")
            return fall_back(cell, x, valid, state, f"not {self.name}: {fault}")

    def code(self, cell: Cell) -> str:
        """Return the code that the engine made for a cell."""
        code = getattr(self._engine, "code", None)
        return "" if code is None else str(code(cell))

    def _cleared(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the engine, and set its outputs in the padding to zero."""
        assert self._engine is not None
        outputs, after = self._engine.run(cell, x, valid, state)
        return outputs if valid is None else valid.clear(outputs), after

    def _fault(self, cell: Cell) -> str | None:
        """Return what speaks against the engine for such cells, looked for once."""
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
                fault = find_fault(self._cleared, cell, training=training)
                if fault is not None:
                    return self._leave_out(cell, fault)
        except CellError as error:  # it cannot be copied
            return str(error)
        return None

    def _leave_out(self, cell: Cell, fault: str) -> str:
        self._faults[contents_of(cell).signature] = fault
        self._warn(f" for {type(cell).__name__}", fault)
        return fault

    def _warn(self, cells: str, fault: str) -> None:
        whose = f" of the plug-in {self.offered_by!r}" if self.offered_by else ""
        message = f"The engine {self.name!r}{whose} is not used{cells}: {fault}."
        warnings.warn(message, RuntimeWarning, stacklevel=4)
