"""A cell's program as native code: compiled, called with the batch's memory, and differentiated."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence._threads import n_threads, openmp, run_in_threads
from seqpipe.recurrence.compiler._emit import emit_backward, emit_forward
from seqpipe.recurrence.compiler._gradients import Gradients
from seqpipe.recurrence.compiler._layout import Kernel, Layout, Target, layout_of
from seqpipe.recurrence.compiler._machine import vector_unit
from seqpipe.recurrence.compiler._objects import load
from seqpipe.recurrence.compiler._plan import make_program
from seqpipe.recurrence.compiler._program import Program, run_steps
from seqpipe.recurrence.compiler._schedule import merge_products
from seqpipe.recurrence.compiler._trace import trace_step

__all__ = ["Batch", "NativeProgram", "Run"]

#: Rows that go through all time steps together, and rows times steps whose gradients are summed at once.
_BLOCK_ROWS = 48
_CHUNK_ROWS = 384
#: Multiplications below which a second thread costs more than it saves.
_WORTH_THREADS = 2_000_000


@dataclass
class Batch:
    """A batch as the kernels read it: rows sorted by length, longest first.

    Attributes
    ----------
    x : tensor of shape (batch, n_timesteps, n_features)
    lengths : tensor of int64, shape (batch,)
    ragged : bool
        Whether any row is shorter than the batch.
    """

    x: Tensor
    lengths: Tensor
    ragged: bool


class NativeProgram:
    """One cell's step, planned and compiled for one type of numbers and one set of wanted gradients."""

    def __init__(self, cell: Cell, dtype: torch.dtype, *, input_grad: bool, parameter_grads: tuple[bool, ...]) -> None:
        self.dtype = dtype
        self.input_grad = input_grad
        #: Whether inference (False) and training (True) were found right.
        self.checked: dict[bool, bool] = {}
        self.program: Program = merge_products(
            make_program(trace_step(cell, input_grad=input_grad, parameter_grads=parameter_grads))
        )
        self.target = Target(dtype == torch.float64, *vector_unit())
        self.layout: Layout = layout_of(self.program, self.target)
        self.work = sum(p.numel() for p in cell.parameters())

    @cached_property
    def forward_kernel(self) -> _Compiled:
        """The loop for inference."""
        return _Compiled(emit_forward(self.program, self.layout, self.target, keep=False))

    @cached_property
    def keeping_kernel(self) -> _Compiled:
        """The loop that keeps what backward needs."""
        return _Compiled(emit_forward(self.program, self.layout, self.target, keep=True))

    @cached_property
    def backward_kernel(self) -> _Compiled:
        """The loop back through time."""
        return _Compiled(emit_backward(self.program, self.layout, self.target))

    @cached_property
    def gradients(self) -> Gradients:
        """What puts the parameters' gradients together."""
        return Gradients(self.program, self.layout, self.target, self.backward_kernel.kernel.sum_sizes)

    @property
    def source(self) -> str:
        """The C of a training step: the loop forward, the loop back."""
        return "\n".join(
            kernel.source
            for kernel in (
                emit_forward(self.program, self.layout, self.target, keep=True),
                emit_backward(self.program, self.layout, self.target),
            )
        )

    def free_values(self, tensors: Sequence[Tensor]) -> list[Any]:
        """Compute what has no rows and needs no gradient: views and functions of the parameters."""
        values: list[Any] = [*tensors, *[None] * (self.program.n_slots - len(tensors))]
        for slot, constant in self.program.constants.items():
            values[slot] = constant
        run_steps(self.program.early, values)
        return values

    def forward(
        self, batch: Batch, states: Sequence[Tensor], values: list[Any], *, keep: bool
    ) -> tuple[Run, list[Tensor]]:
        """Run over a batch; what the result holds is laid out time-major, rows in whole vectors."""
        n, n_timesteps = batch.x.shape[:2]
        run = Run(batch, values, [], torch.empty(0))
        finals: list[Tensor] = []
        for k, (state, width) in enumerate(zip(states, self.layout.state_widths)):
            whole = keep or k == self.layout.output_state
            stack = self._stack(
                n_timesteps + 1 if whole else 2, n, width, zero=batch.ragged and k == self.layout.output_state
            )
            stack[0, :, width:] = 0
            stack[0, :, :width] = state.reshape(n, width)
            run.stacks.append(stack)
            finals.append(batch.x.new_empty(state.shape))
        if self.layout.output_state is None:
            run.output = self._stack(n_timesteps, n, self.layout.output_width, zero=batch.ragged)
        if keep:
            run.kept = batch.x.new_empty(n_timesteps * n * self.layout.kept_width + self.target.lanes)
        kernel = self.keeping_kernel if keep else self.forward_kernel
        out: dict[tuple[object, ...], Tensor | None] = {("output",): run.output, ("kept",): run.kept}
        self._call(kernel, run, out | {("final", k): f for k, f in enumerate(finals)})
        return run, finals

    def output_of(self, run: Run) -> Tensor:
        """Return the outputs, of shape (batch, n_timesteps, output_size)."""
        k = self.layout.output_state
        stack = run.stacks[k][1:] if k is not None else run.output
        assert stack is not None
        return stack.transpose(0, 1)[:, :, : self.layout.output_width]

    def backward(
        self, run: Run, output_grad: Tensor, state_grads: Sequence[Tensor | None], *, input_grad: bool
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor | None]]:
        """Return the gradients of x, of the states before, each of shape (batch, width), and of parameters and buffers."""
        batch = run.batch
        output_grad = output_grad if output_grad.stride(2) == 1 else output_grad.contiguous()
        n = len(batch.x)
        # Grown from step to step, so never the caller's own.
        grads = [
            torch.zeros(n, width, dtype=self.dtype)
            if g is None
            else g.reshape(n, -1).clone(memory_format=torch.contiguous_format)
            for g, width in zip(state_grads, self.layout.state_widths)
        ]
        x_grad = None
        if input_grad and self.program.x_grad is not None:
            x_grad = (torch.zeros_like if batch.ragged else torch.empty_like)(
                batch.x, memory_format=torch.contiguous_format
            )
        kernel = self.backward_kernel
        threads = self._threads(batch)
        n_sums = kernel.kernel.sum_sizes[-1]
        sums = batch.x.new_zeros(len(threads), n_sums + self.target.lanes)
        fixed: dict[tuple[object, ...], Tensor | None] = {
            ("output_grad",): output_grad,
            ("kept",): run.kept,
            ("x_grad",): x_grad,
        }
        fixed |= {("state_grad", k): g for k, g in enumerate(grads)}
        self._call(kernel, run, fixed, sums)
        total = sums[0] if len(threads) == 1 else sums.sum(0)
        parameter_grads = self.gradients.of(total[: n_sums + 1], run.values)
        return x_grad, grads, parameter_grads

    def _stack(self, steps: int, n: int, width: int, *, zero: bool) -> Tensor:
        padded = self.target.padded(width)
        make = torch.zeros if zero else torch.empty
        flat = make(steps * n * padded + self.target.lanes, dtype=self.dtype)
        return flat[: steps * n * padded].view(steps, n, padded)

    def _threads(self, batch: Batch) -> list[tuple[int, int]]:
        """Cut the rows into one part for each thread, with about as many steps in each."""
        n, n_timesteps = batch.x.shape[:2]
        count = min(n_threads(), n) if self.work * n * n_timesteps >= _WORTH_THREADS else 1
        if not batch.ragged or count == 1:
            return [(n * i // count, n * (i + 1) // count) for i in range(count)]
        done = batch.lengths.cumsum(0)
        marks = [int(torch.searchsorted(done, int(done[-1]) * i // count)) for i in range(1, count)]
        cuts = [0, *marks, n]
        return [(a, b) for a, b in itertools.pairwise(cuts) if b > a]

    def _call(
        self, kernel: _Compiled, run: Run, tensors: dict[tuple[object, ...], Tensor | None], sums: Tensor | None = None
    ) -> None:
        batch = run.batch
        x_grad, output_grad = tensors.get(("x_grad",)), tensors.get(("output_grad",))
        tensors[("lengths",)] = batch.lengths
        tensors[("x",)] = batch.x
        numbers: dict[tuple[object, ...], int] = {
            ("B",): len(batch.x), ("x_step",): batch.x.stride(1), ("x_row",): batch.x.stride(0),
        }  # fmt: skip
        for name, tensor in (("grad", output_grad), ("x_grad", x_grad)):
            if tensor is not None:
                numbers[(f"{name}_step",)], numbers[(f"{name}_row",)] = tensor.stride(1), tensor.stride(0)
        for k, stack in enumerate(run.stacks):
            tensors[("state", k)] = stack
            numbers[("mask", k)] = -1 if len(stack) == batch.x.shape[1] + 1 else 1
        parts = []
        for first, last in self._threads(batch):
            blocks = -(-(last - first) // _BLOCK_ROWS)
            rows = -(-(last - first) // blocks)
            parts.append((first, last, rows, max(1, min(batch.x.shape[1], _CHUNK_ROWS // rows))))
        kernel.run(kernel.bind(numbers, tensors, run.values, parts, sums), alive=(tensors, run.values))


@dataclass
class Run:
    """What a forward pass leaves for the backward pass."""

    batch: Batch
    values: list[Any]
    stacks: list[Tensor]
    kept: Tensor
    output: Tensor | None = None


#: The numbers and the pointers that a kernel is called with.
_Part = tuple[Any, Any]


class _Compiled:
    """A kernel, built when it is first called."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._sums = kernel.pointers.index(("sums",)) if ("sums",) in kernel.pointers else None
        library = load(kernel.source)
        self._run, self._run_team = library.run, library.run_team
        self._run.argtypes = [ctypes.c_void_p] * 2
        self._run_team.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_int64] + [ctypes.c_void_p] * 3

    def bind(
        self,
        numbers: dict[tuple[object, ...], int],
        tensors: dict[tuple[object, ...], Tensor | None],
        values: list[Any],
        parts: Sequence[tuple[int, int, int, int]],
        sums: Tensor | None,
    ) -> list[_Part]:
        """Return the arguments for each part of the batch: its first row, the row after its last, rows of a block, steps of a chunk."""
        keys, pointers = self.kernel.numbers, self.kernel.pointers
        n = (ctypes.c_int64 * len(keys))(*[_number(key, numbers, values) for key in keys])
        p = (ctypes.c_void_p * len(pointers))(*[_pointer(key, tensors, values) for key in pointers])
        bound = []
        for i, part in enumerate(parts):
            own_n, own_p = type(n).from_buffer_copy(n), type(p).from_buffer_copy(p)
            own_n[1:5] = list(part)
            if sums is not None and self._sums is not None:
                own_p[self._sums] = sums[i].data_ptr()
            bound.append((own_n, own_p))
        return bound

    def run(self, parts: Sequence[_Part], *, alive: Any) -> None:
        """Run all parts at the same time; what they point to stays ``alive`` even where Ctrl-C ends the waiting for it."""
        team = openmp()
        if len(parts) == 1:
            self._check(self._run(*parts[0]))
        elif team is None:
            run_in_threads([partial(self._run_part, part, alive) for part in parts])
        else:
            pointers = ctypes.c_void_p * len(parts)
            n, p = (pointers(*[ctypes.addressof(part[k]) for part in parts]) for k in (0, 1))
            self._check(self._run_team(n, p, len(parts), team.parallel, team.number, team.size))

    def _run_part(self, part: _Part, alive: Any) -> None:
        self._check(self._run(*part))

    def _check(self, failed: int) -> None:
        if failed:
            raise MemoryError("The compiled recurrence could not allocate its working memory.")


def _number(key: tuple[object, ...], numbers: dict[tuple[object, ...], int], values: list[Any]) -> int:
    if key[0] == "stride":
        value = values[key[1]]  # type: ignore[call-overload]
        return value.stride(key[2]) if value.ndim else 0
    return numbers.get(key, 0)  # those that differ from part to part follow


def _pointer(key: tuple[object, ...], tensors: dict[tuple[object, ...], Tensor | None], values: list[Any]) -> int:
    tensor = values[key[1]] if key[0] == "free" else tensors.get(key)  # type: ignore[call-overload]
    return 0 if tensor is None else tensor.data_ptr()
