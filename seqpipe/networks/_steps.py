"""`StepNetwork`: one output vector per time step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seqpipe.cells import State
from seqpipe.networks._dropout import Dropout
from seqpipe.networks._head import make_head
from seqpipe.networks._inputs import make_input
from seqpipe.networks._patching import Patching
from seqpipe.recurrence import Recurrent, ValidSteps

__all__ = ["PatchState", "StepNetwork"]


@dataclass(frozen=True)
class PatchState:
    """What a network of patches continues from.

    Attributes
    ----------
    recurrent : State
        State of the recurrent layers after the last patch.
    before : tensor of shape (batch, patch_length - patch_stride, n_features)
        The last time steps of the input layer, which the next patch contains as well.
    """

    recurrent: State
    before: Tensor


class StepNetwork(nn.Module):
    """Standardise or embed the input, run a cell over time, and apply the same linear layer at every step.

    With patches, the cell takes one step per patch, after which the linear layer computes the outputs of the last
    ``patch_stride`` time steps of the patch: each depends on up to ``patch_stride - 1`` later time steps.

    Parameters
    ----------
    n_features, n_outputs : int
        Number of features and of outputs per step.
    recurrent : callable (input_size) -> Recurrent
        Creates the recurrent layers.
    n_tokens : int or None
        Size of the vocabulary if the input is token indices, else None.
    embedding : int, "one_hot" or None
        Embedding of token indices; None for numbers.
    patch_length, patch_stride : int
        Time steps per input of the recurrent layers, and from the end of one input to that of the next, see `Patching`.
    dropout : float
        Dropout probability before the output layer.
    head : str
        Registered name of the output layer.
    dtype : torch.dtype
        Data type of all parameters.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        recurrent: Callable[[int], Recurrent],
        n_tokens: int | None = None,
        embedding: int | str | None = None,
        patch_length: int = 1,
        patch_stride: int = 1,
        dropout: float = 0.0,
        head: str = "linear",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.input = make_input(n_features, n_tokens, embedding)
        patching = Patching(self.input.output_size, patch_length, patch_stride, lead=patch_length - patch_stride)
        self.patching = patching if patch_length > 1 else None
        self.recurrent = recurrent(patching.output_size)
        self.dropout = Dropout(dropout)
        self.head = make_head(head, self.recurrent.output_size, patch_stride * n_outputs)
        self.to(dtype)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, n_timesteps, n_features) and lengths (batch,) to outputs (batch, n_timesteps, n_outputs)."""
        return self.advance(x, lengths, None)[0]

    def advance(
        self, x: Tensor, lengths: Tensor | None, state: State | PatchState | None
    ) -> tuple[Tensor, State | PatchState]:
        """Continue from the state returned by an earlier call; return outputs as `forward` does, and the new state.

        Patches continue only after a multiple of ``patch_stride`` time steps.
        """
        if self.patching is not None:
            assert state is None or isinstance(state, PatchState)
            return self._advance_patches(self.patching, self.input(x), lengths, state)
        outputs, state = self.recurrent(self.input(x), lengths, state)
        return self.head(self.dropout(outputs)), state

    def _advance_patches(
        self, patching: Patching, inputs: Tensor, lengths: Tensor | None, state: PatchState | None
    ) -> tuple[Tensor, PatchState]:
        n_samples, n_timesteps, n_features = inputs.shape
        before = inputs.new_zeros(n_samples, patching.lead, n_features) if state is None else state.before
        patches, n_patches = patching(inputs, lengths, before)
        outputs, recurrent = self.recurrent(patches, n_patches, None if state is None else state.recurrent)
        of_steps = self.head(self.dropout(outputs)).reshape(n_samples, patches.shape[1] * patching.stride, -1)
        of_steps = of_steps[:, :n_timesteps]
        if lengths is not None:
            of_steps = ValidSteps.of(lengths, n_timesteps, of_steps.device).clear(of_steps)
        last = torch.cat([before, inputs[:, max(0, n_timesteps - patching.lead) :]], dim=1)
        return of_steps, PatchState(recurrent, last[:, last.shape[1] - patching.lead :])
