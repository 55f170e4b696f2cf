"""`EncoderDecoder`: from one sequence of tokens to another of any length.

Cho et al., 2014, arXiv:1406.1078; Sutskever, Vinyals and Le, 2014, arXiv:1409.3215.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqpipe.cells import State
from seqpipe.networks._bridge import Bridge, state_size, state_vector
from seqpipe.networks._inputs import make_input
from seqpipe.networks._token_decoder import Source, TokenDecoder, shifted
from seqpipe.recurrence import Recurrent, ValidSteps

__all__ = ["EncoderDecoder"]


class EncoderDecoder(nn.Module):
    """Embed and encode the source; begin the decoder in a linear map of the encoder's final state.

    Parameters
    ----------
    n_tokens, n_outputs : int
        Sizes of the source's vocabulary, and of the target's with the end.
    encoder, decoder : callable (input_size) -> Recurrent
        Make the recurrent layers of either; their cells and sizes need not be the same.
    source_embedding, target_embedding : int or "one_hot"
        How token numbers become vectors.
    attention : {"additive", "dot"} or None
        How the decoder attends to the encoder's outputs.
    sampling : float
        Share of the decoder's inputs that are its own outputs in training.
    dropout : float
        Share of values dropped before the output layer.
    dtype : torch.dtype
        Of all parameters.
    """

    #: The net gives the targets as well: without them nothing says how long the output is.
    takes_targets = True

    def __init__(
        self,
        n_tokens: int,
        n_outputs: int,
        *,
        encoder: Callable[[int], Recurrent],
        decoder: Callable[[int], Recurrent],
        source_embedding: int | str = 32,
        target_embedding: int | str = 32,
        attention: str | None = "dot",
        sampling: float = 0.0,
        dropout: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.sampling = sampling
        self.input = make_input(1, n_tokens, source_embedding)
        self.encoder = encoder(self.input.output_size)
        self.decoder = TokenDecoder(
            n_outputs,
            recurrent=decoder,
            embedding=target_embedding,
            attention=attention,
            memory_size=self.encoder.output_size,
            dropout=dropout,
        )
        self.bridge = Bridge(state_size(self.encoder), self.decoder.recurrent)
        self.to(dtype)

    def forward(self, x: Tensor, lengths: Tensor | None, y: Tensor) -> Tensor:
        """Score the targets, each from those before it.

        Parameters
        ----------
        x : tensor of shape (batch, n_steps, 1)
            The source's token numbers, of any type.
        lengths : tensor of int, shape (batch,), or None
            Valid steps of the source.
        y : tensor of shape (batch, n_timesteps, 1)
            The target's token numbers, of any type, ended by and filled with zeros.

        Returns
        -------
        tensor of shape (batch, n_timesteps, n_outputs)
            Logits.
        """
        state, source = self.begin(x, lengths)
        return self.decoder.teach(y[:, :, 0].long(), state, source, self.sampling)

    def begin(self, x: Tensor, lengths: Tensor | None) -> tuple[State, Source | None]:
        """Encode sources x and lengths as in `forward`; return what the decoder begins with, and attends to."""
        if lengths is not None:
            x = x[:, : int(lengths.max())]  # more padding must not change how sums are rounded
        memory, state = self.encoder(self.input(x), lengths)
        mask = None if lengths is None else ValidSteps.of(lengths, x.shape[1], x.device).mask
        first = self.bridge(state_vector(state, self.encoder), self.decoder.recurrent)
        return first, self.decoder.source(memory, mask)

    def attended(self, x: Tensor, lengths: Tensor | None, y: Tensor) -> Tensor:
        """Return where each step that gives one of y attends to, (batch, n_timesteps, n_steps); x, y as in `forward`."""
        state, source = self.begin(x, lengths)
        _, _, weights = self.decoder(shifted(y[:, :, 0].long()), state, source)
        assert weights is not None  # who asks has attention
        return weights
