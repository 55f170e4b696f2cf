"""Logits of the next token, and log-probabilities of given tokens, from fitted language networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqpipe.networks import AveragedLanguage
from seqpipe.sequences import Sequences
from seqpipe.training import Batches, Samples

__all__ = ["NextToken", "log_probabilities"]

#: Number of texts, and of time steps of each, that are processed at once by one network; fewer texts by several.
_TEXTS, _STEPS = 64, 512


class NextToken:
    """Predicts the logits of the next token of texts, given the tokens so far.

    Parameters
    ----------
    network : AveragedLanguage
        The fitted networks.
    labels : array of int, shape (n_samples,), or None
        Class index of each text, if the networks have classes.
    n_samples : int
        Number of texts.
    """

    def __init__(self, network: AveragedLanguage, labels: NDArray[np.int64] | None, n_samples: int) -> None:
        self._network = network
        self._labels = labels
        self._n_samples = n_samples
        self._state: Any = None

    def push(self, tokens: NDArray[np.int64]) -> NDArray[Any]:
        """Append tokens to all texts; return the logits of the next token.

        Parameters
        ----------
        tokens : array of int, shape (n_samples, n_steps) or (1, n_steps)
            At least one token per text; a single row is used for all texts.

        Returns
        -------
        logits : array of shape (n_samples, n_tokens)
        """
        steps = np.broadcast_to(tokens, (self._n_samples, tokens.shape[1]))
        if self._labels is None:
            columns = [steps]
        else:
            columns = [steps, np.broadcast_to(self._labels[:, None], steps.shape)]
        x = torch.from_numpy(np.stack(columns, axis=2)).to(self._network.like)
        with torch.inference_mode():
            logits, self._state = self._network.advance(x, None, self._state)
            found: NDArray[Any] = logits[:, -1].cpu().numpy()
        return found


def log_probabilities(network: AveragedLanguage, samples: Samples) -> NDArray[np.float64]:
    """Return the log-probability of each target, in nats, shape (total_steps,), concatenated over samples.

    Long texts are processed in parts, with the state carried over.
    """
    assert isinstance(samples.X, Sequences)
    offsets = samples.X.offsets
    found = np.empty(offsets[-1])
    for inputs, y in Batches(samples, max(1, _TEXTS // len(network)), network.like.device):
        starts, lengths = offsets[inputs["indices"]], samples.X.lengths[inputs["indices"]]
        state = None
        for begin in range(0, y.shape[1], _STEPS):
            steps = slice(begin, begin + _STEPS)
            left = torch.from_numpy(lengths - begin).clamp(0, y[:, steps].shape[1])
            with torch.inference_mode():
                logits, state = network.advance(inputs["x"][:, steps], left, state)
                picked = logits.log_softmax(dim=2).gather(2, y[:, steps].long())[:, :, 0].cpu().numpy()
            places = begin + np.arange(picked.shape[1])
            valid = places < lengths[:, None]
            found[(starts[:, None] + places)[valid]] = picked[valid]
    return found
