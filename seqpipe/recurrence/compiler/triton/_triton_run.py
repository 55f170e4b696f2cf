"""Runs a batch through Triton kernels, as a differentiable torch function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler._second_derivative import refuse_second_derivative
from seqpipe.recurrence.compiler.program import Atom, Const, Input, run_free_calls
from seqpipe.recurrence.compiler.triton._all_steps import AllSteps
from seqpipe.recurrence.compiler.triton._summing import sums_over_rows
from seqpipe.recurrence.compiler.triton._triton_program import TritonProgram

__all__ = ["run_kernels"]


def run_kernels(
    program: TritonProgram, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run over x (batch, n_timesteps, n_features); return the outputs, zero in the padding, and the final states."""
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *states, *tensors)):
        output, *finals = _TritonRecurrence.apply(  # type: ignore[no-untyped-call]
            program, lengths, len(states), x, *states, *tensors
        )
        return output, tuple(finals)
    with torch.no_grad():
        run = _Run(program, x.transpose(0, 1).contiguous(), lengths, tensors)
        output, finals = run.forward(states, keep=False)
    return output, tuple(finals)


class _TritonRecurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, program: TritonProgram, lengths: Tensor | None, n_states: int, x: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        states, tensors = rest[:n_states], rest[n_states:]
        run = _Run(program, x.transpose(0, 1).contiguous(), lengths, tensors)
        output, finals = run.forward(states, keep=True)
        # Saved through torch, which frees them after the backward pass and detects changes in place.
        ctx.save_for_backward(run.x, run.kept, *[t.detach() for t in tensors], *run.stacks, *run.ahead.values())
        ctx.program, ctx.lengths, ctx.sizes = program, lengths, (len(tensors), n_states)
        ctx.ahead = tuple(run.ahead)
        ctx.state_shapes = [s.shape for s in states]
        return output, *finals

    @staticmethod
    def backward(ctx: Any, output_grad: Tensor, *state_grads: Tensor) -> Any:
        refuse_second_derivative()
        n_tensors, n_states = ctx.sizes
        x, kept, *rest = ctx.saved_tensors
        run = _Run(ctx.program, x, ctx.lengths, rest[:n_tensors])
        run.kept, run.stacks = kept, rest[n_tensors:][:n_states]
        run.ahead = dict(zip(ctx.ahead, rest[n_tensors + n_states :]))
        x_grad, before, parameters = run.backward(output_grad, state_grads)
        return None, None, None, x_grad, *(g.view(s) for g, s in zip(before, ctx.state_shapes)), *parameters


