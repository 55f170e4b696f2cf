"""A cell's step as Triton kernels, planned for one dtype and one set of requested gradients."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence.compiler.program import FreeValues, merge_products, plan_step
from seqpipe.recurrence.compiler.triton._division import divide
from seqpipe.recurrence.compiler.triton._kernels import TritonKernel, backward_kernel, file_of, forward_kernel
from seqpipe.recurrence.compiler.triton._limits import check_limits, check_operations
from seqpipe.recurrence.compiler.triton._loading import load_kernels

__all__ = ["TritonProgram"]

#: Columns of an operand multiplied at a time: more do not fit into registers.
_AT_ONCE = 16
#: Samples per block. Small blocks occupy more multiprocessors; in the interpreter, each block is slow.
_ROWS, _ROWS_INTERPRETED = 4, 16
#: Columns of the widest tile that four warps of 32 threads hold in registers with all others; wider ones use eight.
_FOUR_WARPS = 32


class TritonProgram:
    """One cell's step as kernels, for any batch size and lengths.

    Attributes
    ----------
    dtype : torch.dtype
    input_grad : bool
        Whether it computes the gradient of x.
    checked : dict of bool to bool
        Whether inference (False) and training (True) matched the plain loop.
    """

    def __init__(self, cell: Cell, dtype: torch.dtype, *, input_grad: bool, parameter_grads: tuple[bool, ...]) -> None:
        self.dtype, self.input_grad = dtype, input_grad
        self.checked: dict[bool, bool] = {}
        program = merge_products(plan_step(cell, input_grad=input_grad, parameter_grads=parameter_grads))
        check_operations(program)
        self.projected, self.recipes = program.projected, program.recipes
        self.free = FreeValues(program)
        self.division = divide(program, double=dtype == torch.float64)
        self._warps = 4 if check_limits(self.division, dtype) <= _FOUR_WARPS else 8
        self._input_width = program.x_width
        self._real = "tl.float64" if dtype == torch.float64 else "tl.float32"

    @cached_property
    def inference_kernel(self) -> TritonKernel:
        """The forward loop for inference."""
        return forward_kernel(self.division, self._real, input_width=self._input_width, keep=False)

    @cached_property
    def training_kernel(self) -> TritonKernel:
        """The forward loop for training, which stores activations for the backward pass."""
        return forward_kernel(self.division, self._real, input_width=self._input_width, keep=True)

    @cached_property
    def backward_kernel(self) -> TritonKernel:
        """The backward loop through time."""
        return backward_kernel(self.division, self._real, input_width=self._input_width)

    @property
    def source(self) -> str:
        """The source of a training step's two kernels."""
        return file_of(self.training_kernel, self.backward_kernel)

    def launch(self, kernel: TritonKernel, lengths: Tensor, given: dict[str, Tensor], values: Sequence[Any]) -> None:
        """Run a kernel.

        Parameters
        ----------
        kernel : TritonKernel
        lengths : tensor of int64, shape (batch,)
        given : dict of str to tensor
            Its arguments, except lengths, row-free values and scratch memory.
        values : sequence
            The row-free values.
        """
        n, device = len(lengths), lengths.device
        scratch = torch.empty(n, kernel.scratch_width, dtype=self.dtype, device=device)
        given = given | {"lengths": lengths, "scratch": scratch}
        arguments = {name: given[name] if name in given else _free(name, values) for name in kernel.arguments}
        rows = _ROWS if device.type == "cuda" else _ROWS_INTERPRETED
        function = load_kernels(kernel.file)[kernel.name]
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            function[(-(-n // rows),)](
                **arguments,
                B=n,
                M=rows,
                K=_AT_ONCE,
                PRECISION=_precision(),
                num_warps=self._warps,
                enable_fp_fusion=True,
            )


def _free(name: str, values: Sequence[Any]) -> Any:
    """Return a row-free value, ``p3``, or the stride of its rows or columns, ``p3_rows``."""
    slot, _, stride = name[1:].partition("_")
    value = values[int(slot)]
    if not stride:
        return value
    return value.stride(0 if stride == "rows" else -1) if value.ndim else 0


def _precision() -> str:
    """Return the precision of torch's float32 products on a GPU."""
    return "tf32" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "ieee"
