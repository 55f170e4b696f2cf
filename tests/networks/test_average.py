"""Networks in lockstep: the mean of their probabilities."""

from __future__ import annotations

import pytest
import torch

from seqpipe.cells import GRUCell, LSTMCell
from seqpipe.networks import AveragedLanguage, LanguageNetwork, averaged_logits
from seqpipe.recurrence import Recurrent


def networks(n: int, cell: type = GRUCell) -> list[LanguageNetwork]:
    torch.manual_seed(0)
    made = [LanguageNetwork(5, 0, recurrent=lambda size: Recurrent(cell(size, 4))).eval() for _ in range(n)]
    for parameter in (each for net in made for each in net.parameters()):
        torch.nn.init.normal_(parameter)
    return made


X = torch.tensor([[1, 2, 3, 4], [0, 3, 3, 1]])[:, :, None].float()


def test_the_probabilities_are_the_mean_of_those_of_the_networks() -> None:
    logits = [5 * torch.randn(2, 3, 4, dtype=torch.float64) for _ in range(3)]
    mean = torch.stack([each.softmax(dim=2) for each in logits]).mean(dim=0)
    torch.testing.assert_close(averaged_logits(logits).exp(), mean)


def test_an_improbable_token_keeps_a_probability_that_is_not_zero() -> None:
    logits = [torch.tensor([0.0, -200.0]), torch.tensor([0.0, -300.0])]
    torch.testing.assert_close(averaged_logits(logits)[1], torch.tensor(-200.0).sub(torch.log(torch.tensor(2.0))))


def test_the_logits_of_a_single_network_are_left_as_they_are() -> None:
    logits = torch.randn(2, 3)
    assert averaged_logits([logits]) is logits


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
@torch.no_grad()
def test_each_network_continues_from_its_own_state(cell: type) -> None:
    nets = networks(3, cell)
    expected = torch.stack([net(X).softmax(dim=2) for net in nets]).mean(dim=0)
    together, states, found = AveragedLanguage(nets), None, []
    for t in range(X.shape[1]):
        logits, states = together.advance(X[:, t : t + 1], None, states)
        found.append(logits.softmax(dim=2))
    torch.testing.assert_close(torch.cat(found, dim=1), expected)
