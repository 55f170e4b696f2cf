"""Engines that are compared with the plain loop before their first use, and left out once they fail."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._engine import Engine
from seqpipe.recurrence._generators import GENERATORS
from seqpipe.recurrence._loop import LoopEngine
from seqpipe.recurrence._parts import cell_tensors
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence._trial import draws_random_numbers, find_fault, said
from seqpipe.recurrence.compiler._signature import Signature, signature_of

__all__ = ["CheckedEngine"]

_Found = dict[Signature, str | None]


class CheckedEngine(Engine):
    """Takes the cells that another engine takes and runs as the plain loop does.

    Whatever that engine raises, but for a lack of memory, ends its use for such cells with a warning, and nothing else.

    Parameters
    ----------
    make : callable () -> Engine
        What makes the engine.
    name : str
        The name that users write.
    whose : str, default=""
        What warnings say after the engine's name about where it comes from.
    """

    def __init__(self, make: Callable[[], Engine], name: str, whose: str = "") -> None:
        self.name = name
        self._whose = whose
        self._lock = GENERATORS
        self._faults: _Found = {}
        self._own: WeakKeyDictionary[Cell, _Found] = WeakKeyDictionary()
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
            faults, key = self._found(cell)
            fault = f"it fails to tell whether it takes the cell ({said(error)})"
            return faults.get(key) or self._leave_out(cell, fault)
        return refusal or self._fault(cell)

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x in the engine or, should that fail, in the plain loop."""
        try:
            return self._cleared(cell, x, valid, state)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # if it is the cell that fails, the loop will say so
            self._leave_out(cell, f"it fails ({said(error)})")
            return LoopEngine().run(cell, x, valid, state)

    def code(self, cell: Cell) -> str:
        """Return the code that the engine made for a cell."""
        code = getattr(self._engine, "code", None)
        return "" if code is None else str(code(cell))

    def _cleared(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the engine, and clear whatever it left in the padding."""
        assert self._engine is not None
        outputs, after = self._engine.run(cell, x, valid, state)
        return outputs if valid is None else valid.clear(outputs), after

    def _fault(self, cell: Cell) -> str | None:
        """Return what speaks against the engine for such cells, looked for once."""
        faults, key = self._found(cell)
        if key not in faults:
            with self._lock, torch.inference_mode(False):
                if key not in faults:
                    faults[key] = self._compare(cell)
        return faults[key]

    def _compare(self, cell: Cell) -> str | None:
        if draws_random_numbers(cell):
            return "the cell draws random numbers, so that results cannot be compared"
        for training in (False, True):
            fault = find_fault(self._cleared, cell, training=training)
            if fault is not None:
                return self._leave_out(cell, fault)
        return None

    def _leave_out(self, cell: Cell, fault: str) -> str:
        faults, key = self._found(cell)
        faults[key] = fault
        self._warn(f" for {type(cell).__name__}", fault)
        return fault

    def _found(self, cell: Cell) -> tuple[_Found, Signature]:
        """Return where faults with a cell are kept, and the key to it."""
        signature, shared = signature_of(cell, cell_tensors(cell))
        device = next((p.device for p in cell.parameters()), None)
        return self._faults if shared else self._own.setdefault(cell, {}), (*signature, device)

    def _warn(self, cells: str, fault: str) -> None:
        message = f"The engine {self.name!r}{self._whose} is not used{cells}: {fault}."
        warnings.warn(message, RuntimeWarning, stacklevel=4)
