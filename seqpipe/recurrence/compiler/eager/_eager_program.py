"""Runs a cell's step with torch calls: state-independent values for all steps at once, the rest in a short loop."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence.compiler._second_derivative import refuse_second_derivative
from seqpipe.recurrence.compiler.eager._carry import sum_in_carry
from seqpipe.recurrence.compiler.eager._columns import Columns, RunSize
from seqpipe.recurrence.compiler.eager._factors import factor_out
from seqpipe.recurrence.compiler.eager._graph import StepGraph, Value, evaluate, graph_of, values_in, values_in_order
from seqpipe.recurrence.compiler.eager._memory_plan import computed_ahead, computed_behind
from seqpipe.recurrence.compiler.eager._packing import Packing
from seqpipe.recurrence.compiler.eager._phases import VIEWS, phases_of
from seqpipe.recurrence.compiler.eager._python_loop import PythonLoop, write_loop
from seqpipe.recurrence.compiler.eager._rewrite import rewrite, spread_biases
from seqpipe.recurrence.compiler.eager._samples import check_rows
from seqpipe.recurrence.compiler.eager._workload import Workload
from seqpipe.recurrence.contents import contents_of
from seqpipe.recurrence.engines import POLICY, ThreadPolicy

__all__ = ["EagerProgram", "ForwardRun", "run_eagerly"]

Known = dict[Value, Tensor]

_RUN_SIZE = RunSize()


class ForwardRun:
    """Values stored for the backward pass: the state stacks and the kept values."""

    def __init__(self, packing: Packing, stacks: list[Tensor], kept: list[Tensor]) -> None:
        self.packing, self.stacks, self.kept = packing, stacks, kept


class EagerProgram:
    """One cell's step, planned for one set of requested gradients, and any batch size and lengths."""

    projected = False

    def __init__(
        self,
        cell: Cell,
        dtype: torch.dtype,
        *,
        input_grad: bool,
        parameter_grads: tuple[bool, ...],
        policy: ThreadPolicy = POLICY,
        run_size: RunSize = _RUN_SIZE,
    ) -> None:
        self.dtype, self.input_grad, self.policy, self.run_size = dtype, input_grad, policy, run_size
        #: Whether inference (False) and training (True) matched the plain loop.
        self.checked: dict[bool, bool] = {}
        graph = graph_of(cell, input_grad=input_grad, parameter_grads=parameter_grads)
        #: Recipes for the step's inputs other than the cell's tensors, computed by torch.
        self.recipes = graph.recipes
        tensors = [*contents_of(cell).tensors.values()]
        tensors += [t.detach() for t in self.recipes.follow(tensors)]
        check_rows(graph, tensors)
        rewrite(graph)
        check_rows(graph, tensors)
        self.graph: StepGraph = graph
        #: Number of elements in the first state of a sample.
        self.state_size = math.prod(s for s in graph.states[0].shape if isinstance(s, int))
        self.sums = sum_in_carry(graph)
        factor_out(graph)
        spread_biases(graph)
        self.phases = phases_of(graph, [s.addend for s in self.sums if s is not None])
        others = [s.addend for s in self.sums if s is not None and s.addend is not graph.output_grad]
        #: Whether the gradient of the output is used other than by adding it to that of a state.
        self.reads_output_grad = graph.output_grad in values_in_order([*graph.gradients, *others])
        after = set(graph.new_states)
        #: Values saved besides the states; new states are in their stacks.
        self.kept = [v for v in (graph.x, *self.phases.kept) if v not in after]

    @cached_property
    def inference_loop(self) -> PythonLoop:
        """The forward loop for inference."""
        return self._forward_loop(self.phases.used_after, [])

    @cached_property
    def training_loop(self) -> PythonLoop:
        """The forward loop for training, which stacks the values that the backward pass needs."""
        looped = set(self.phases.forward)
        kept = [v for v in self.phases.kept if v in looped]
        return self._forward_loop([*self.phases.used_after, *kept], self.phases.kept)

    @cached_property
    def backward_loop(self) -> PythonLoop:
        """The backward loop through time."""
        graph, phases = self.graph, self.phases
        behind, last = self._sunk
        read = {*_read_by(last), *self._gradients}
        elsewhere = {*read, *graph.gradients, *(s.addend for s in self.sums if s is not None)}
        made = {*phases.back, *behind}.difference(last)
        return write_loop(
            phases.back,
            self._targets_back,
            [v for v in read if v in made and v.rows is not None],
            computed_ahead(phases.prepared, [*phases.back, *behind], elsewhere),
            behind,
            self.policy,
        )

    @cached_property
    def _sunk(self) -> tuple[list[Value], list[Value]]:
        """The values computed per run of steps after these, and those computed after the backward loop."""
        phases = self.phases
        sunk = [v for v in phases.sunk if v not in phases.back]
        behind = computed_behind(sunk, phases.back, self._targets_back) if phases.back else []
        left = set(phases.sunk).difference(v for v in behind if v.name not in VIEWS)
        return behind, values_in_order([g for g in self._gradients if g in left], left.__contains__)

    @cached_property
    def workload(self) -> Workload:
        """Chooses the number of threads."""
        phases = self.phases
        loops = (self.training_loop, self.backward_loop)
        before = [v for v in phases.before if v not in self.training_loop.ahead]
        in_runs = [v for loop in loops for v in (*loop.ahead, *loop.behind)]
        outside = [*before, *phases.after, *self._sunk[1]]
        return Workload(outside, in_runs, [*phases.forward, *phases.back], self.policy)

    @property
    def _gradients(self) -> list[Value]:
        """The gradients of the parameters and of x."""
        return [g for g in self.graph.grads[: len(self.graph.parameters) + 1] if g is not None]

    @property
    def _targets_back(self) -> list[Value | None]:
        return [g if g is not None and g.level == 2 else None for g in self.graph.grads_of_states]

    def _forward_loop(self, stacked: list[Value], kept: list[Value]) -> PythonLoop:
        graph, phases = self.graph, self.phases
        targets = [v if v.level == 1 else None for v in graph.new_states]
        elsewhere = {*graph.forward_goals, *_read_by(phases.after), *kept}
        ahead = computed_ahead(phases.before, phases.forward, elsewhere)
        return write_loop(phases.forward, targets, stacked, ahead, policy=self.policy)

    @property
    def source(self) -> str:
        """The code of a training step's two loops."""
        return "\n".join([self.training_loop.source, self.backward_loop.source])

    def forward(
        self, packing: Packing, x: Tensor, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...], *, keep: bool
    ) -> tuple[ForwardRun, Tensor, list[Tensor]]:
        """Return the values for the backward pass, the outputs (batch, n_timesteps, n_outputs) and the final states."""
        graph, phases = self.graph, self.phases
        known: Known = dict(zip(graph.parameters, tensors))
        known[graph.x] = packing.pack(x)
        loop = self.training_loop if keep else self.inference_loop
        evaluate(phases.free, known, 0)
        evaluate(phases.before, known, packing.n_rows, loop.ahead)
        stacks = [packing.stack(state) for state in states]
        for stack, after in zip(stacks, graph.new_states):
            if after.level == 0:
                packing.after(stack).copy_(known[after])
        steps = [packing.steps_of(stack) for stack in stacks]
        written = [(packing.after(stack), after) for stack, (_, after) in zip(stacks, steps)]
        read = {v: before for v, (before, _) in zip(graph.states, steps)}
        with self.workload.threads_in_loop(packing, x.device) as threads:
            Columns(loop, packing, known, written, read, x, self.run_size).run(threads, backwards=False)
        self._know_states(known, packing, stacks)
        evaluate(phases.after, known, packing.n_rows)
        outputs = packing.unpack(known[graph.output])
        kept = [known[v] for v in self.kept] if keep else []
        return ForwardRun(packing, stacks, kept), outputs, [packing.last(s) for s in stacks]

    def _know_states(self, known: Known, packing: Packing, stacks: list[Tensor]) -> None:
        for before, after, stack in zip(self.graph.states, self.graph.new_states, stacks):
            known[before] = packing.before(stack)
            known.setdefault(after, packing.after(stack))

    def backward(
        self, run: ForwardRun, tensors: tuple[Tensor, ...], output_grad: Tensor, state_grads: tuple[Tensor, ...]
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor | None]]:
        """Return the gradients of x, of the initial states, and of parameters and buffers."""
        graph, phases, packing = self.graph, self.phases, run.packing
        known: Known = dict(zip(graph.parameters, tensors)) | dict(zip(self.kept, run.kept))
        if self.reads_output_grad:
            known[graph.output_grad] = packing.pack(output_grad)
        evaluate(phases.free_later, known, 0)
        self._know_states(known, packing, run.stacks)
        evaluate(phases.prepared, known, packing.n_rows, self.backward_loop.ahead)
        stacks = [
            packing.stack_back(grad, None)
            if found is None
            else packing.stack_back(grad, known.get(found.addend, output_grad), packed=found.addend in known)
            for grad, found in zip(state_grads, self.sums)
        ]
        for stack, grad in zip(stacks, graph.grads_of_states):
            if grad is None or grad.level < 2:
                self._fill(packing, stack, None if grad is None else known[grad])
        known |= {v: packing.after(s) for v, s in zip(graph.state_grads, stacks)}
        steps = [packing.steps_of(stack) for stack in stacks]
        written = [(None, before) for before, _ in steps]
        read = {v: after for v, (_, after) in zip(graph.state_grads, steps)}
        read |= {s.so_far: before for s, (before, _) in zip(self.sums, steps) if s is not None}
        with self.workload.threads_in_loop(packing, output_grad.device) as threads:
            Columns(self.backward_loop, packing, known, written, read, output_grad, self.run_size).run(
                threads, backwards=True
            )
        for stack, grad in zip(stacks, graph.grads_of_states):
            if grad in self.backward_loop.stacked:
                known.setdefault(grad, packing.before(stack))
        evaluate(self._sunk[1], known, packing.n_rows)
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


