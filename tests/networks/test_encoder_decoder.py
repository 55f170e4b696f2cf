"""Networks that write tokens: padding, teacher forcing, sampling, states that no decoder was made for."""

from __future__ import annotations

import pytest
import torch

from seqpipe.cells import GRUCell, LSTMCell, MLPCell, RNNCell
from seqpipe.networks import CaptionNetwork, EncoderDecoder
from seqpipe.networks._bridge import Bridge, state_size, state_vector
from seqpipe.recurrence import Recurrent, state_tensors
from seqpipe.recurrence.wrappers import wrap

LENGTHS = torch.tensor([4, 2, 3])
X = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0], [2, 2, 1, 0]])[:, :, None].double()
Y = torch.tensor([[1, 2, 0], [3, 0, 0], [1, 1, 0]])[:, :, None].double()


def network(*, attention: str | None = "dot", sampling: float = 0.0, encoder=GRUCell, decoder=GRUCell, **settings):
    torch.manual_seed(0)
    return EncoderDecoder(
        7,
        4,
        encoder=lambda size: Recurrent(encoder(size, 5), bidirectional=True, num_layers=2),
        decoder=lambda size: Recurrent(decoder(size, 3)),
        attention=attention,
        sampling=sampling,
        dtype=torch.float64,
        **settings,
    )


@pytest.mark.parametrize("attention", [None, "additive", "dot"])
def test_padding_of_the_source_changes_no_bit(attention: str | None) -> None:
    net = network(attention=attention).eval()
    padded = torch.cat([X, torch.full((3, 5, 1), 6.0).double()], dim=1)
    assert torch.equal(net(padded, LENGTHS, Y), net(X, LENGTHS, Y))
    other = X.masked_fill((torch.arange(4) >= LENGTHS[:, None])[:, :, None], 6.0)
    assert torch.equal(net(other, LENGTHS, Y), net(X, LENGTHS, Y))


@pytest.mark.parametrize("attention", [None, "additive", "dot"])
def test_a_sample_alone_gives_what_it_gives_in_the_batch(attention: str | None) -> None:
    net = network(attention=attention).eval()
    together = net(X, LENGTHS, Y)
    for i, length in enumerate(LENGTHS):
        torch.testing.assert_close(net(X[i : i + 1, :length], None, Y[i : i + 1]), together[i : i + 1])


def test_a_logit_depends_on_the_true_tokens_before_it_alone() -> None:
    net = network().eval()
    changed = Y.clone()
    changed[:, 1:] = 3
    before, after = net(X, LENGTHS, Y), net(X, LENGTHS, changed)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.equal(before[:, 2], after[:, 2])


def test_teacher_forcing_at_once_equals_one_step_after_the_other() -> None:
    net = network().eval()
    with torch.no_grad():
        state, source = net.begin(X, LENGTHS)
        steps, tokens = [], torch.zeros(3, 1, dtype=torch.long)
        for t in range(3):
            logits, state, _ = net.decoder(tokens, state, source)
            steps.append(logits)
            tokens = Y[:, t].long()
        torch.testing.assert_close(torch.cat(steps, dim=1), net(X, LENGTHS, Y))


def test_sampling_feeds_back_the_networks_own_tokens_in_training_only() -> None:
    given, sampled = network(), network(sampling=1.0)
    assert torch.equal(given.eval()(X, LENGTHS, Y), sampled.eval()(X, LENGTHS, Y))
    given.train(), sampled.train()
    torch.manual_seed(1)
    own, true = sampled(X, LENGTHS, Y), given(X, LENGTHS, Y)
    assert torch.equal(own[:, 0], true[:, 0])  # the end stands before the first token in any case
    assert not torch.equal(own[:, 1:], true[:, 1:])
    torch.manual_seed(1)
    assert torch.equal(sampled(X, LENGTHS, Y), own)
    assert not torch.equal(sampled(X, LENGTHS, Y), own)


def test_sampling_gives_own_tokens_at_about_the_asked_rate() -> None:
    torch.manual_seed(0)
    net = network(sampling=0.3).train()
    with torch.no_grad():
        net.decoder.head.bias[3] = 50.0  # what it draws is always token 3
    seen = []
    net.decoder.recurrent.register_forward_hook(lambda module, given, result: seen.append(given[0]))
    targets = torch.ones(1000, 11, dtype=torch.long)
    state, source = net.begin(X[:1].expand(1000, -1, -1), None)
    net.decoder.teach(targets, state, source, 0.3)
    embedded = net.decoder.input(torch.tensor([[[3.0]]]))[0, 0]
    share = (seen[-1][:, 1:] == embedded).all(dim=2).double().mean()
    assert float(share) == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("decoder", [RNNCell, GRUCell, LSTMCell, MLPCell])
@pytest.mark.parametrize("encoder", [RNNCell, LSTMCell])
def test_the_cells_of_both_sides_need_not_be_of_one_kind(encoder, decoder) -> None:
    net = network(encoder=encoder, decoder=decoder)
    net(X, LENGTHS, Y).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_gradients_reach_the_encoder_through_the_bridge_alone() -> None:
    net = network(attention=None)
    net(X, LENGTHS, Y).sum().backward()
    assert float(net.input.table.weight.grad.abs().sum()) > 0


def test_the_bridge_gives_each_tensor_of_the_state_a_map_of_its_own() -> None:
    recurrent = Recurrent(LSTMCell(2, 3), num_layers=2)
    bridge = Bridge(5, recurrent)
    x = torch.randn(4, 5)
    h, c = bridge(x, recurrent)
    assert h.shape == c.shape == (2, 4, 3)
    torch.testing.assert_close(h[1], bridge.maps["0"](x)[:, 3:])
    torch.testing.assert_close(c[0], bridge.maps["1"](x)[:, :3])


def test_what_wrappers_carry_stays_theirs() -> None:
    def make(size: int) -> Recurrent:
        return Recurrent(wrap(LSTMCell(size, 3), ["dropout", {"attention": {"n": 2}}]))

    recurrent = make(2)
    state = Bridge(5, recurrent).train()(torch.randn(4, 5), recurrent)
    own = recurrent.cells[0].initial_state(4)
    assert len(state_tensors(state)) == len(own) > 2
    assert set(state[2].unique().tolist()) <= {0.0, 1.25}
    assert state_size(recurrent) == 6
    assert state_vector(state, recurrent).shape == (4, 6)


def test_a_captioner_begins_in_a_map_of_its_vector() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 1, 6)
    for encoder_size in (None, 8):
        net = CaptionNetwork(6, 4, decoder=lambda size: Recurrent(GRUCell(size, 5)), encoder_size=encoder_size).eval()
        state, source = net.begin(x, None)
        assert source is None
        assert state.shape == (1, 3, 5)
        expected = net.bridge.maps["0"](net.encoder(x[:, 0]))
        torch.testing.assert_close(state[0], expected)
        assert net(x, None, Y.float()).shape == (3, 3, 4)
