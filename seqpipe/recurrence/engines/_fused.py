"""torch's own kernels, cuDNN on a GPU and oneDNN on a CPU, for cells that declare the same computation."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.contents import declares
from seqpipe.recurrence.engines._engine import Engine

__all__ = ["FusedEngine"]

#: Value added to each gate in the padding. It closes an LSTM's input gate and opens its forget gate, so that c is
#: unchanged: torch returns c after the last step only. It sets a ReLU to 0, which could otherwise grow until the
#: gradient, 0 times infinity, is NaN. The other cells stay bounded, and their values in the padding are not read.
_IN_PADDING = {"lstm": (-1e4, 1e4, 0.0, 0.0), "rnn_relu": (-1e30,)}


class FusedEngine(Engine):
    """Run a whole direction in one call, over the padded batch: a causal network needs no packing."""

    name = "fused"

    def refuses(self, cell: Cell) -> str | None:
        """Accept a cell whose class declares a kernel of torch, unless a subclass overrides its step."""
        if cell.torch_kernel() is None:
            return "torch has no kernel for this cell"
        if not declares(type(cell), "torch_kernel", of=("step", "project", "recur")):
            return f"{type(cell).__name__} overrides the step that torch's kernel computes"
        like = cell.first_tensor()
        if like is not None and like.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            if not _supports_dtype(str(cell.torch_kernel()), dtype):
                return f"torch has no kernel in {dtype} for this cell on this processor"
        return None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x; see `Engine.run`."""
        kernel = str(cell.torch_kernel())
        weights = _weights(cell)
        if valid is not None and kernel in _IN_PADDING:
            x, weights = _mark_padding(x, valid, weights, _IN_PADDING[kernel])
        if kernel != "lstm":
            outputs, _ = _call(kernel, x, state[None], weights, cell.training)
            return _clear_padding(outputs, valid, state)
        outputs, _, last_c = _call(kernel, x, (state[0][None], state[1][None]), weights, cell.training)
        outputs, h = _clear_padding(outputs, valid, state[0])
        return outputs, (h, last_c[0])


@cache
def _supports_dtype(kernel: str, dtype: torch.dtype) -> bool:
    """Return whether torch's kernel runs under autocast to a dtype, which depends on the processor, by trying it."""
    n_gates = {"lstm": 4, "gru": 3}.get(kernel, 1)
    weights = [torch.zeros(shape).requires_grad_() for shape in ((n_gates, 1), (n_gates, 1), (n_gates,), (n_gates,))]
    h = torch.zeros(1, 1, 1)
    try:
        with torch.enable_grad(), torch.autocast("cpu", dtype):
            _call(kernel, torch.zeros(1, 1, 1), (h, h) if kernel == "lstm" else h, weights, True)[0].sum().backward()
    except RuntimeError:
        return False
    return True


def _clear_padding(outputs: Tensor, valid: ValidSteps | None, before: Tensor) -> tuple[Tensor, Tensor]:
    """Return outputs that are zero in the padding, and the last valid output of each row."""
    return (outputs, outputs[:, -1]) if valid is None else (valid.clear(outputs), valid.last(outputs, before))


def _weights(cell: Any) -> list[Tensor]:
    return [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]


def _mark_padding(
    x: Tensor, valid: ValidSteps, weights: list[Tensor], gates: tuple[float, ...]
) -> tuple[Tensor, list[Tensor]]:
    """Add a feature that is 1 in the padding, and its weight for each gate."""
    hidden_size = weights[1].shape[1]
    column = torch.tensor(gates, dtype=x.dtype, device=x.device).repeat_interleave(hidden_size)[:, None]
    padding = (~valid.mask).to(x.dtype)[:, :, None]
    return torch.cat([x, padding], dim=2), [torch.cat([weights[0], column], dim=1), *weights[1:]]


def _call(kernel: str, x: Tensor, state: State, weights: list[Tensor], training: bool) -> Any:
    function = getattr(torch._VF, kernel)
    if not x.is_cuda:
        return function(x, state, weights, True, 1, 0.0, training, False, True)
    with warnings.catch_warnings():  # cuDNN copies weights that are not contiguous, and warns at each call
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        return function(x, state, weights, True, 1, 0.0, training, False, True)
