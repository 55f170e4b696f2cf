"""What engines that plan a cell's step have in common: a plan for each kind of cell, compared with the plain loop at first use."""

from __future__ import annotations

import warnings
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CompilerError
from seqpipe.recurrence._engine import Engine
from seqpipe.recurrence._generators import GENERATORS
from seqpipe.recurrence._loop import LoopEngine
from seqpipe.recurrence._parts import cell_modules, cell_tensors, device_and_type
from seqpipe.recurrence._states import map_state, state_tensors
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence._trial import find_fault
from seqpipe.recurrence.compiler._signature import Signature, signature_of
from seqpipe.recurrence.compiler._trace import Unplannable

__all__ = ["PlannedEngine", "Program"]


class Program(Protocol):
    """A planned step, for one type of numbers and one set of wanted gradients.

    Attributes
    ----------
    dtype : torch.dtype
    input_grad : bool
        Whether it gives the gradient of x.
    checked : dict of bool to bool
        Whether inference (False) and training (True) were found right.
    source : str
        The code of a training step.
    """

    dtype: torch.dtype
    input_grad: bool
    checked: dict[bool, bool]

    @property
    def source(self) -> str: ...


class PlannedEngine(Engine):
    """Plans a cell once, and compares the plan's first use with the plain loop.

    Attributes
    ----------
    made : str
        What it says of a cell that it runs: "compiled".
    """

    made: str
    reads_padding = False

    def __init__(self) -> None:
        self._lock = GENERATORS
        self._programs: dict[Signature, Program | str] = {}
        self._own: WeakKeyDictionary[Cell, dict[Signature, Program | str]] = WeakKeyDictionary()

    def plan(self, cell: Cell, dtype: torch.dtype, **wanted: Any) -> Program:
        """Plan a cell's step for the gradients that are wanted: ``input_grad`` and ``parameter_grads``.

        Raises
        ------
        CompilerError, Unplannable
            If it cannot be planned; the message says why.
        """
        raise NotImplementedError

    def call(
        self, program: Any, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run over x (batch, n_timesteps, n_features); return the outputs, zero in the padding, and the final states."""
        raise NotImplementedError

    def unfit(self, device: torch.device, dtype: torch.dtype) -> str | None:
        """Say why a cell of this type, on this device, is not for this engine."""
        raise NotImplementedError

    def worthwhile(self, program: Any, x: Tensor) -> bool:
        """Tell whether the plan is faster than the plain loop for a batch of these sizes."""
        return True

    def refuses(self, cell: Cell) -> str | None:
        """Take a cell whose step can be planned."""
        program = self._program(cell, cell_tensors(cell), input_grad=True)
        return program if isinstance(program, str) else None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x; see `Engine.run`."""
        tensors = cell_tensors(cell)
        states = state_tensors(state)
        training = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *states, *tensors.values()))
        program = self._program(cell, tensors, input_grad=training and x.requires_grad)
        if (
            isinstance(program, str)
            or not _fits(program, tensors, x, *states)
            or not self.worthwhile(program, x)
            or not self._trusts(program, cell, training)
        ):
            return LoopEngine().run(cell, x if valid is None else valid.clear(x), valid, state)
        return self._call(program, tensors, x, valid, state)

    def code(self, cell: Cell) -> str:
        """Return the code of a training step's two loops, or why there is none."""
        program = self._program(cell, cell_tensors(cell), input_grad=True)
        return program if isinstance(program, str) else program.source

    def _program(self, cell: Cell, tensors: dict[str, Tensor], *, input_grad: bool) -> Program | str:
        """Return the cell's program, or why it has none."""
        unfit = _reason_against(cell, tensors) or self.unfit(*device_and_type(tensors))
        if unfit is not None:
            return unfit
        programs, key = self._known(cell, tensors, input_grad)
        if key not in programs:
            with self._lock, torch.inference_mode(False):
                if key not in programs:
                    programs[key] = self._plan(cell, tensors, input_grad)
        return programs[key]

    def _plan(self, cell: Cell, tensors: dict[str, Tensor], input_grad: bool) -> Program | str:
        device, dtype = device_and_type(tensors)
        if any(t.device != device or t.dtype != dtype for t in tensors.values()):
            return "the cell's tensors are of several types or devices"
        wanted = tuple(t.requires_grad for t in tensors.values())
        try:
            return self.plan(cell, dtype, input_grad=input_grad, parameter_grads=wanted)
        except (CompilerError, Unplannable) as error:
            return str(error)
        except Exception as error:  # what a step does is its author's choice: the plain loop can run it all the same
            return f"its step cannot be traced ({type(error).__name__}: {error})"

    def _known(
        self, cell: Cell, tensors: dict[str, Tensor], input_grad: bool
    ) -> tuple[dict[Signature, Program | str], Signature]:
        """Return the programs among which a cell's is kept, and the key to it."""
        signature, shared = signature_of(cell, tensors)
        key = (*signature, input_grad)
        return self._programs if shared else self._own.setdefault(cell, {}), key

    def _trusts(self, program: Program, cell: Cell, training: bool) -> bool:
        """Compare the program with the plain loop before its first use; a wrong one is never used."""
        if training not in program.checked:
            with self._lock, torch.inference_mode(False):
                if training not in program.checked:
                    doubt = self._doubt(program, cell, training)
                    program.checked[training] = doubt is None
                    if doubt is not None:
                        for input_grad in (False, True):
                            programs, key = self._known(cell, cell_tensors(cell), input_grad)
                            programs[key] = doubt
                        message = f"{type(cell).__name__} is not {self.made}: {doubt}."
                        warnings.warn(message, RuntimeWarning, stacklevel=3)
        return program.checked[training]

    def _doubt(self, program: Program, cell: Cell, training: bool) -> str | None:
        """Say what speaks against using a program."""

        def run(cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
            state = map_state(lambda s: s.to(program.dtype), state)  # cells may start from numbers of another type
            return self._call(program, cell_tensors(cell), x, valid, state)

        return find_fault(run, cell, training=training, input_grad=program.input_grad)

    def _call(
        self, program: Program, tensors: dict[str, Tensor], x: Tensor, valid: ValidSteps | None, state: State
    ) -> tuple[Tensor, State]:
        lengths = None if valid is None else valid.lengths
        outputs, finals = self.call(program, x, lengths, state_tensors(state), (*tensors.values(),))
        return outputs, finals if isinstance(state, tuple) else finals[0]


def _reason_against(cell: Cell, tensors: dict[str, Tensor]) -> str | None:
    """Say why a cell's tensors, or the state of torch, let nothing but the plain loop run it."""
    if torch.is_autocast_enabled(device_and_type(tensors)[0].type):
        return "torch.autocast changes types inside the step"
    for _, module in cell_modules(cell):
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks:
            return "a module of the cell has hooks"
    return None


def _fits(program: Program, tensors: dict[str, Tensor], *given: Tensor) -> bool:
    device = device_and_type(tensors)[0]
    return all(t.numel() and t.dtype == program.dtype and t.device == device for t in given)
