"""A cell's step run by torch alone: what needs no state in one call for all steps, and a short loop for the rest."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence.compiler._carry import sum_in_carry
from seqpipe.recurrence.compiler._columns import Columns
from seqpipe.recurrence.compiler._function import refuse_second_derivative
from seqpipe.recurrence.compiler._graph import Graph, Value, evaluate, graph_of
from seqpipe.recurrence.compiler._packing import Packing
from seqpipe.recurrence.compiler._parts import parts_of
from seqpipe.recurrence.compiler._pyloop import Loop, write_loop
from seqpipe.recurrence.compiler._rewrite import rewrite
from seqpipe.recurrence.compiler._samples import check_rows

__all__ = ["TorchProgram", "run_program"]

Known = dict[Value, Tensor]


class Passed:
    """What a way forward leaves for the way back: the state stacks, and the values kept."""

    def __init__(self, packing: Packing, stacks: list[Tensor], kept: list[Tensor]) -> None:
        self.packing, self.stacks, self.kept = packing, stacks, kept


class TorchProgram:
    """One cell's step, planned for one set of wanted gradients; batch size, length and lengths are open."""

    def __init__(self, cell: Cell, dtype: torch.dtype, *, input_grad: bool, parameter_grads: tuple[bool, ...]) -> None:
        self.dtype, self.input_grad = dtype, input_grad
        #: Whether inference (False) and training (True) were found right.
        self.checked: dict[bool, bool] = {}
        graph = graph_of(cell, input_grad=input_grad, parameter_grads=parameter_grads)
        tensors = [*cell.parameters(), *cell.buffers()]
        check_rows(graph, tensors)
        rewrite(graph)
        check_rows(graph, tensors)
        self.graph: Graph = graph
        #: Numbers in the first state of a sample.
        self.state_size = math.prod(s for s in graph.states[0].shape if isinstance(s, int))
        self.sums = sum_in_carry(graph)
        self.parts = parts_of(graph, [s.addend for s in self.sums if s is not None])
        after = set(graph.new_states)
        #: What is saved beside the states: a state after the step is in its stack.
        self.kept = [v for v in (graph.x, *self.parts.kept) if v not in after]

    @cached_property
    def inference_loop(self) -> Loop:
        """The loop that keeps nothing for the way back."""
        return self._forward_loop(self.parts.used_after)

    @cached_property
    def keeping_loop(self) -> Loop:
        """The loop that stacks what the way back needs."""
        looped = set(self.parts.forward)
        return self._forward_loop([*self.parts.used_after, *(v for v in self.parts.kept if v in looped)])

    @cached_property
    def back_loop(self) -> Loop:
        """The loop back through time."""
        targets = [g if g is not None and g.level == 2 else None for g in self.graph.grads_of_states]
        return write_loop(self.parts.back, targets, self.parts.used_later)

    def _forward_loop(self, stacked: list[Value]) -> Loop:
        targets = [v if v.level == 1 else None for v in self.graph.new_states]
        return write_loop(self.parts.forward, targets, stacked)

    @property
    def source(self) -> str:
        """The lines of a training step's two loops."""
        return "\n".join([self.keeping_loop.source, self.back_loop.source])

    def forward(
        self, packing: Packing, x: Tensor, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...], *, keep: bool
    ) -> tuple[Passed, Tensor, list[Tensor]]:
        """Return what the way back needs, the outputs of shape (batch, n_timesteps, n_outputs) and the final states."""
        graph, parts = self.graph, self.parts
        known: Known = dict(zip(graph.parameters, tensors))
        known[graph.x] = packing.pack(x)
        evaluate(parts.free, known, 0)
        evaluate(parts.before, known, packing.n_rows)
        stacks = [packing.stack(state) for state in states]
        for stack, after in zip(stacks, graph.new_states):
            if after.level == 0:
                packing.after(stack).copy_(known[after])
        read = self._states_before(known, packing, stacks)
        written = [(packing.after(s), list(packing.split(packing.after(s)))) for s in stacks]
        loop = self.keeping_loop if keep else self.inference_loop
        Columns(loop, packing, known, written, read, x).run(backwards=False)
        self._know_states(known, packing, stacks)
        evaluate(parts.after, known, packing.n_rows)
        outputs = packing.unpack(known[graph.output])
        kept = [known[v] for v in self.kept] if keep else []
        return Passed(packing, stacks, kept), outputs, [packing.last(s) for s in stacks]

    def _states_before(self, known: Known, packing: Packing, stacks: list[Tensor]) -> dict[Value, list[Tensor]]:
        """Return the steps of the states before; where they are one tensor, that is known."""
        if packing.ragged:
            return {v: packing.steps_before(s) for v, s in zip(self.graph.states, stacks)}
        known |= {v: packing.before(s) for v, s in zip(self.graph.states, stacks)}
        return {}

    def _know_states(self, known: Known, packing: Packing, stacks: list[Tensor]) -> None:
        for before, after, stack in zip(self.graph.states, self.graph.new_states, stacks):
            known[before] = packing.before(stack)
            known.setdefault(after, packing.after(stack))

    def backward(
        self, passed: Passed, tensors: tuple[Tensor, ...], output_grad: Tensor, state_grads: tuple[Tensor, ...]
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor | None]]:
        """Return the gradients of x, of the states before, and of parameters and buffers."""
        graph, parts, packing = self.graph, self.parts, passed.packing
        known: Known = dict(zip(graph.parameters, tensors)) | dict(zip(self.kept, passed.kept))
        known[graph.output_grad] = packing.pack(output_grad)
        evaluate(parts.free, known, 0)
        self._know_states(known, packing, passed.stacks)
        evaluate(parts.prepared, known, packing.n_rows)
        addends = [None if s is None else known[s.addend] for s in self.sums]
        stacks = [packing.stack_back(*pair) for pair in zip(state_grads, addends)]
        for stack, grad in zip(stacks, graph.grads_of_states):
            if grad is None or grad.level < 2:
                self._fill(packing, stack, None if grad is None else known[grad])
        known |= {v: packing.after(s) for v, s in zip(graph.state_grads, stacks)}
        written: Any = [(None, packing.steps_before(s)) for s in stacks]
        so_far = {s.so_far: steps for s, (_, steps) in zip(self.sums, written) if s is not None}
        Columns(self.back_loop, packing, known, written, so_far, output_grad).run(backwards=True)
        for stack, grad in zip(stacks, graph.grads_of_states):
            if grad in self.back_loop.stacked:
                known.setdefault(grad, packing.before(stack))
        evaluate(parts.sunk, known, packing.n_rows)
        n = len(graph.parameters)
        x_grad = graph.grads[n]
        found = [None if g is None else known[g] for g in graph.grads[:n]]
        return (
            None if x_grad is None else packing.unpack(known[x_grad]),
            [packing.first(s) for s in stacks],
            found,
        )

    @staticmethod
    def _fill(packing: Packing, stack: Tensor, grad: Tensor | None) -> None:
        rows = stack.new_zeros(packing.n_rows, *stack.shape[1:]) if grad is None else grad
        packing.set_before(stack, rows)


