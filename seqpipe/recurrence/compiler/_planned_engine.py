"""Engines that plan a cell's step, with one plan per kind of cell, compared with the plain loop at first use."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CellError, CompilerError
from seqpipe.recurrence._generators import GENERATORS
from seqpipe.recurrence._recent import Recent
from seqpipe.recurrence._states import map_state, state_tensors
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.compiler._state_numbers import largest_whole
from seqpipe.recurrence.compiler.trace import Call, Recipes, Unplannable, batch_size_for, calls_of, same_calls
from seqpipe.recurrence.contents import Contents, Signature, contents_in_run, contents_of, first_states
from seqpipe.recurrence.engines import Engine, fall_back, find_fault

__all__ = ["PlannedEngine", "PlannedProgram", "given_to", "read_by"]

#: Maximum number of plans for one changing cell: a plan costs as much as thousands of steps.
_MAX_CHANGES = 12
#: Maximum number of checked batch sizes per plan.
_MAX_SIZES = 4096


class PlannedProgram(Protocol):
    """A planned step, for one dtype and one set of required gradients.

    Attributes
    ----------
    dtype : torch.dtype
    input_grad : bool
        Whether it computes the gradient of x.
    checked : dict of bool to bool
        Results of the comparison with the plain loop in inference (False) and training (True).
    recipes : Recipes
        Computation of the inputs of the step that torch derives from the cell's tensors.
    projected : bool
        Whether its input is the result of the cell's `project`, which torch runs for all steps at once.
    source : str
        Code of a training step.
    """

    dtype: torch.dtype
    input_grad: bool
    checked: dict[bool, bool]
    recipes: Recipes
    projected: bool

    @property
    def source(self) -> str: ...


@dataclass
class PlannedCell:
    """A program and the inputs that it was planned for.

    Attributes
    ----------
    program : PlannedProgram
    states : list of (shape, dtype)
        Shape and dtype of each tensor in the state of a sample.
    calls : list of Call
        Operations of a step with ``reference_size`` samples, empty until first needed.
    reference_size : int
        A batch size that differs from every other size in the step.
    sizes : dict of int to None
        Batch sizes at which the step was found to do the same.
    """

    program: PlannedProgram
    states: list[tuple[torch.Size, torch.dtype]]
    reference_size: int
    calls: list[Call] = field(default_factory=list)
    sizes: dict[int, None] = field(default_factory=dict)

    def mismatch(self, device: torch.device, x: Tensor, states: tuple[Tensor, ...]) -> str | None:
        """Return how a batch differs from the inputs that the program was planned for."""
        if not x.numel() or x.dtype != self.program.dtype or x.device != device:
            return f"it was planned for {self.program.dtype} on {device}, and x is {x.dtype} on {x.device}"
        if len(states) != len(self.states):
            return f"it was planned for a state of {len(self.states)} tensor(s), not {len(states)}"
        for (shape, dtype), state in zip(self.states, states):
            fits = state.dtype == dtype and state.device == device and state.numel()
            fits = fits and (not dtype.is_floating_point or dtype == self.program.dtype)
            if state.shape != (len(x), *shape) or not fits:
                found = f"{state.dtype} of shape {tuple(state.shape)} on {state.device}"
                planned = f"{dtype} of shape {(len(x), *shape)} on {device}"
                return f"it was planned for a state of {planned}, not {found}"
            if not (dtype.is_floating_point or dtype.is_complex) and float(state.abs().max()) >= largest_whole(x.dtype):
                return f"its state has integers that {x.dtype} cannot represent exactly"
        return None


class PlannedEngine(Engine):
    """Plan a cell once, and compare the plan with the plain loop at its first use.

    Parameters
    ----------
    most_plans : int, default=512
        Maximum number of plans in memory; the least recently used is discarded first. Compiled code stays on disk.

    Attributes
    ----------
    made : str
        Participle for warnings, as in "is not compiled".
    """

    made: str
    reads_padding = False

    def __init__(self, most_plans: int = 512) -> None:
        self._lock = GENERATORS
        self._plans: Recent[Signature, PlannedCell | str] = Recent(most_plans)
        self._changes: WeakKeyDictionary[Cell, int] = WeakKeyDictionary()

    def plan(self, cell: Cell, dtype: torch.dtype, **wanted: Any) -> PlannedProgram:
        """Plan a cell's step for the gradients that are required: ``input_grad`` and ``parameter_grads``.

        Raises
        ------
        CompilerError, Unplannable
            If it cannot be planned; the message is the reason.
        """
        raise NotImplementedError

    def call(
        self, program: Any, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run over x (batch, n_timesteps, n_features); return the outputs, zero in the padding, and the final states."""
        raise NotImplementedError

    def unfit(self, device: torch.device, dtype: torch.dtype) -> str | None:
        """Return why this engine does not support a dtype or device."""
        raise NotImplementedError

    def worthwhile(self, program: Any, x: Tensor) -> bool:
        """Return whether the plan is faster than the plain loop for a batch of this size."""
        return True

    def refuses(self, cell: Cell) -> str | None:
        """Accept a cell whose step can be planned."""
        plan = self._plan_for(cell, contents_in_run(cell), input_grad=True)
        return plan if isinstance(plan, str) else None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x; see `Engine.run`."""
        contents = contents_in_run(cell, last=True)
        program = self.program_for(cell, contents, x, state_tensors(state))
        if isinstance(program, str):
            return fall_back(cell, x, valid, state, f"not {self.name}: {program}")
        return self._call(program, cell, contents.tensors, x, valid, state)

    def program_for(self, cell: Cell, contents: Contents, x: Tensor, states: tuple[Tensor, ...]) -> Any:
        """Return the cell's program for a batch, or why there is none, a str."""
        tensors = (x, *states, *contents.tensors.values())
        training = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
        plan = self._plan_for(cell, contents, input_grad=training and x.requires_grad)
        if isinstance(plan, str):
            return plan
        return self._refusal_of(plan, cell, contents, x, states, training) or plan.program

    def code(self, cell: Cell) -> str:
        """Return the code of a training step, or why there is none."""
        plan = self._plan_for(cell, contents_of(cell), input_grad=True)
        return plan if isinstance(plan, str) else plan.program.source

    def _plan_for(self, cell: Cell, contents: Contents, *, input_grad: bool) -> PlannedCell | str:
        """Return the cell's plan, or why there is none."""
        unfit = contents.unseen or _unsupported(contents) or self.unfit(contents.device, contents.dtype)
        if unfit is not None:
            return unfit
        key = (*contents.signature, input_grad)
        plan = self._plans.get(key)
        if plan is None:
            with self._lock, torch.inference_mode(False):
                plan = self._plans.get(key)
                if plan is None:
                    changes = self._count_change(cell)
                    if changes > _MAX_CHANGES:  # not stored: other cells of this kind may not change
                        return f"it changed {changes} times between runs: keep values that change in a buffer"
                    plan = self._plans[key] = self._make(cell, contents, input_grad)
        return plan

    def _count_change(self, cell: Cell) -> int:
        """Return the number of times that the cell needed a new plan."""
        same = cell.__dict__.get("_computed_from", cell)
        self._changes[same] = self._changes.get(same, 0) + 1
        return self._changes[same]

    def _make(self, cell: Cell, contents: Contents, input_grad: bool) -> PlannedCell | str:
        device, dtype = contents.device, contents.dtype
        real = [t for t in contents.tensors.values() if t.is_floating_point() or t.is_complex()]
        if any(t.device != device for t in contents.tensors.values()) or any(t.dtype != dtype for t in real):
            return "the cell's tensors have several dtypes or devices"
        wanted = tuple(t.requires_grad for t in contents.tensors.values())
        try:
            states = [(s.shape[1:], s.dtype) for s in state_tensors(first_states(cell, 1))]
            program = self.plan(cell, dtype, input_grad=input_grad, parameter_grads=wanted)
            return PlannedCell(program, states, batch_size_for(cell, projected=program.projected))
        except (CellError, CompilerError, Unplannable) as error:
            return str(error)
        except Exception as error:  # a step may run any code: the plain loop can still run it
            return f"its step cannot be traced ({type(error).__name__}: {error})"

    def _refusal_of(
        self, plan: PlannedCell, cell: Cell, contents: Contents, x: Tensor, states: tuple[Tensor, ...], training: bool
    ) -> str | None:
        """Return why a plan must not run a batch."""
        mismatch = plan.mismatch(contents.device, x, states)
        if mismatch is not None:
            return mismatch
        if not self.worthwhile(plan.program, x):
            return "the plain loop is faster for a batch of this size"
        return self._check(plan, cell, contents, training) or self._check_size(plan, cell, contents, len(x))

    def _check(self, plan: PlannedCell, cell: Cell, contents: Contents, training: bool) -> str | None:
        """Compare the program with the plain loop before its first use; return why it must not be used."""
        program = plan.program
        if training not in program.checked:
            with self._lock, torch.inference_mode(False):
                if training not in program.checked:
                    fault = self.fault(program, cell, training)
                    program.checked[training] = fault is None
                    if fault is not None:
                        self._reject(contents, fault)
                        message = f"{type(cell).__name__} is not {self.made}: {fault}."
                        warnings.warn(message, RuntimeWarning, stacklevel=4)
        return None if program.checked[training] else "its results differ from the plain loop's"

    def _check_size(self, plan: PlannedCell, cell: Cell, contents: Contents, batch_size: int) -> str | None:
        """Return an error if the step's operations depend on the batch size, checked once per size."""
        if batch_size in plan.sizes:
            return None
        with self._lock, torch.inference_mode(False):
            try:
                projected, size = plan.program.projected, plan.reference_size
                plan.calls = plan.calls or calls_of(cell, size, projected=projected)
                same = same_calls(plan.calls, size, calls_of(cell, batch_size, projected=projected), batch_size)
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except Exception:  # it fails for this size only, and the loop raises the error
                same = False
        if not same:
            self._reject(contents, "its step does something else for another batch size")
            return "its step does something else for another batch size"
        if len(plan.sizes) >= _MAX_SIZES:
            plan.sizes.clear()
        plan.sizes[batch_size] = None
        return None

    def _reject(self, contents: Contents, reason: str) -> None:
        for input_grad in (False, True):
            self._plans[(*contents.signature, input_grad)] = reason

    def fault(self, program: PlannedProgram, cell: Cell, training: bool, tried: Cell | None = None) -> str | None:
        """Return how a program's results differ from the plain loop's; ``tried`` as in `find_fault`."""

        def run(cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
            # Initial states may have another floating-point dtype.
            state = map_state(lambda s: s.to(program.dtype) if s.is_floating_point() else s, state)
            return self._call(program, cell, contents_of(cell).tensors, x, valid, state)

        return find_fault(run, cell, training=training, input_grad=program.input_grad, tried=tried)

    def _call(
        self,
        program: PlannedProgram,
        cell: Cell,
        tensors: dict[str, Tensor],
        x: Tensor,
        valid: ValidSteps | None,
        state: State,
    ) -> tuple[Tensor, State]:
        x = read_by(program, cell, x, valid)
        lengths = None if valid is None else valid.lengths
        outputs, finals = self.call(program, x, lengths, state_tensors(state), given_to(program, tensors))
        return outputs, finals if isinstance(state, tuple) else finals[0]


def read_by(program: PlannedProgram, cell: Cell, x: Tensor, valid: ValidSteps | None) -> Tensor:
    """Return what the loop reads at each step: x, or its projection."""
    return cell.project(x if valid is None else valid.clear(x)).flatten(2) if program.projected else x


def given_to(program: PlannedProgram, tensors: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Return a cell's tensors, and what torch derives from them for the step."""
    given = (*tensors.values(),)
    return (*given, *program.recipes.follow(given)) if program.recipes.results else given


def _unsupported(contents: Contents) -> str | None:
    """Return why autocast or a cell's hooks require the plain loop."""
    if torch.is_autocast_enabled(contents.device.type):
        return "torch.autocast changes types inside the step"
    return "a module of the cell has hooks" if contents.hooked else None
