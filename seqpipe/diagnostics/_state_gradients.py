"""Compute the gradient of the loss with respect to all states of recurrent layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.cells import State
from seqpipe.diagnostics._fitted import FittedNet
from seqpipe.diagnostics._recording import Layer, LayerRun, recorded
from seqpipe.recurrence import state_tensors

__all__ = ["state_gradients"]


def state_gradients(fitted: FittedNet) -> tuple[list[Layer], NDArray[np.float64], NDArray[np.float64]]:
    """Compute ‖∂loss/∂h_t‖ for each sample, layer and step.

    Returns
    -------
    layers : list of Layer
        The layers that ran.
    norms : array of shape (n_samples, n_layers, n_timesteps)
        NaN after the end of a sequence, and after the last step that its loss depends on; infinity where the gradient
        is not finite.
    initial : array of shape (n_samples, n_layers)
        The same for the initial state.
    """
    parts = [(indices, *_of_batch(fitted, inputs, y)) for indices, inputs, y in fitted.batches()]
    layers = parts[0][1]
    longest = max(norms.shape[2] for _, _, norms, _ in parts)
    result = np.full((len(fitted.samples), len(layers), longest), np.nan)
    initial = np.empty((len(fitted.samples), len(layers)))
    for indices, _, norms, before in parts:
        result[indices, :, : norms.shape[2]] = norms
        initial[indices] = before
    return layers, result, initial


def _of_batch(
    fitted: FittedNet, inputs: dict[str, Any], y: Any
) -> tuple[list[Layer], NDArray[np.float64], NDArray[np.float64]]:
    net = fitted.net
    with torch.enable_grad():
        runs, loss = recorded(fitted, inputs, lambda: net.get_loss(net.infer(inputs, y=y), y, X=inputs))
    states = [state for run in runs for state in run.states]
    wanted = [tensor for state in states for tensor in _with_grad(state)]
    # The loss is a mean over the batch: multiplied by its size, the gradient of a row is that of its own loss.
    gradients = iter([len(inputs["x"]) * g for g in torch.autograd.grad(loss, wanted, materialize_grads=True)])
    by_state = iter([_row_norms([next(gradients) for _ in _with_grad(state)]) for state in states])
    norms = [np.stack([next(by_state) for _ in run.states], axis=1) for run in runs]
    initial = np.stack([of_layer[:, 0] for of_layer in norms], axis=1)
    return [run.layer for run in runs], _stacked(runs, norms), initial


def _with_grad(state: State) -> list[Tensor]:
    return [tensor for tensor in state_tensors(state) if tensor.requires_grad]


def _row_norms(gradients: list[Tensor]) -> NDArray[np.float64]:
    """Return the norm over all entries of each row, shape (batch,); infinity for NaN."""
    rows = torch.cat([g.to(torch.float64).reshape(len(g), -1) for g in gradients], dim=1)
    return rows.norm(dim=1).nan_to_num(nan=torch.inf, posinf=torch.inf).cpu().numpy()


def _stacked(runs: list[LayerRun], norms: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return norms in the order of time (batch, n_layers, n_timesteps), padded with NaN if layers differ in length."""
    in_time = [run.in_time(_up_to_the_loss(of_layer[:, 1:])) for run, of_layer in zip(runs, norms)]
    longest = max(each.shape[1] for each in in_time)
    padded = [np.pad(each, ((0, 0), (0, longest - each.shape[1])), constant_values=np.nan) for each in in_time]
    return np.stack(padded, axis=1)


def _up_to_the_loss(norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return norms (batch, n_timesteps), with NaN for the zeros after the last step with a gradient in each row."""
    later = np.maximum.accumulate(norms[:, ::-1], axis=1)[:, ::-1]
    return np.where((later > 0) | (later[:, :1] == 0), norms, np.nan)
