"""The network of language models."""

from __future__ import annotations

import pytest
import torch

from seqpipe.cells import GRUCell, LSTMCell
from seqpipe.networks import LanguageNetwork
from seqpipe.recurrence import Recurrent


def network(n_labels: int = 0, cell: type = GRUCell, **settings: object) -> LanguageNetwork:
    torch.manual_seed(0)
    return LanguageNetwork(
        5, n_labels, recurrent=lambda size: Recurrent(cell(size, 7), num_layers=2), **settings
    ).eval()


def tokens(n_labels: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    columns = [torch.randint(5, (3, 6), generator=generator)]
    if n_labels:
        columns.append(torch.randint(n_labels, (3, 1), generator=generator).expand(3, 6))
    return torch.stack(columns, dim=2).float()


@pytest.mark.parametrize(("embedding", "width"), [("one_hot", 5), (3, 3)])
@pytest.mark.parametrize("n_labels", [0, 2])
def test_every_step_scores_every_token(embedding: int | str, width: int, n_labels: int) -> None:
    net = network(n_labels, embedding=embedding)
    assert net.recurrent.input_size == width + n_labels
    assert net(tokens(n_labels)).shape == (3, 6, 5)


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
def test_two_parts_with_the_state_carried_on_are_the_whole(cell: type) -> None:
    net, x = network(2, cell), tokens(2)
    first, state = net.advance(x[:, :4], None, None)
    second, _ = net.advance(x[:, 4:], None, state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), net(x))


def test_the_label_changes_what_is_likely() -> None:
    net, x = network(2), tokens(2)
    other = x.clone()
    other[:, :, 1] = 1 - other[:, :, 1]
    assert not torch.allclose(net(x), net(other))


def test_what_comes_later_changes_nothing_before() -> None:
    net, x = network(), tokens()
    later = x.clone()
    later[:, 4:] = (later[:, 4:] + 1) % 5
    torch.testing.assert_close(net(later)[:, :4], net(x)[:, :4], rtol=0, atol=0)