class _Run:
    """A run over one batch, time-major.

    Parameters
    ----------
    program : TritonProgram
    x : tensor of shape (n_timesteps, batch, n_features)
    lengths : tensor of int64, shape (batch,), or None
    tensors : sequence of tensor
        Parameters and buffers.

    Attributes
    ----------
    stacks : list of tensor, each of shape (n_timesteps + 1, batch, width)
        The states, zero past the end of each row.
    kept : tensor of shape (n_timesteps, batch, width)
    ahead : dict of int to tensor, each of shape (n_timesteps * batch, width)
    """

    def __init__(self, program: TritonProgram, x: Tensor, lengths: Tensor | None, tensors: Sequence[Tensor]) -> None:
        self.program, self.division, self.x = program, program.division, x
        self.stacks: list[Tensor] = []
        self.kept = x
        self.ahead: dict[int, Tensor] = {}
        n_timesteps, n = x.shape[:2]
        self._ragged = lengths is not None
        self._lengths = torch.full((n,), n_timesteps, device=x.device) if lengths is None else lengths
        self._values = program.free.all(tensors)
        self._steps = AllSteps(x.flatten(0, 1), {("x", 0): x.flatten(0, 1)}, self._values)

    def forward(self, states: Sequence[Tensor], *, keep: bool) -> tuple[Tensor, list[Tensor]]:
        """Return the outputs of shape (batch, n_timesteps, n_outputs) and the final states."""
        division, layout = self.division, self.division.layout
        for k in range(len(division.ahead)) if keep else sorted(division.forward_ahead):
            self._compute_ahead(k)
        for state, width in zip(states, layout.state_widths):
            stack = self._allocate(width, more=1)
            stack[0] = state.reshape(-1, width)
            self.stacks.append(stack)
        kept = division.kept(keep=keep)
        self.kept = self._allocate(sum(a.width for a in kept))
        output = self._allocate(layout.output_width) if self._stores_output else self.x
        kernel = self.program.training_kernel if keep else self.program.inference_kernel
        self._launch(kernel, {"output": output})
        output = self._late_output(kept) if division.output_late else output
        output = output if layout.output_state is None else self.stacks[layout.output_state][1:]
        return output.transpose(0, 1), [self._final(k, state.shape) for k, state in enumerate(states)]

    @property
    def _stores_output(self) -> bool:
        return self.division.layout.output_state is None and not self.division.output_late

    def _compute_ahead(self, k: int) -> None:
        found = self.division.ahead[k]
        operand = self._steps.of(found.operand)
        rows = self._values[found.slot][found.row : found.row + operand.shape[1]]
        self.ahead[k] = operand @ rows[:, found.start : found.end]
        self._steps.set_input("ahead", k, self.ahead[k])

    def _allocate(self, width: int, *, more: int = 0) -> Tensor:
        """Allocate memory for all steps and samples; the padding is zero, as sums include it."""
        make = torch.zeros if self._ragged else torch.empty
        n_timesteps, n = self.x.shape[:2]
        return make(n_timesteps + more, n, width, dtype=self.x.dtype, device=self.x.device)

    def _launch(self, kernel: Any, given: dict[str, Tensor]) -> None:
        given |= {"x": self.x, "kept": self.kept}
        given |= {f"state{k}": stack for k, stack in enumerate(self.stacks)}
        given |= {f"ahead{k}": tensor for k, tensor in self.ahead.items()}
        self.program.launch(kernel, self._lengths, given, self._values)

    def _set_stored(self, kept: Sequence[Atom]) -> None:
        """Register the values stored by the forward kernel."""
        for k, stack in enumerate(self.stacks):
            self._steps.set_input("state", k, stack[:-1].flatten(0, 1))
        for atom, k, start in self.division.after:
            if not isinstance(atom, (Input, Const)):
                self._steps.set_rows(atom, self.stacks[k][1:].flatten(0, 1)[:, start : start + atom.width])
        self._steps.set_adjacent(kept, self.kept.flatten(0, 1))

    def _late_output(self, kept: Sequence[Atom]) -> Tensor:
        self._set_stored(kept)
        rows = self._zero_padding(self._steps.concatenated(self.program.division.program.output))
        return rows.unflatten(0, self.x.shape[:2])

    def _zero_padding(self, rows: Tensor) -> Tensor:
        """Return the rows of all steps, zero in the padding."""
        if not self._ragged:
            return rows
        valid = torch.arange(len(self.x), device=rows.device)[:, None] < self._lengths
        return torch.where(valid.view(-1, 1), rows, 0)

    def _final(self, k: int, shape: torch.Size) -> Tensor:
        stack = self.stacks[k]
        last = stack[self._lengths, torch.arange(shape[0], device=stack.device)] if self._ragged else stack[-1].clone()
        return last.view(shape)

    def backward(
        self, output_grad: Tensor, state_grads: Sequence[Tensor]
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor | None]]:
        """Return the gradients of x, of the initial states (batch, width), and of parameters and buffers."""
        last = [g.reshape(len(g), -1).contiguous() for g in state_grads]
        first = [g.clone() for g in last]  # kept for rows without steps
        left = self._allocate(sum(a.width for a in self.division.left))
        given = {"grad": output_grad.transpose(0, 1).contiguous(), "left": left}
        given |= {f"last{k}": g for k, g in enumerate(last)} | {f"first{k}": g for k, g in enumerate(first)}
        given |= {f"carry{k}": g.new_empty(2, *g.shape) for k, g in enumerate(last)}
        self._launch(self.program.backward_kernel, given)
        for k, tensor in self.ahead.items():
            self._steps.set_input("ahead", k, tensor)
        self._set_stored(self.division.kept(keep=True))
        self._steps.set_adjacent(self.division.left, left.flatten(0, 1))
        return self._x_grad(), first, self._parameter_grads()

    def _x_grad(self) -> Tensor | None:
        atoms = self.division.program.x_grad
        if atoms is None:
            return None
        return self._zero_padding(self._steps.concatenated(atoms)).unflatten(0, self.x.shape[:2]).transpose(0, 1)

    def _parameter_grads(self) -> list[Tensor | None]:
        program, values = self.division.program, self._values
        sums = sums_over_rows(self.division.layout.sums, self._rows_of, self._concatenated_rows)
        for slot, total in sums.items():
            values[slot] = total
        run_free_calls(program.late, values)
        return [None if g is None else values[g.slot] for g in program.parameter_grads]

    def _rows_of(self, atom: Atom) -> Tensor:
        """Return an atom's rows, zero in the padding, as x and values stored by kernels are."""
        if isinstance(atom, Input) and atom.source in ("x", "state"):
            return self._steps.of(atom)
        stored = self._steps.adjacent([atom])
        return self._zero_padding(self._steps.of(atom)) if stored is None else stored

    def _concatenated_rows(self, atoms: Sequence[Atom]) -> Tensor:
        found = self._steps.adjacent(atoms)
        return torch.cat([self._rows_of(atom) for atom in atoms], dim=1) if found is None else found
