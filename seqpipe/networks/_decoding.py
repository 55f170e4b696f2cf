"""`Decoding`: the tokens of one or several encoder–decoders, one step after the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from seqpipe.cells import State
from seqpipe.networks._average import averaged_logits
from seqpipe.networks._token_decoder import Source, TokenDecoder
from seqpipe.recurrence import map_state, state_tensors

__all__ = ["Decoding", "WritingNetwork"]


class WritingNetwork(Protocol):
    """A network with a decoder of tokens: `EncoderDecoder` and `CaptionNetwork`."""

    decoder: TokenDecoder

    def begin(self, x: Tensor, lengths: Tensor | None) -> tuple[State, Source | None]:
        """Return the initial state of the decoder for inputs of shape (batch, …), and its source."""


class Decoding:
    """Runs the decoders of networks in lockstep, with the mean of their probabilities of the next token.

    Parameters
    ----------
    networks : sequence of WritingNetwork
        In evaluation mode, all with the same vocabulary.
    x, lengths : tensors
        Inputs of the networks.
    times : int
        Number of outputs that are written at a time per row of x. Rows of the same input are adjacent.
    """

    def __init__(
        self, networks: Sequence[WritingNetwork], x: Tensor, lengths: Tensor | None, *, times: int = 1
    ) -> None:
        self._decoders = [network.decoder for network in networks]
        begun = [network.begin(x, lengths) for network in networks]
        self._states = [_repeated(state, times) for state, _ in begun]
        self._sources = [None if source is None else source.repeat(times) for _, source in begun]

    @property
    def like(self) -> Tensor:
        """A tensor of the device and data type of the networks."""
        return state_tensors(self._states[0])[0]

    def advance(self, tokens: Tensor) -> Tensor:
        """Append a token to each row, shape (rows,); return the log-probability of each next one, (rows, n_tokens)."""
        found = [
            decoder(tokens[:, None], state, source)
            for decoder, state, source in zip(self._decoders, self._states, self._sources)
        ]
        self._states = [state for _, state, _ in found]
        return averaged_logits([logits[:, 0] for logits, _, _ in found]).log_softmax(dim=1)

    def select(self, rows: Tensor) -> None:
        """Continue from the given rows, shape (rows,), each among those of the same input."""
        self._states = [map_state(partial(torch.index_select, dim=1, index=rows), state) for state in self._states]


def _repeated(state: State, times: int) -> State:
    return map_state(lambda tensor: tensor.repeat_interleave(times, dim=1), state)
