"""Several networks that are run in lockstep, with the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import log

import torch
from torch import Tensor

from seqpipe.cells import State
from seqpipe.networks._language import LanguageNetwork

__all__ = ["AveragedLanguage", "averaged_logits"]


def averaged_logits(logits: Sequence[Tensor]) -> Tensor:
    """Return the logits of which the probabilities are the mean of those of several networks.

    Parameters
    ----------
    logits : sequence of tensors of shape (…, n_classes)
        The logits of each network.

    Returns
    -------
    tensor of shape (…, n_classes)
        The logarithms of the mean probabilities; the logits themselves of a single network.
    """
    if len(logits) == 1:
        return logits[0]
    total = reduce(torch.logaddexp, (each.log_softmax(dim=-1) for each in logits))
    return total - log(len(logits))


class AveragedLanguage:
    """One or several language networks that predict the next token together.

    Parameters
    ----------
    networks : sequence of LanguageNetwork
        In evaluation mode, all with the same vocabulary.
    """

    def __init__(self, networks: Sequence[LanguageNetwork]) -> None:
        self._networks = networks

    def __len__(self) -> int:
        return len(self._networks)

    @property
    def like(self) -> Tensor:
        """A tensor of the device and data type of the networks."""
        return self._networks[0].head.weight

    def advance(
        self, x: Tensor, lengths: Tensor | None, states: Sequence[State] | None
    ) -> tuple[Tensor, Sequence[State]]:
        """Advance each network from its state, None at the beginning of texts, as `LanguageNetwork.advance` does.

        Returns
        -------
        logits : tensor of shape (batch, n_timesteps, n_tokens)
            As `averaged_logits` returns them.
        states : sequence of State
            The new state of each network.
        """
        before = [None] * len(self) if states is None else states
        found = [network.advance(x, lengths, state) for network, state in zip(self._networks, before, strict=True)]
        return averaged_logits([logits for logits, _ in found]), [state for _, state in found]
