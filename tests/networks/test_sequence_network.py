"""Encoder and head: shapes, scaling, dropout, and padding that never leaks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.builtins import seqpipe_poolings
from seqpipe.cells import GRUCell, LSTMCell
from seqpipe.networks import SequenceNetwork
from seqpipe.recurrence import Recurrent

every_pooling = pytest.mark.parametrize("pooling", [spec.name for spec in seqpipe_poolings()])
either_way = pytest.mark.parametrize("bidirectional", [False, True])


def make(n_features: int = 3, n_outputs: int = 2, **kwargs: Any) -> SequenceNetwork:
    torch.manual_seed(0)
    dtype = kwargs.setdefault("dtype", torch.float64)
    cell, hidden_size = kwargs.pop("cell", GRUCell), kwargs.pop("hidden_size", 5)
    layers = {name: kwargs.pop(name) for name in ("num_layers", "bidirectional") if name in kwargs}

    def recurrent(input_size: int) -> Recurrent:
        return Recurrent(cell(input_size, hidden_size).to(dtype), **layers)

    return SequenceNetwork(n_features, n_outputs, recurrent=recurrent, **kwargs).eval()


@every_pooling
@either_way
@pytest.mark.parametrize("num_layers", [1, 2])
def test_every_sequence_gives_its_outputs(pooling: str, bidirectional: bool, num_layers: int) -> None:
    network = make(pooling=pooling, bidirectional=bidirectional, num_layers=num_layers)
    assert network(torch.randn(4, 6, 3).double()).shape == (4, 2)
    assert network(torch.randn(4, 6, 3).double(), torch.tensor([6, 1, 2, 3])).shape == (4, 2)


@every_pooling
@either_way
@settings(max_examples=10, deadline=None)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), extra=st.integers(0, 5))
def test_values_in_the_padding_do_not_matter(pooling: str, bidirectional: bool, lengths: list[int], extra: int) -> None:
    network = make(pooling=pooling, bidirectional=bidirectional)
    x = torch.randn(len(lengths), max(lengths) + extra, 3).double()
    together = network(x, torch.tensor(lengths))
    spoilt = x.masked_fill(torch.arange(x.shape[1])[:, None] >= torch.tensor(lengths)[:, None, None], torch.nan)
    assert torch.equal(network(spoilt, torch.tensor(lengths)), together)
    for i, length in enumerate(lengths):
        torch.testing.assert_close(network(x[i : i + 1, :length])[0], together[i], rtol=0, atol=1e-14)


@every_pooling
@either_way
def test_nan_in_the_padding_leaves_every_gradient_finite(pooling: str, bidirectional: bool) -> None:
    network = make(pooling=pooling, bidirectional=bidirectional, num_layers=2, cell=LSTMCell).train()
    x = torch.randn(3, 6, 3).double()
    x[1, 2:], x[2, 5:] = torch.nan, torch.inf
    x.requires_grad_()
    network(x, torch.tensor([6, 2, 5])).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert not x.grad[1, 2:].any()


def test_the_input_is_standardised_by_the_statistics_that_were_set() -> None:
    network, x = make(), 10 + 3 * torch.randn(4, 6, 3).double()
    plain = network((x - 10) / 3)
    network.input.set(torch.full((3,), 10.0), torch.full((3,), 3.0))
    torch.testing.assert_close(network(x), plain)


def test_the_statistics_are_saved_with_the_weights_and_not_trained() -> None:
    network, other = make(), make()
    network.input.set(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0]))
    other.load_state_dict(network.state_dict())
    assert other.input.shift.tolist() == [1, 2, 3]
    assert other.input.scale.tolist() == [4, 5, 6]
    assert not {"input.shift", "input.scale"} & dict(network.named_parameters()).keys()
    assert network.input.shift.dtype == torch.float64


def test_dropout_acts_before_the_head_in_training_only() -> None:
    network, x = make(dropout=0.5, hidden_size=50), torch.randn(4, 6, 3).double()
    assert torch.equal(network(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_everything_is_of_one_type(dtype: torch.dtype) -> None:
    network = make(dtype=dtype, num_layers=2, bidirectional=True, pooling="attention")
    assert {tensor.dtype for tensor in network.state_dict().values()} == {dtype}
    assert network(torch.zeros(1, 2, 3, dtype=dtype)).dtype == dtype


def test_the_same_seed_makes_the_same_network() -> None:
    x = torch.randn(2, 4, 3).double()
    assert torch.equal(make(num_layers=2)(x), make(num_layers=2)(x))


@pytest.mark.parametrize(("embedding", "width"), [(4, 4), ("one_hot", 7)])
def test_tokens_become_vectors_of_the_width_asked_for(embedding: int | str, width: int) -> None:
    network = make(n_features=1, n_tokens=7, embedding=embedding)
    assert network.recurrent.input_size == width
    tokens = torch.tensor([[0.0, 6, 3], [5, 0, 0]]).double()[:, :, None]
    assert network(tokens, torch.tensor([3, 1])).shape == (2, 2)
    longer = torch.cat([tokens[1:, :1], tokens[1:, :1]], dim=1)
    torch.testing.assert_close(network(longer, torch.tensor([1])), network(tokens, torch.tensor([3, 1]))[1:])


def test_a_one_hot_vector_has_its_one_at_the_tokens_place() -> None:
    network = make(n_features=1, n_tokens=3, embedding="one_hot")
    vectors = network.input(torch.tensor([[[2.0], [0.0]]]).double())
    assert vectors.tolist() == [[[0, 0, 1], [1, 0, 0]]]


def test_tokens_of_several_features_are_refused() -> None:
    with pytest.raises(ValueError, match="one token index per step, got 2 features"):
        make(n_features=2, n_tokens=3, embedding=4)
