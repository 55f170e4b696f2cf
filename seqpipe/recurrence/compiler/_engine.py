"""The engine that runs a cell's step as generated C."""

from __future__ import annotations

import threading
import warnings
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CompilerError
from seqpipe.recurrence._engine import Engine
from seqpipe.recurrence._loop import LoopEngine
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.compiler._compare import difference_from_loop
from seqpipe.recurrence.compiler._function import run_program
from seqpipe.recurrence.compiler._native import NativeProgram
from seqpipe.recurrence.compiler._signature import Signature, signature_of
from seqpipe.recurrence.compiler._toolchain import find_compiler
from seqpipe.recurrence.compiler._trace import Unplannable

__all__ = ["CompiledEngine"]


class CompiledEngine(Engine):
    """Plans a cell once, compiles the plan, and compares its first use with the plain loop."""

    name = "c"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._programs: dict[Signature, NativeProgram | str] = {}
        self._own: WeakKeyDictionary[Cell, dict[Signature, NativeProgram | str]] = WeakKeyDictionary()

    def refuses(self, cell: Cell) -> str | None:
        """Take a cell on a CPU whose step can be planned, where there is a C compiler."""
        program = self._program(cell, input_grad=True)
        return program if isinstance(program, str) else None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x; see `Engine.run`."""
        tensors = (*cell.parameters(), *cell.buffers())
        states = state_tensors(state)
        training = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *states, *tensors))
        program = self._program(cell, input_grad=training and x.requires_grad)
        if isinstance(program, str) or not _fits(program, x, *states) or not self._trusts(program, cell, training):
            return LoopEngine().run(cell, x, valid, state)
        outputs, finals = run_program(program, x, None if valid is None else valid.lengths, states, tensors)
        return outputs, finals if isinstance(state, tuple) else finals[0]

    def code(self, cell: Cell) -> str:
        """Return the C of a training step's two loops, or why there is none."""
        program = self._program(cell, input_grad=True)
        return program if isinstance(program, str) else program.source

    def _program(self, cell: Cell, *, input_grad: bool) -> NativeProgram | str:
        """Return the cell's program, or why it has none."""
        unfit = _unfit(cell)
        if unfit is not None:
            return unfit
        programs, signature = self._known(cell)
        key = (*signature, input_grad)
        if key not in programs:
            with self._lock, torch.inference_mode(False):
                if key not in programs:
                    programs[key] = _plan(cell, input_grad=input_grad)
        return programs[key]

    def _known(self, cell: Cell) -> tuple[dict[Signature, NativeProgram | str], Signature]:
        """Return the programs among which a cell's is kept, and the key to it."""
        signature, shared = signature_of(cell)
        return self._programs if shared else self._own.setdefault(cell, {}), signature

    def _trusts(self, program: NativeProgram, cell: Cell, training: bool) -> bool:
        """Compare the program with the plain loop before its first use; a wrong one is never used."""
        if training not in program.checked:
            with self._lock, torch.inference_mode(False):
                if training not in program.checked:
                    doubt = _doubt(program, cell, training)
                    program.checked[training] = doubt is None
                    if doubt is not None:
                        programs, signature = self._known(cell)
                        programs |= {(*signature, False): doubt, (*signature, True): doubt}
                        warnings.warn(f"{type(cell).__name__} is not compiled: {doubt}.", RuntimeWarning, stacklevel=3)
        return program.checked[training]


def _unfit(cell: Cell) -> str | None:
    """Say why a cell's tensors, or the state of torch, are not for this engine."""
    kinds = {(t.device.type, t.dtype) for t in (*cell.parameters(), *cell.buffers())}
    if len(kinds) > 1:
        return "the cell's tensors are of several types or devices"
    device, dtype = kinds.pop() if kinds else ("cpu", torch.get_default_dtype())
    if device != "cpu" or dtype not in (torch.float32, torch.float64):
        return f"it compiles for float32 and float64 on a CPU, not {dtype} on {device}"
    if torch.is_autocast_enabled("cpu"):
        return "torch.autocast changes types inside the step"
    if any(
        m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks for m in cell.modules()
    ):
        return "a module of the cell has hooks"
    return None


def _fits(program: NativeProgram, *tensors: Tensor) -> bool:
    return all(t.numel() and t.dtype == program.dtype and t.device.type == "cpu" for t in tensors)


def _plan(cell: Cell, *, input_grad: bool) -> NativeProgram | str:
    tensors = (*cell.parameters(), *cell.buffers())
    dtype = tensors[0].dtype if tensors else torch.get_default_dtype()
    try:
        find_compiler()
        return NativeProgram(
            cell, dtype, input_grad=input_grad, parameter_grads=tuple(t.requires_grad for t in tensors)
        )
    except (CompilerError, Unplannable) as error:
        return str(error)
    except Exception as error:  # what a step does is its author's choice: the plain loop can run it all the same
        return f"its step cannot be traced ({type(error).__name__}: {error})"


def _doubt(program: NativeProgram, cell: Cell, training: bool) -> str | None:
    """Say what speaks against using a program."""
    try:
        difference = difference_from_loop(program, cell, training=training)
    except CompilerError as error:
        return str(error)
    limit = 1e-3 if program.dtype == torch.float32 else 1e-8
    return None if difference <= limit else f"the compiled step differs from the plain loop by {difference:.1e}"
