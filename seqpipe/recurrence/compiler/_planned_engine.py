"""Engines that plan a cell's step: a plan per kind of cell, compared with the plain loop at first use."""

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

__all__ = ["PlannedEngine", "PlannedProgram"]

#: Changes of a cell's attributes after which it is no longer planned: a plan is worth thousands of steps.
_MOST_CHANGES = 12
#: Batch sizes of a plan that are remembered.
_MOST_SIZES = 4096


class PlannedProgram(Protocol):
    """A planned step, for one type of numbers and one set of wanted gradients.

    Attributes
    ----------
    dtype : torch.dtype
    input_grad : bool
        Whether it gives the gradient of x.
    checked : dict of bool to bool
        Whether inference (False) and training (True) were found right.
    recipes : Recipes
        How torch computes what the step takes beside the cell's tensors.
    projected : bool
        Whether it takes what the cell's `project` gives, which torch runs for all steps at once.
    source : str
        The code of a training step.
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
    """A program, and what it is for.

    Attributes
    ----------
    program : PlannedProgram
    states : list of (shape, type)
        Of a sample's state, tensor by tensor.
    calls : list of Call
        The operations of a step of ``some_size`` samples, once they were asked for.
    some_size : int
        A batch size that can be told from every other size.
    sizes : dict of int to None
        The batch sizes at which the step was seen to do the same.
    """

    program: PlannedProgram
    states: list[tuple[torch.Size, torch.dtype]]
    some_size: int
    calls: list[Call] = field(default_factory=list)
    sizes: dict[int, None] = field(default_factory=dict)

    def misfit(self, device: torch.device, x: Tensor, states: tuple[Tensor, ...]) -> str | None:
        """Say what a batch has that the program was not made for."""
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
                return f"its state has whole numbers that {x.dtype} cannot count"
        return None


class PlannedEngine(Engine):
    """Plans a cell once, and compares the plan's first use with the plain loop.

    Parameters
    ----------
    most_plans : int, default=512
        Kinds of cells whose plans are held; the least recently used goes first. What is compiled stays on disk.

    Attributes
    ----------
    made : str
        What it says of a cell that it runs: "compiled".
    """

    made: str
    reads_padding = False

    def __init__(self, most_plans: int = 512) -> None:
        self._lock = GENERATORS
        self._plans: Recent[Signature, PlannedCell | str] = Recent(most_plans)
        self._changes: WeakKeyDictionary[Cell, int] = WeakKeyDictionary()

    def plan(self, cell: Cell, dtype: torch.dtype, **wanted: Any) -> PlannedProgram:
        """PlannedCell a cell's step for the gradients that are wanted: ``input_grad`` and ``parameter_grads``.

        Raises
        ------
        CompilerError, Unplannable
            If it cannot be planned; the message says why.
        """
        raise NotImplementedError

    def call(
        self, program: Any, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run over x (batch, n_timesteps, n_features); return the outputs, cleared, and the final states."""
        raise NotImplementedError

    def unfit(self, device: torch.device, dtype: torch.dtype) -> str | None:
        """Say why a cell of this type, on this device, is not for this engine."""
        raise NotImplementedError

    def worthwhile(self, program: Any, x: Tensor) -> bool:
        """Tell whether the plan is faster than the plain loop for a batch of these sizes."""
        return True

    def refuses(self, cell: Cell) -> str | None:
        """Take a cell whose step can be planned."""
        plan = self._plan_for(cell, contents_in_run(cell), input_grad=True)
        return plan if isinstance(plan, str) else None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x; see `Engine.run`."""
        contents = contents_in_run(cell, last=True)
        tensors, states = contents.tensors, state_tensors(state)
        training = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *states, *tensors.values()))
        input_grad = training and x.requires_grad
        plan = self._plan_for(cell, contents, input_grad=input_grad)
        refusal = plan if isinstance(plan, str) else self._objection(plan, cell, contents, x, states, training)
        if isinstance(plan, str) or refusal is not None:
            return fall_back(cell, x, valid, state, f"not {self.name}: {refusal}")
        return self._call(plan.program, cell, tensors, x, valid, state)

    def code(self, cell: Cell) -> str:
        """Return the code of a training step's two loops, or why there is none."""
        plan = self._plan_for(cell, contents_of(cell), input_grad=True)
        return plan if isinstance(plan, str) else plan.program.source

    def _plan_for(self, cell: Cell, contents: Contents, *, input_grad: bool) -> PlannedCell | str:
        """Return the cell's plan, or why it has none."""
        unfit = contents.unseen or _reason_against(contents) or self.unfit(contents.device, contents.dtype)
        if unfit is not None:
            return unfit
        key = (*contents.signature, input_grad)
        plan = self._plans.get(key)
        if plan is None:
            with self._lock, torch.inference_mode(False):
                plan = self._plans.get(key)
                if plan is None:
                    changes = self._count_change(cell)
                    if changes > _MOST_CHANGES:  # which others of its kind need not share
                        return f"it changed {changes} times between runs: keep what changes in a buffer"
                    plan = self._plans[key] = self._make(cell, contents, input_grad)
        return plan

    def _count_change(self, cell: Cell) -> int:
        """Return how often the cell was another one than any that was planned."""
        same = cell.__dict__.get("_computed_from", cell)
        self._changes[same] = self._changes.get(same, 0) + 1
        return self._changes[same]

    def _make(self, cell: Cell, contents: Contents, input_grad: bool) -> PlannedCell | str:
        device, dtype = contents.device, contents.dtype
        real = [t for t in contents.tensors.values() if t.is_floating_point() or t.is_complex()]
        if any(t.device != device for t in contents.tensors.values()) or any(t.dtype != dtype for t in real):
            return "the cell's tensors are of several types or devices"
        wanted = tuple(t.requires_grad for t in contents.tensors.values())
        try:
            states = [(s.shape[1:], s.dtype) for s in state_tensors(first_states(cell, 1))]
            program = self.plan(cell, dtype, input_grad=input_grad, parameter_grads=wanted)
            return PlannedCell(program, states, batch_size_for(cell, projected=program.projected))
        except (CellError, CompilerError, Unplannable) as error:
            return str(error)
        except Exception as error:  # what a step does is its author's choice: the plain loop can run it all the same
            return f"its step cannot be traced ({type(error).__name__}: {error})"

    def _objection(
        self, plan: PlannedCell, cell: Cell, contents: Contents, x: Tensor, states: tuple[Tensor, ...], training: bool
    ) -> str | None:
        """Say why a plan must not run a batch."""
        misfit = plan.misfit(contents.device, x, states)
        if misfit is not None:
            return misfit
        if not self.worthwhile(plan.program, x):
            return "the plain loop is faster for a batch of these sizes"
        return self._doubt(plan, cell, contents, training) or self._other_calls(plan, cell, contents, len(x))

    def _doubt(self, plan: PlannedCell, cell: Cell, contents: Contents, training: bool) -> str | None:
        """Compare the program with the plain loop before its first use; a wrong one is never used."""
        program = plan.program
        if training not in program.checked:
            with self._lock, torch.inference_mode(False):
                if training not in program.checked:
                    fault = self.fault(program, cell, training)
                    program.checked[training] = fault is None
                    if fault is not None:
                        self._give_up(contents, fault)
                        message = f"{type(cell).__name__} is not {self.made}: {fault}."
                        warnings.warn(message, RuntimeWarning, stacklevel=4)
        return None if program.checked[training] else "its results were not the plain loop's"

    def _other_calls(self, plan: PlannedCell, cell: Cell, contents: Contents, batch_size: int) -> str | None:
        """Say that the step does other things for a batch of this size than for the one it was planned with."""
        if batch_size in plan.sizes:
            return None
        with self._lock, torch.inference_mode(False):
            try:
                projected, some = plan.program.projected, plan.some_size
                plan.calls = plan.calls or calls_of(cell, some, projected=projected)
                same = same_calls(plan.calls, some, calls_of(cell, batch_size, projected=projected), batch_size)
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except Exception:  # it fails at this size only, and the loop says how
                same = False
        if not same:
            self._give_up(contents, "its step does other things with another number of samples")
            return "its step does other things with another number of samples"
        if len(plan.sizes) >= _MOST_SIZES:
            plan.sizes.clear()
        plan.sizes[batch_size] = None
        return None

    def _give_up(self, contents: Contents, reason: str) -> None:
        for input_grad in (False, True):
            self._plans[(*contents.signature, input_grad)] = reason

    def fault(self, program: PlannedProgram, cell: Cell, training: bool, tried: Cell | None = None) -> str | None:
        """Say what speaks against using a program; ``tried`` as for `find_fault`."""

        def run(cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
            # Cells may start from floating-point numbers of another type.
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
        if program.projected:
            x = cell.project(x if valid is None else valid.clear(x)).flatten(2)
        lengths = None if valid is None else valid.lengths
        given = (*tensors.values(),)
        if program.recipes.results:
            given = (*given, *program.recipes.follow(given))
        outputs, finals = self.call(program, x, lengths, state_tensors(state), given)
        return outputs, finals if isinstance(state, tuple) else finals[0]


def _reason_against(contents: Contents) -> str | None:
    """Say why a cell's hooks, or the state of torch, let nothing but the plain loop run it."""
    if torch.is_autocast_enabled(contents.device.type):
        return "torch.autocast changes types inside the step"
    return "a module of the cell has hooks" if contents.hooked else None
