"""The compiled recurrence as a differentiable torch function."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler._second_derivative import refuse_second_derivative
from seqpipe.recurrence.compiler.c._c_program import Batch, CProgram, ForwardRun

__all__ = ["run_compiled"]


def run_compiled(
    program: CProgram,
    x: Tensor,
    lengths: Tensor | None,
    states: tuple[Tensor, ...],
    members: Sequence[tuple[Tensor, ...]],
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run over x (batch, n_timesteps, n_features); return the outputs, zero in the padding, and the final states.

    ``members`` are the parameters and buffers of one cell or several, which run over equal blocks of rows.
    """
    tensors = [tensor for member in members for tensor in member]
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *states, *tensors)):
        output, *finals = _CRecurrence.apply(  # type: ignore[no-untyped-call]
            program, lengths, len(states), len(members), x, *states, *tensors
        )
        return output, tuple(finals)
    batch, order = _sorted(x.detach(), lengths, len(members))
    run, finals = program.forward(batch, _reorder(states, order), members, keep=False)
    return _restore_order(program.output_of(run), order), tuple(_restore_order(f, order) for f in finals)


class _CRecurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, program: CProgram, lengths: Tensor | None, n_states: int, n_members: int, x: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        states, tensors = rest[:n_states], rest[n_states:]
        batch, order = _sorted(x, lengths, n_members)
        run, finals = program.forward(batch, _reorder(states, order), _split(tensors, n_members), keep=True)
        # Saved through torch, which frees them after the backward pass and detects changes in place. Detached, they
        # keep their values even if a parameter is assigned other memory.
        ctx.save_for_backward(batch.x, run.outputs, run.kept, *[t.detach() for t in tensors])
        ctx.program, ctx.lengths, ctx.bound, ctx.order = program, batch.lengths, run.bound, order
        ctx.state_shapes = [s.shape for s in states]
        ctx.set_materialize_grads(False)
        return _restore_order(program.output_of(run), order), *(_restore_order(f, order) for f in finals)

    @staticmethod
    def backward(ctx: Any, output_grad: Tensor | None, *state_grads: Tensor | None) -> Any:
        refuse_second_derivative()
        x, outputs, kept, *tensors = ctx.saved_tensors
        run = ForwardRun(Batch(x, ctx.lengths), ctx.bound, outputs, kept)
        grads = [g if g is None or ctx.order is None else g[ctx.order] for g in state_grads]
        if output_grad is None:
            output_grad = x.new_zeros(1, 1, ctx.program.layout.output_width).expand(*x.shape[:2], -1)
        elif ctx.order is not None:
            output_grad = output_grad[ctx.order]
        members = _split(tensors, len(ctx.bound))
        x_grad, before, parameters = ctx.program.backward(run, output_grad, grads, members)
        x_grad = None if x_grad is None else _restore_order(x_grad, ctx.order)
        return (
            None,
            None,
            None,
            None,
            x_grad,
            *(_restore_order(g, ctx.order).view(s) for g, s in zip(before, ctx.state_shapes)),
            *parameters,
        )


def _split(tensors: Sequence[Tensor], n_members: int) -> list[Sequence[Tensor]]:
    """Return the tensors of each member."""
    size = len(tensors) // n_members
    return [tensors[k * size : (k + 1) * size] for k in range(n_members)]


def _sorted(x: Tensor, lengths: Tensor | None, n_members: int) -> tuple[Batch, Tensor | None]:
    """Return the batch with each member's rows in decreasing order of length, and the order, or None if it already was."""
    x = x if x.stride(2) == 1 else x.contiguous()
    if lengths is None:
        return Batch(x, _full(*x.shape[:2])), None
    blocks = lengths.view(n_members, -1)
    numbers = blocks.numpy()
    if (numbers[:, 1:] <= numbers[:, :-1]).all():
        return Batch(x, lengths.contiguous()), None
    blocks, order = blocks.sort(descending=True, stable=True)
    order = (order + torch.arange(0, len(x), blocks.shape[1])[:, None]).flatten()
    return Batch(x[order], blocks.flatten()), order


@lru_cache(maxsize=64)
def _full(n_rows: int, n_timesteps: int) -> Tensor:
    return torch.full((n_rows,), n_timesteps, dtype=torch.int64)


def _reorder(tensors: tuple[Tensor, ...], order: Tensor | None) -> tuple[Tensor, ...]:
    """Return states in the order of the batch, contiguous."""
    held = [t.detach().contiguous() for t in tensors]  # an index keeps the order of strides
    return tuple(held if order is None else [t[order] for t in held])


def _restore_order(tensor: Tensor, order: Tensor | None) -> Tensor:
    if order is None:
        return tensor
    result = torch.empty_like(tensor, memory_format=torch.contiguous_format)
    result[order] = tensor
    return result
