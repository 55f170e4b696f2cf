"""The loss of connectionist temporal classification (Graves et al., 2006, doi:10.1145/1143844.1143891).

A network that is trained with one target per step gets label sequences in rows that are aligned with its steps: the
first columns hold the codes of the labels in the first rows and 0 after them, and 1 in the row where a sequence begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["BLANK", "CTCStepLoss", "target_rows"]

#: Output of the network that stands for no label.
BLANK = 0
_LABEL, _BEGIN = 0, 1


def target_rows(codes: Sequence[int], n_timesteps: int, n_outputs: int) -> NDArray[np.float64]:
    """Return the rows (n_timesteps, n_outputs) from which `CTCStepLoss` reads the codes of one label sequence."""
    rows = np.zeros((n_timesteps, n_outputs))
    rows[: len(codes), _LABEL] = codes
    rows[0, _BEGIN] = 1
    return rows


class CTCStepLoss(nn.Module):
    """-ln p(labels | x) of each sequence, divided equally among its steps.

    Parameters
    ----------
    reduction : str
        As seqpipe passes it to every loss; there is always one loss per step.
    """

    def __init__(self, reduction: str = "none") -> None:
        super().__init__()

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Map outputs (n_steps, n_outputs) and `target_rows` (n_steps, n_outputs) of whole sequences to (n_steps,)."""
        steps = self._lengths(targets)
        y = nn.utils.rnn.pad_sequence(outputs.log_softmax(dim=1).split(steps))
        labels = targets[:, _LABEL].long()
        n_labels = [int((part != BLANK).sum()) for part in labels.split(steps)]
        loss = nn.functional.ctc_loss(y, labels[labels != BLANK], steps, n_labels, blank=BLANK, reduction="none")
        n_steps = torch.tensor(steps, device=loss.device)
        return (loss / n_steps).repeat_interleave(n_steps)

    def _lengths(self, targets: Tensor) -> list[int]:
        """Return the number of steps of each sequence."""
        begins = [*targets[:, _BEGIN].nonzero()[:, 0].tolist(), len(targets)]
        return [stop - start for start, stop in pairwise(begins)]