def _read_by(values: list[Value]) -> list[Value]:
    return values_in([(v.args, v.kwargs) for v in values])


def run_eagerly(
    program: EagerProgram, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run over x (batch, n_timesteps, n_features); return the outputs, zero in the padding, and the final states."""
    packing = Packing(len(x), x.shape[1], lengths, x.device)
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *states, *tensors)):
        output, *finals = _EagerRecurrence.apply(  # type: ignore[no-untyped-call]
            program, packing, len(states), x, *states, *tensors
        )
        return output, tuple(finals)
    with torch.no_grad(), program.workload.threads(packing, x.device):
        _, output, finals = program.forward(packing, x, states, tensors, keep=False)
    return output, tuple(finals)


class _EagerRecurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, program: EagerProgram, packing: Packing, n_states: int, x: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        states, tensors = rest[:n_states], rest[n_states:]
        with program.workload.threads(packing, x.device):
            run, output, finals = program.forward(packing, x, states, tensors, keep=True)
        # Saved through torch, which frees them after the backward pass and detects changes in place.
        ctx.save_for_backward(*[t.detach() for t in tensors], *run.stacks, *run.kept)
        ctx.program, ctx.packing, ctx.sizes = program, packing, (len(tensors), n_states)
        return output, *finals

    @staticmethod
    def backward(ctx: Any, output_grad: Tensor, *state_grads: Tensor) -> Any:
        refuse_second_derivative()
        n_tensors, n_states = ctx.sizes
        saved = ctx.saved_tensors
        tensors, stacks, kept = saved[:n_tensors], saved[n_tensors:][:n_states], saved[n_tensors + n_states :]
        run = ForwardRun(ctx.packing, list(stacks), list(kept))
        with ctx.program.workload.threads(ctx.packing, output_grad.device):
            x_grad, before, parameters = ctx.program.backward(run, tensors, output_grad, state_grads)
        return None, None, None, x_grad, *before, *parameters
