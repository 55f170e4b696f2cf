"""`TokenDecoder`: a sequence of tokens out of a state, each from those before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells import State
from seqpipe.networks._attention import make_attention
from seqpipe.networks._inputs import make_input
from seqpipe.recurrence import Recurrent

__all__ = ["END", "Source", "TokenDecoder", "shifted"]

#: The number of the token that ends a sequence. It also stands before the first one, and in the padding.
END = 0


@dataclass(frozen=True)
class Source:
    """What a decoder attends to.

    Attributes
    ----------
    memory : tensor of shape (batch, n_steps, memory_size)
        The encoder's outputs.
    keys : tensor of shape (batch, n_steps, …)
        What the attention made of them.
    mask : tensor of bool, shape (batch, n_steps), or None
        True at valid steps; None where all are.
    """

    memory: Tensor
    keys: Tensor
    mask: Tensor | None

    def repeat(self, times: int) -> Source:
        """Return each row that many times, its copies next to each other."""
        memory, keys = (tensor.repeat_interleave(times, dim=0) for tensor in (self.memory, self.keys))
        return Source(memory, keys, None if self.mask is None else self.mask.repeat_interleave(times, dim=0))


def shifted(targets: Tensor) -> Tensor:
    """Return the token before each of targets (batch, n_timesteps), the end before the first."""
    return F.pad(targets[:, :-1], (1, 0), value=END)


class TokenDecoder(nn.Module):
    """Run a cell along the tokens so far, attend to the source with its outputs, and score every token as the next.

    Attention stands above the recurrent layers (Luong, Pham and Manning, 2015, arXiv:1508.04025, eq. 5), so that in
    training they run along the whole target at once.

    Parameters
    ----------
    n_tokens : int
        Size of the vocabulary, the end among them.
    recurrent : callable (input_size) -> Recurrent
        Makes the recurrent layers.
    embedding : int or "one_hot"
        How a token number becomes a vector.
    attention : {"additive", "dot"} or None
        How the source is attended to.
    memory_size : int
        Features of a step of the source; of no use without attention.
    dropout : float
        Share of values dropped before the output layer.
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
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(size, n_tokens)

    def source(self, memory: Tensor, mask: Tensor | None) -> Source | None:
        """Return what `forward` takes for a memory (batch, n_steps, memory_size); None without attention."""
        return None if self.attention is None else Source(memory, self.attention.keys(memory), mask)

    def forward(self, tokens: Tensor, state: State, source: Source | None) -> tuple[Tensor, State, Tensor | None]:
        """Go on by some tokens.

        Parameters
        ----------
        tokens : tensor of int64, shape (batch, n_timesteps)
            The tokens before those that are scored.
        state : State
            Before the first of them.
        source : Source or None
            What is attended to.

        Returns
        -------
        logits : tensor of shape (batch, n_timesteps, n_tokens)
        state : State
            After the last token.
        weights : tensor of shape (batch, n_timesteps, n_steps), or None
            Where each step attended to; None without attention.
        """
        outputs, state = self.recurrent(self._embedded(tokens), None, state)
        weights = None
        if source is not None and self.attention is not None and self.combine is not None:
            context, weights = self.attention(outputs, source.keys, source.memory, source.mask)
            outputs = torch.tanh(self.combine(torch.cat([context, outputs], dim=2)))
        return self.head(self.dropout(outputs)), state, weights

    def teach(self, targets: Tensor, state: State, source: Source | None, sampling: float = 0.0) -> Tensor:
        """Score targets, each given the true ones before it, or in part the decoder's own.

        With ``sampling`` a first pass is given the true tokens; then each true token but the end before the first is
        replaced, with that probability, by one drawn from what the first pass gave in its place (scheduled sampling:
        Bengio et al., 2015, arXiv:1506.03099; in two passes, along all steps at once: Mihaylova and Martins, 2019,
        arXiv:1906.07651). No gradient goes through the first pass.

        Parameters
        ----------
        targets : tensor of int64, shape (batch, n_timesteps)
            Each row ended by `END`, and filled with it.
        state : State
            Before the first.
        source : Source or None
            What is attended to.
        sampling : float
            Share of true tokens replaced, in training.

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
        # The width of its numbers is that of the parameters: a one-hot vector takes the type of what it is made from.
        embedded: Tensor = self.input(tokens[:, :, None].to(self.head.weight.dtype))
        return embedded
