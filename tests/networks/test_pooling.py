"""Pooling over valid steps only, regardless of values in the padding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqpipe.builtins import seqpipe_poolings
from seqpipe.cells import GRUCell, LSTMCell, RNNCell
from seqpipe.networks._pooling import make_pooling
from seqpipe.recurrence import Recurrent, ValidSteps

every_pooling = pytest.mark.parametrize("name", [spec.name for spec in seqpipe_poolings()])


def valid_steps(lengths: list[int], n_timesteps: int) -> ValidSteps:
    return ValidSteps.of(torch.tensor(lengths), n_timesteps, torch.device("cpu"))


def drawn(lengths: list[int], n_timesteps: int, n_features: int = 4) -> tuple[Tensor, ValidSteps]:
    """Outputs as Recurrent gives them: zero in the padding."""
    valid = valid_steps(lengths, n_timesteps)
    return valid.clear(torch.randn(len(lengths), n_timesteps, n_features).double()), valid


@every_pooling
@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), extra=st.integers(0, 5))
def test_a_sequence_is_pooled_as_if_it_stood_alone(name: str, lengths: list[int], extra: int) -> None:
    pooling = make_pooling(name, 4, 1).double()
    outputs, valid = drawn(lengths, max(lengths) + extra)
    pooled = pooling(outputs, valid)
    for i, length in enumerate(lengths):
        alone = pooling(outputs[i : i + 1, :length], None)
        torch.testing.assert_close(pooled[i], alone[0], rtol=0, atol=1e-14)


def test_the_mean_is_the_mean_of_valid_steps() -> None:
    outputs, valid = drawn([3, 1], 4)
    expected = torch.stack([outputs[0, :3].mean(dim=0), outputs[1, 0]])
    torch.testing.assert_close(make_pooling("mean", 4, 1)(outputs, valid), expected)


def test_the_maximum_ignores_the_zeros_of_the_padding() -> None:
    outputs, valid = drawn([3, 1], 4)
    outputs = -outputs.abs()
    expected = torch.stack([outputs[0, :3].amax(dim=0), outputs[1, 0]])
    assert torch.equal(make_pooling("max", 4, 1)(outputs, valid), expected)


def test_attention_weighs_valid_steps_by_a_softmax_of_their_scores() -> None:
    pooling: Any = make_pooling("attention", 4, 1).double()
    outputs, valid = drawn([3, 1], 4)
    scores = torch.tanh(outputs[0, :3] @ pooling.hidden.weight.T + pooling.hidden.bias) @ pooling.score.weight[0]
    expected = (scores.softmax(dim=0)[:, None] * outputs[0, :3]).sum(dim=0)
    torch.testing.assert_close(pooling(outputs, valid), torch.stack([expected, outputs[1, 0]]))


@pytest.mark.parametrize("lengths", [None, [6, 1, 3, 6]])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", [RNNCell(3, 5), GRUCell(3, 5)], ids=repr)
def test_the_last_pooling_is_each_directions_final_state(cell: Any, num_layers: int, lengths: Any) -> None:
    recurrent = Recurrent(cell, num_layers=num_layers, bidirectional=True)
    outputs, state = recurrent(torch.randn(4, 6, 3), lengths)
    pooled = make_pooling("last", 10, 2)(outputs, None if lengths is None else valid_steps(lengths, 6))
    assert torch.equal(pooled, torch.cat([state[-2], state[-1]], dim=1))


def test_the_last_pooling_of_one_direction_is_the_final_hidden_state() -> None:
    outputs, (h, _) = Recurrent(LSTMCell(3, 5))(torch.randn(2, 4, 3), [4, 2])
    assert torch.equal(make_pooling("last", 5, 1)(outputs, valid_steps([4, 2], 4)), h[0])


@every_pooling
def test_no_gradient_reaches_the_padding_and_none_is_lost(name: str) -> None:
    pooling = make_pooling(name, 4, 1).double()
    outputs, valid = drawn([3, 1], 4)
    outputs.requires_grad_()
    pooling(valid.clear(outputs), valid).square().sum().backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()
    assert not outputs.grad[~valid.mask].any()
    assert outputs.grad[1, 0].any()


def test_last_and_mean_side_by_side_are_each_pooling_alone() -> None:
    outputs, valid = drawn([3, 1], 4)
    both = make_pooling("last_mean", 4, 2)
    parts = [make_pooling(name, 4, 2)(outputs, valid) for name in ("last", "mean")]
    assert torch.equal(both(outputs, valid), torch.cat(parts, dim=1))
    assert both.output_size == 8
