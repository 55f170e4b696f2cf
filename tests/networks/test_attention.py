"""Attention, against its formulas written for one query and one step at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from seqpipe.networks._attention import ATTENTIONS, make_attention

SIZES = {"same": (4, 4), "other": (4, 6)}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def by_hand(attention, q: np.ndarray, memory: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and context of one query over the first ``length`` steps."""
    weight = {name: p.detach().numpy() for name, p in attention.named_parameters()}
    scores = []
    for step in memory[:length]:
        if type(attention).__name__ == "DotAttention":
            key = weight["key.weight"] @ step if weight else step
            scores.append(float(q @ key))
        else:
            hidden = weight["query.weight"] @ q + weight["key.weight"] @ step + weight["key.bias"]
            scores.append(float(weight["score.weight"][0] @ np.tanh(hidden)))
    raised = [math.exp(score) for score in scores]
    weights = np.array(raised) / sum(raised)
    return weights, (weights[:, None] * memory[:length]).sum(axis=0)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_is_its_formula_over_valid_steps(name: str, sizes: str) -> None:
    query_size, memory_size = SIZES[sizes]
    attention = make_attention(name, query_size, memory_size).double()
    queries, memory = torch.randn(3, 2, query_size).double(), torch.randn(3, 5, memory_size).double()
    lengths = [5, 2, 1]
    mask = torch.arange(5) < torch.tensor(lengths)[:, None]
    context, weights = attention(queries, attention.keys(memory), memory, mask)
    for i, length in enumerate(lengths):
        for t in range(2):
            expected, mean = by_hand(attention, queries[i, t].numpy(), memory[i].numpy(), length)
            np.testing.assert_allclose(weights[i, t, :length].detach(), expected, atol=1e-12)
            np.testing.assert_allclose(context[i, t].detach(), mean, atol=1e-12)
            assert not weights[i, t, length:].any()


@pytest.mark.parametrize("name", ATTENTIONS)
def test_no_mask_means_that_all_steps_are_valid(name: str) -> None:
    attention = make_attention(name, 3, 3)
    queries, memory = torch.randn(2, 4, 3), torch.randn(2, 5, 3)
    keys = attention.keys(memory)
    everything = attention(queries, keys, memory, torch.ones(2, 5, dtype=torch.bool))
    for found, expected in zip(attention(queries, keys, memory), everything):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_the_weights_of_a_query_add_up_to_one(name: str) -> None:
    attention = make_attention(name, 3, 5)
    memory = torch.randn(2, 7, 5)
    _, weights = attention(torch.randn(2, 4, 3), attention.keys(memory), memory)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(2, 4))
