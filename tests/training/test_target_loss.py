"""The loss of targets with lengths of their own."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from seqpipe.training import TargetLoss

CRITERION = torch.nn.CrossEntropyLoss(reduction="none")


def test_steps_after_a_targets_end_do_not_count() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 4)
    y = torch.tensor([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]])[:, :, None]
    loss = TargetLoss(2.5)(CRITERION, logits, y, {"lengths": torch.tensor([9, 9]), "y_lengths": torch.tensor([3, 2])})
    by_hand = [F.cross_entropy(logits[i, t], y[i, t, 0].long()) for i, t in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]]
    torch.testing.assert_close(loss, torch.stack(by_hand).sum() / 5)


def test_the_lengths_of_the_input_are_not_those_of_the_targets() -> None:
    torch.manual_seed(0)
    logits, y = torch.randn(2, 3, 4), torch.ones(2, 3, 1)
    ragged = TargetLoss(3.0)(CRITERION, logits, y, {"lengths": torch.tensor([1, 2])})
    torch.testing.assert_close(ragged, F.cross_entropy(logits.flatten(0, 1), y.flatten().long()))