def run_program(
    program: TorchProgram, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run over a batch of shape (batch, n_timesteps, n_features); return the outputs, zero in the padding, and the final states."""
    packing = Packing(len(x), x.shape[1], lengths, x.device)
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *states, *tensors)):
        output, *finals = _Recurrence.apply(  # type: ignore[no-untyped-call]
            program, packing, len(states), x, *states, *tensors
        )
        return output, tuple(finals)
    with torch.no_grad():
        _, output, finals = program.forward(packing, x, states, tensors, keep=False)
    return output, tuple(finals)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, program: TorchProgram, packing: Packing, n_states: int, x: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        states, tensors = rest[:n_states], rest[n_states:]
        passed, output, finals = program.forward(packing, x, states, tensors, keep=True)
        # Saved through torch, which frees them after the backward pass, and refuses one after they were changed in place.
        ctx.save_for_backward(*tensors, *passed.stacks, *passed.kept)
        ctx.program, ctx.packing, ctx.sizes = program, packing, (len(tensors), n_states)
        return output, *finals

    @staticmethod
    def backward(ctx: Any, output_grad: Tensor, *state_grads: Tensor) -> Any:
        refuse_second_derivative()
        n_tensors, n_states = ctx.sizes
        saved = ctx.saved_tensors
        tensors, stacks, kept = saved[:n_tensors], saved[n_tensors:][:n_states], saved[n_tensors + n_states :]
        passed = Passed(ctx.packing, list(stacks), list(kept))
        x_grad, before, parameters = ctx.program.backward(passed, tensors, output_grad, state_grads)
        return None, None, None, x_grad, *before, *parameters
