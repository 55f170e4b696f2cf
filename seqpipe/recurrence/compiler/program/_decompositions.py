"""Decompositions of operations without a rule, as torch functions that call only operations with a rule.

Derivatives are separate operations in a trace (``gelu_backward``). Some decompositions are torch's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._decomp import decomposition_table

from seqpipe.recurrence.compiler.program import _decomposed_elementwise, _decomposed_reductions, _decomposed_selection

__all__ = ["DECOMPOSITIONS"]

_OF_TORCH = (
    "hardswish_backward", "log_sigmoid_backward", "_softmax_backward_data", "_log_softmax_backward_data",
    "glu_backward", "_prelu_kernel_backward", "_prelu_kernel", "unfold_backward", "logit_backward",
)  # fmt: skip


def _decomposition_of_torch(name: str) -> Callable[..., Any]:
    overload = getattr(torch.ops.aten, name).default
    return decomposition_table[overload]


#: Decompositions by the name of an operation, without overload.
DECOMPOSITIONS: dict[str, Callable[..., Any]] = {
    **_decomposed_elementwise.FUNCTIONS,
    **_decomposed_reductions.FUNCTIONS,
    **_decomposed_selection.FUNCTIONS,
    **{name: _decomposition_of_torch(name) for name in _OF_TORCH},
}
