"""Beam search, against the score of every sequence that there is."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqpipe.cells import GRUCell, LSTMCell
from seqpipe.networks import END, EncoderDecoder, beam_search
from seqpipe.recurrence import Recurrent

N_TOKENS, MAX_LENGTH = 4, 3


def network(seed: int, *, attention: str | None = "dot") -> EncoderDecoder:
    torch.manual_seed(seed)
    net = EncoderDecoder(
        5,
        N_TOKENS,
        encoder=lambda size: Recurrent(GRUCell(size, 4), bidirectional=True),
        decoder=lambda size: Recurrent(LSTMCell(size, 3)),
        source_embedding=3,
        target_embedding=3,
        attention=attention,
        dtype=torch.float64,
    ).eval()
    for parameter in net.parameters():  # or every token is about as probable as the next
        torch.nn.init.normal_(parameter)
    return net


X = torch.tensor([[1, 2, 3, 4], [2, 2, 0, 0], [4, 0, 0, 0]])[:, :, None].double()
LENGTHS = torch.tensor([4, 2, 1])


def every_output() -> list[tuple[int, ...]]:
    """All sequences of up to MAX_LENGTH tokens, with the end but where they are cut."""
    tokens = range(1, N_TOKENS)
    ended = [(*body, END) for n in range(MAX_LENGTH) for body in product(tokens, repeat=n)]
    return ended + list(product(tokens, repeat=MAX_LENGTH))


@torch.no_grad()
def score(nets: list[EncoderDecoder], i: int, output: tuple[int, ...], penalty: float) -> float:
    """The score of an output of source i: its tokens' probabilities, each the mean over the networks."""
    probabilities = torch.ones(len(output), dtype=torch.float64)
    for t in range(len(output)):
        before = torch.tensor([[END, *output[:t]]])
        of_each = [each.decoder(before, *each.begin(X[i : i + 1, : LENGTHS[i]], None))[0][0, t] for each in nets]
        probabilities[t] = torch.stack([logits.softmax(dim=0)[output[t]] for logits in of_each]).mean()
    return float(probabilities.log().sum()) / ((5 + len(output)) / 6) ** penalty


def search(nets: list[EncoderDecoder], **settings: object) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        found = beam_search(nets, X, LENGTHS, max_length=MAX_LENGTH, **settings)
    return found.tokens, found.scores


@given(
    seed=st.integers(0, 10**6),
    penalty=st.sampled_from([0.0, 0.6, 2.0]),
    attention=st.sampled_from([None, "additive"]),
    n_networks=st.sampled_from([1, 3]),
)
@settings(max_examples=4)
def test_a_beam_that_holds_everything_finds_the_best_of_all_outputs(
    seed: int, penalty: float, attention, n_networks: int
) -> None:
    nets, outputs = [network(seed + i, attention=attention) for i in range(n_networks)], every_output()
    tokens, scores = search(nets, width=len(outputs), length_penalty=penalty, n_best=5)
    for i in range(len(X)):
        exact = sorted(((score(nets, i, output, penalty), output) for output in outputs), reverse=True)[:5]
        torch.testing.assert_close(scores[i], torch.tensor([value for value, _ in exact]).double())
        filled = [[*output, *[END] * MAX_LENGTH][:MAX_LENGTH] for _, output in exact]
        assert tokens[i].tolist() == filled


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_a_beam_of_one_takes_the_most_probable_token_at_each_step(seed: int) -> None:
    net = network(seed)
    tokens, _ = search([net], width=1)
    with torch.no_grad():
        state, source = net.begin(X, LENGTHS)
        last, ended = torch.full((3, 1), END), torch.zeros(3, dtype=torch.bool)
        for t in range(MAX_LENGTH):
            logits, state, _ = net.decoder(last, state, source)
            last = logits.argmax(dim=2)
            assert torch.equal(tokens[:, 0, t], torch.where(ended, END, last[:, 0]))
            ended |= last[:, 0] == END


@given(seed=st.integers(0, 10**6), penalty=st.sampled_from([0.0, 1.0]))
@settings(max_examples=10, deadline=None)
def test_the_scores_of_any_beam_are_those_of_its_outputs(seed: int, penalty: float) -> None:
    nets = [network(seed), network(seed + 1)]
    tokens, scores = search(nets, width=3, n_best=3, length_penalty=penalty)
    for i in range(len(X)):
        for k in range(3):
            output = tokens[i, k].tolist()
            cut = output.index(END) + 1 if END in output else MAX_LENGTH
            if torch.isfinite(scores[i, k]):
                assert float(scores[i, k]) == pytest.approx(score(nets, i, tuple(output[:cut]), penalty))


def test_the_scores_of_equal_networks_are_those_of_one() -> None:
    tokens, scores = search([network(5)], width=4, n_best=4)
    of_two = search([network(5), network(5)], width=4, n_best=4)
    assert torch.equal(of_two[0], tokens)
    torch.testing.assert_close(of_two[1], scores)


def test_a_length_penalty_brings_longer_outputs_to_the_front() -> None:
    lengths = []
    for penalty in (0.0, 3.0):
        found = [search([network(seed)], width=50, length_penalty=penalty)[0][:, 0] for seed in range(20)]
        lengths.append(sum(int((tokens != END).sum()) for tokens in found))
    assert lengths[0] < lengths[1]


def test_outputs_that_do_not_exist_have_no_score() -> None:
    _, scores = search([network(0)], width=100, n_best=60)
    assert len(every_output()) == 40
    assert torch.isfinite(scores[:, :40]).all()
    assert torch.isneginf(scores[:, 40:]).all()
    torch.testing.assert_close(scores.exp().sum(dim=1), torch.ones(3).double())


def test_nothing_stands_after_the_end() -> None:
    tokens, _ = search([network(3)], width=8, n_best=8)
    after = (tokens == END).cumsum(dim=2) > 0
    assert (tokens[after] == END).all()
