"""`EncoderDecoder`: maps a sequence of tokens to another of any length.

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
    """Embed and encode the source; the initial state of the decoder is a linear map of the encoder's final state.

    Parameters
    ----------
    n_tokens, n_outputs : int
        Sizes of the source vocabulary, and of the target vocabulary including the end-of-sequence token.
    encoder, decoder : callable (input_size) -> Recurrent
        Create the recurrent layers; cells and sizes may differ.
    source_embedding, target_embedding : int or "one_hot"
        Embeddings of token indices.
    attention : {"additive", "dot"} or None
        Attention of the decoder over the outputs of the encoder.
    sampling : float
        Probability of replacing an input of the decoder by its own output in training (scheduled sampling).
    dropout : float
        Dropout probability before the output layer.
    dtype : torch.dtype
        Data type of all parameters.
    """

    #: The net passes the targets as well: without them the length of the output is undefined.
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
        """Compute the logits of each target, given the previous ones.

        Parameters
        ----------
        x : tensor of shape (batch, n_steps, 1)
            Token indices of the source, of any type.
        lengths : tensor of int, shape (batch,), or None
            Number of valid steps of the source.
        y : tensor of shape (batch, n_timesteps, 1)
            Token indices of the target, of any type, terminated and padded by zeros.

        Returns
        -------
        tensor of shape (batch, n_timesteps, n_outputs)
            Logits.
        """
        state, source = self.begin(x, lengths)
        return self.decoder.teach(y[:, :, 0].long(), state, source, self.sampling)

    def begin(self, x: Tensor, lengths: Tensor | None) -> tuple[State, Source | None]:
        """Encode sources x and lengths as in `forward`; return the initial state of the decoder and its source."""
        if lengths is not None:
            x = x[:, : int(lengths.max())]  # additional padding must not change the rounding of sums
        memory, state = self.encoder(self.input(x), lengths)
        mask = None if lengths is None else ValidSteps.of(lengths, x.shape[1], x.device).mask
        first = self.bridge(state_vector(state, self.encoder), self.decoder.recurrent)
        return first, self.decoder.source(memory, mask)

    def attended(self, x: Tensor, lengths: Tensor | None, y: Tensor) -> Tensor:
        """Return the attention weights for each target step, (batch, n_timesteps, n_steps); x, y as in `forward`."""
        state, source = self.begin(x, lengths)
        _, _, weights = self.decoder(shifted(y[:, :, 0].long()), state, source)
        assert weights is not None  # callers check for attention
        return weights
