"""A fitted `LanguageNetwork` on texts: the logits of the next token, and the probability of those that came."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqpipe.sequences import Sequences
from seqpipe.training import Batches, Samples, SequenceNet

__all__ = ["NextToken", "log_probabilities"]

#: Texts, and time steps of each, whose logits are there at a time.
_TEXTS, _STEPS = 64, 512


class NextToken:
    """What a fitted net says of the next token of some texts, given those so far.

    Parameters
    ----------
    net : SequenceNet
        Its module is a `LanguageNetwork`.
    labels : array of int, shape (n_samples,), or None
        The number of each text's class, where the net knows classes.
    n_samples : int
        Texts at the same time.
    """

    def __init__(self, net: SequenceNet, labels: NDArray[np.int64] | None, n_samples: int) -> None:
        self._network = net.module_.eval()
        self._like = self._network.head.weight
        self._labels = labels
        self._n_samples = n_samples
        self._state: Any = None

    def push(self, tokens: NDArray[np.int64]) -> NDArray[Any]:
        """Take the next tokens of all texts; return the logits of the one after.

        Parameters
        ----------
        tokens : array of int, shape (n_samples, n_steps) or (1, n_steps), n_steps from 1
            One row for all texts, or one each.

        Returns
        -------
        logits : array of shape (n_samples, n_tokens)
        """
        steps = np.broadcast_to(tokens, (self._n_samples, tokens.shape[1]))
        if self._labels is None:
            columns = [steps]
        else:
            columns = [steps, np.broadcast_to(self._labels[:, None], steps.shape)]
        x = torch.from_numpy(np.stack(columns, axis=2)).to(self._like.device, self._like.dtype)
        with torch.inference_mode():
            logits, self._state = self._network.advance(x, None, self._state)
            found: NDArray[Any] = logits[:, -1].cpu().numpy()
        return found


def log_probabilities(net: SequenceNet, samples: Samples) -> NDArray[np.float64]:
    """Return the log probability, in nats, of each target, shape (total_steps,), one sample after the other.

    Long texts go through in parts, with the state carried on.
    """
    assert isinstance(samples.X, Sequences)
    network = net.module_.eval()
    offsets = samples.X.offsets
    found = np.empty(offsets[-1])
    for inputs, y in Batches(samples, _TEXTS, torch.device(net.device)):
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
