"""`TokenDecoder`: an autoregressive decoder of token sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells import State
from seqpipe.networks._attention import make_attention
from seqpipe.networks._dropout import Dropout
from seqpipe.networks._inputs import make_input
from seqpipe.recurrence import Recurrent

__all__ = ["END", "Source", "TokenDecoder", "shifted"]

#: Index of the end-of-sequence token. It is also the start token, and the padding.
END = 0


@dataclass(frozen=True)
class Source:
    """The source that a decoder attends to.

    Attributes
    ----------
    memory : tensor of shape (batch, n_steps, memory_size)
        The encoder's outputs.
    keys : tensor of shape (batch, n_steps, …)
        The keys computed by the attention.
    mask : tensor of bool, shape (batch, n_steps), or None
        True at valid steps; None if all are valid.
    """

    memory: Tensor
    keys: Tensor
    mask: Tensor | None

    def repeat(self, times: int) -> Source:
        """Repeat each row, with its copies adjacent."""
        memory, keys = (tensor.repeat_interleave(times, dim=0) for tensor in (self.memory, self.keys))
        return Source(memory, keys, None if self.mask is None else self.mask.repeat_interleave(times, dim=0))


def shifted(targets: Tensor) -> Tensor:
    """Return the token before each of targets (batch, n_timesteps), with the end token before the first."""
    return F.pad(targets[:, :-1], (1, 0), value=END)


class TokenDecoder(nn.Module):
    """Run a cell over the previous tokens, attend to the source with its outputs, and compute logits of the next token.

    Attention is applied on top of the recurrent layers (Luong, Pham and Manning, 2015, arXiv:1508.04025, eq. 5), so
    that in training they process the whole target at once.

    Parameters
    ----------
    n_tokens : int
        Size of the vocabulary, including the end-of-sequence token.
    recurrent : callable (input_size) -> Recurrent
        Creates the recurrent layers.
    embedding : int or "one_hot"
        Embedding of token indices.
    attention : {"additive", "dot"} or None
        Attention over the source.
    memory_size : int
        Number of features per step of the source; ignored without attention.
    dropout : float
        Dropout probability before the output layer.
    """

    def __init__(
        self,
        n_tokens: int,
        *,
        recurrent: Callable[[int], Recurrent],
        embedding: int | str,
        attention: str | None = None,
        memory_size: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input = make_input(1, n_tokens, embedding)
        self.recurrent = recurrent(self.input.output_size)
        size = self.recurrent.output_size
        self.attention = None if attention is None else make_attention(attention, size, memory_size)
        self.combine = None if attention is None else nn.Linear(size + memory_size, size)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(size, n_tokens)

    def source(self, memory: Tensor, mask: Tensor | None) -> Source | None:
        """Return the source for a memory (batch, n_steps, memory_size); None without attention."""
        return None if self.attention is None else Source(memory, self.attention.keys(memory), mask)

    def forward(self, tokens: Tensor, state: State, source: Source | None) -> tuple[Tensor, State, Tensor | None]:
        """Advance by some tokens.

        Parameters
        ----------
        tokens : tensor of int64, shape (batch, n_timesteps)
            The tokens before those that are predicted.
        state : State
            The state before the first token.
        source : Source or None
            The source to attend to.

        Returns
        -------
        logits : tensor of shape (batch, n_timesteps, n_tokens)
        state : State
            The state after the last token.
        weights : tensor of shape (batch, n_timesteps, n_steps), or None
            The attention weights of each step; None without attention.
        """
        outputs, state = self.recurrent(self._embedded(tokens), None, state)
        weights = None
        if source is not None and self.attention is not None and self.combine is not None:
            context, weights = self.attention(outputs, source.keys, source.memory, source.mask)
            outputs = torch.tanh(self.combine(torch.cat([context, outputs], dim=2)))
        return self.head(self.dropout(outputs)), state, weights

    def teach(self, targets: Tensor, state: State, source: Source | None, sampling: float = 0.0) -> Tensor:
        """Compute logits of the targets with teacher forcing, or in part from the decoder's own outputs.

        With ``sampling``, a first pass is given the true tokens; then each true token except the start token is
        replaced, with that probability, by one drawn from the distribution that the first pass predicted for it
        (scheduled sampling: Bengio et al., 2015, arXiv:1506.03099; in two passes over all steps at once: Mihaylova and
        Martins, 2019, arXiv:1906.07651). Gradients do not flow through the first pass.

        Parameters
        ----------
        targets : tensor of int64, shape (batch, n_timesteps)
            Each row terminated and padded by `END`.
        state : State
            The state before the first target.
        source : Source or None
            The source to attend to.
        sampling : float
            Probability of replacing a true token, in training.

        Returns
        -------
        tensor of shape (batch, n_timesteps, n_tokens)
            Logits.
        """
        before = shifted(targets)
        if self.training and sampling > 0:
            with torch.no_grad():
                logits = self(before, state, source)[0][:, :-1]
                drawn = torch.distributions.Categorical(logits=logits).sample()
            replaced = torch.rand(drawn.shape, device=drawn.device) < sampling
            before = torch.cat([before[:, :1], torch.where(replaced, drawn, before[:, 1:])], dim=1)
        logits, _, _ = self(before, state, source)
        return logits

    def _embedded(self, tokens: Tensor) -> Tensor:
        # Cast to the type of the parameters: a one-hot vector has the type of its input.
        embedded: Tensor = self.input(tokens[:, :, None].to(self.head.weight.dtype))
        return embedded
