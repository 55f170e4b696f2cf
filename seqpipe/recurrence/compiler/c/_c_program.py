"""A cell's program as native code: compiles it, and runs it forward and backward over a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence._machine import vector_unit
from seqpipe.recurrence.compiler.c._backward_loop import emit_backward
from seqpipe.recurrence.compiler.c._compiled_kernel import CompiledKernel, Parts
from seqpipe.recurrence.compiler.c._forward_loop import emit_forward
from seqpipe.recurrence.compiler.c._gradients import Gradients
from seqpipe.recurrence.compiler.program import (
    Bound,
    FreeValues,
    Layout,
    StepProgram,
    Target,
    layout_of,
    merge_products,
    plan_step,
)
from seqpipe.recurrence.engines import POLICY, n_threads

__all__ = ["Batch", "CProgram", "ForwardRun"]


@dataclass
class Batch:
    """A batch as the kernels read it: an equal block of rows per member, each in decreasing order of length.

    Attributes
    ----------
    x : tensor of shape (batch, n_timesteps, n_features)
        The padding is not read.
    lengths : tensor of int64, shape (batch,)
    """

    x: Tensor
    lengths: Tensor


@dataclass
class ForwardRun:
    """Values stored for the backward pass, time-major, each row padded to whole vectors.

    Attributes
    ----------
    batch : Batch
    bound : list of Bound
        The row-free values of each member.
    outputs : tensor
        The outputs; if a state is the output, that state at all steps.
    kept : tensor
        The other states, and the stored activations of each step.
    """

    batch: Batch
    bound: list[Bound]
    outputs: Tensor
    kept: Tensor


class CProgram:
    """One cell's step, planned and compiled for one dtype and one set of requested gradients.

    It runs one cell, or several of the same kind at once: the members of a batch.
    """

    def __init__(self, cell: Cell, dtype: torch.dtype, *, input_grad: bool, parameter_grads: tuple[bool, ...]) -> None:
        self.dtype = dtype
        self.input_grad = input_grad
        #: Whether inference (False) and training (True) matched the plain loop.
        self.checked: dict[bool, bool] = {}
        self.program: StepProgram = merge_products(
            plan_step(cell, input_grad=input_grad, parameter_grads=parameter_grads)
        )
        self.projected, self.recipes = self.program.projected, self.program.recipes
        self.free = FreeValues(self.program)
        self.target = Target(dtype == torch.float64, *vector_unit())
        self.layout: Layout = layout_of(self.program, self.target)
        self.work = sum(p.numel() for p in cell.parameters())

    @cached_property
    def forward_kernel(self) -> CompiledKernel:
        """The forward loop for inference."""
        return CompiledKernel(emit_forward(self.program, self.layout, self.target, keep=False))

    @cached_property
    def training_kernel(self) -> CompiledKernel:
        """The forward loop for training, which stores activations for the backward pass."""
        return CompiledKernel(emit_forward(self.program, self.layout, self.target, keep=True))

    @cached_property
    def backward_kernel(self) -> CompiledKernel:
        """The backward loop through time."""
        return CompiledKernel(emit_backward(self.program, self.layout, self.target))

    @cached_property
    def gradients(self) -> Gradients:
        """Assembles the gradients of the parameters."""
        return Gradients(self.program, self.layout, self.target, self.backward_kernel, self.free)

    @property
    def source(self) -> str:
        """The C of a training step: the forward loop, then the backward loop."""
        return "\n".join(
            kernel.source
            for kernel in (
                emit_forward(self.program, self.layout, self.target, keep=True),
                emit_backward(self.program, self.layout, self.target),
            )
        )

    def forward(
        self, batch: Batch, states: Sequence[Tensor], members: Sequence[Sequence[Tensor]], *, keep: bool
    ) -> tuple[ForwardRun, list[Tensor]]:
        """Run over a batch from contiguous states, with the parameters and buffers of each member.

        Returns the values stored for backward, and the final states.
        """
        n, n_timesteps = batch.x.shape[:2]
        outputs, kept = (
            torch.empty(self._outputs_size(n, n_timesteps), dtype=self.dtype),
            self._kept(n, n_timesteps, keep),
        )
        run = ForwardRun(batch, [self.free.bind(tensors) for tensors in members], outputs, kept)
        finals = [torch.empty(state.shape, dtype=self.dtype) for state in states]
        addresses = self._addresses(run, keep)
        for k, (state, final) in enumerate(zip(states, finals)):
            addresses[("initial", k)], addresses[("final", k)] = state.data_ptr(), final.data_ptr()
        kernel = self.training_kernel if keep else self.forward_kernel
        self._run(kernel, run, self._numbers(batch, keep), addresses, self._parts(run), (states, finals))
        return run, finals

    def output_of(self, run: ForwardRun) -> Tensor:
        """Return the outputs, of shape (batch, n_timesteps, output_size)."""
        n, n_timesteps = run.batch.x.shape[:2]
        width = self.target.padded(self.layout.output_width)
        start = 0 if self.layout.output_state is None else n * width
        return run.outputs.as_strided((n, n_timesteps, self.layout.output_width), (width, n * width, 1), start)

    def backward(
        self,
        run: ForwardRun,
        output_grad: Tensor,
        state_grads: Sequence[Tensor | None],
        members: Sequence[Sequence[Tensor]],
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor | None]]:
        """Return the gradients of x, of the initial states (batch, width), and of all members' parameters and buffers."""
        batch, parts = run.batch, self._parts(run)
        output_grad = output_grad if output_grad.stride(2) == 1 else output_grad.contiguous()
        state_grads = [g if g is None else g.contiguous() for g in state_grads]
        found = [torch.empty(len(batch.x), width, dtype=self.dtype) for width in self.layout.state_widths]
        sums = torch.empty(len(parts), self.backward_kernel.kernel.sum_sizes[-1] + self.target.lanes, dtype=self.dtype)
        addresses = self._addresses(run, True)
        addresses[("output_grad",)], addresses[("sums",)] = output_grad.data_ptr(), sums.data_ptr()
        for k, (given, grad) in enumerate(zip(state_grads, found)):
            addresses[("final_grad", k)] = 0 if given is None else given.data_ptr()
            addresses[("state_grad", k)] = grad.data_ptr()
        numbers = self._numbers(batch, True)
        numbers[("grad_row",)], numbers[("grad_step",)] = output_grad.stride()[:2]
        x_grad = None
        if self.program.x_grad is not None:
            x_grad = torch.empty(batch.x.shape, dtype=self.dtype)
            addresses[("x_grad",)] = x_grad.data_ptr()
            numbers[("x_grad_row",)], numbers[("x_grad_step",)] = x_grad.stride()[:2]
        alive = (output_grad, state_grads, found, sums, x_grad)
        self._run(self.backward_kernel, run, numbers, addresses, parts, alive)
        of_members = [self.gradients.of(sums[parts.of(k)], tensors) for k, tensors in enumerate(members)]
        return x_grad, found, [grad for grads in of_members for grad in grads]

    def _run(
        self,
        kernel: CompiledKernel,
        run: ForwardRun,
        numbers: dict[tuple[object, ...], int],
        addresses: dict[tuple[object, ...], int],
        parts: Parts,
        alive: Any,
    ) -> None:
        """Run a kernel with arguments that all members share, and the row-free values of each."""
        own = [addresses | bound.addresses for bound in run.bound]
        short = POLICY.is_short(self._work(run.batch.x))
        kernel.run(numbers | run.bound[0].strides, own, parts, short=short, alive=(run, alive))

    def _parts(self, run: ForwardRun) -> Parts:
        """Return how the batch is split among threads."""
        members = len(run.bound)
        rows = len(run.batch.x) // members
        return Parts(members, POLICY.parts(self._work(run.batch.x), rows, n_threads()))

    def _outputs_size(self, n: int, n_timesteps: int) -> int:
        rows = n * (n_timesteps + (self.layout.output_state is not None))
        return rows * self.target.padded(self.layout.output_width) + self.target.lanes

    def _states(self, n: int, n_timesteps: int, keep: bool) -> list[int]:
        """Return the buffer size of each state but the output: all steps, or two alternating buffers."""
        steps = n_timesteps + 1 if keep else 2
        return [
            0 if k == self.layout.output_state else steps * n * self.target.padded(width)
            for k, width in enumerate(self.layout.state_widths)
        ]

    def _kept(self, n: int, n_timesteps: int, keep: bool) -> Tensor:
        size = sum(self._states(n, n_timesteps, keep)) + n * n_timesteps * self.layout.kept_width * keep
        return torch.empty(size + self.target.lanes, dtype=self.dtype)

    def _addresses(self, run: ForwardRun, keep: bool) -> dict[tuple[object, ...], int]:
        """Return the addresses that the members, and the forward and backward kernels, share."""
        x, lengths = run.batch.x, run.batch.lengths
        outputs, kept = run.outputs.data_ptr(), run.kept.data_ptr()
        addresses: dict[tuple[object, ...], int] = {("lengths",): lengths.data_ptr(), ("x",): x.data_ptr()}
        for k, size in enumerate(self._states(len(x), x.shape[1], keep)):
            addresses[("state", k)] = outputs if k == self.layout.output_state else kept
            kept += size * self.dtype.itemsize
        addresses[("output",)], addresses[("kept",)] = outputs, kept
        return addresses

    def _numbers(self, batch: Batch, keep: bool) -> dict[tuple[object, ...], int]:
        n, n_timesteps = batch.x.shape[:2]
        row, step = batch.x.stride()[:2]
        numbers: dict[tuple[object, ...], int] = {("B",): n, ("T",): n_timesteps, ("x_row",): row, ("x_step",): step}
        for k in range(len(self.layout.state_widths)):
            numbers[("mask", k)] = -1 if keep or k == self.layout.output_state else 1
        return numbers

    def _work(self, x: Tensor) -> int:
        """Return the number of multiplications for a batch."""
        return self.work * x.shape[0] * x.shape[1]
