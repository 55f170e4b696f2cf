"""Lengths are validated; valid steps are reversed and selected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.cells import GRUCell
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.recurrence import Recurrent, ValidSteps, check_lengths

BAD: dict[str, tuple[Any, str]] = {
    "negative": ([3, -1], "length of sample 1 must be from 0 to 4, got -1"),
    "beyond the end": ([3, 5], "length of sample 1 must be from 0 to 4, got 5"),
    "floats": ([3.0, 2.0], r"count time steps and must be integers, got torch\.float32"),
    "float64": (np.array([3.5, 2.0]), r"must be integers, got torch\.float64"),
    "booleans": ([True, False], r"must be integers, got torch\.bool"),
    "complex": (torch.ones(2, dtype=torch.complex64), r"must be integers, got torch\.complex64"),
    "too few": ([3], r"A batch of 2 needs lengths of shape \(2,\), got \(1,\)"),
    "too many": ([3, 2, 1], r"A batch of 2 needs lengths of shape \(2,\), got \(3,\)"),
    "a column": ([[3], [2]], r"A batch of 2 needs lengths of shape \(2,\), got \(2, 1\)"),
    "one number": (3, r"A batch of 2 needs lengths of shape \(2,\), got \(\)"),
    "text": (["3", "2"], "lengths must be integers, one per sample"),
    "None within": ([3, None], "lengths must be integers, one per sample"),
}


@pytest.mark.parametrize("what", BAD)
def test_lengths_that_do_not_fit_the_batch_are_refused(what: str) -> None:
    lengths, words = BAD[what]
    with pytest.raises(InvalidSequencesError, match=words):
        Recurrent(GRUCell(3, 5))(torch.zeros(2, 4, 3), lengths)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_integers_of_any_kind_are_lengths(dtype: Any) -> None:
    assert check_lengths(np.array([0, 4], dtype=dtype), 2, 4).tolist() == [0, 4]
    assert check_lengths((0, 4), 2, 4).dtype == torch.int64


lengths_and_steps = st.integers(1, 6).flatmap(
    lambda T: st.tuples(st.lists(st.integers(0, T), min_size=1, max_size=5), st.just(T))
)


def valid_and_x(lengths: list[int], n_timesteps: int) -> tuple[ValidSteps, torch.Tensor]:
    valid = ValidSteps.of(torch.tensor(lengths), n_timesteps, torch.device("cpu"))
    return valid, torch.randn(len(lengths), n_timesteps, 2)


@given(lengths_and_steps)
def test_the_mask_is_true_up_to_each_length(case: Any) -> None:
    valid, _ = valid_and_x(*case)
    assert valid.mask.sum(dim=1).tolist() == case[0]
    assert valid.shortest == min(case[0])
    assert not (valid.mask[:, 1:] & ~valid.mask[:, :-1]).any()


@given(lengths_and_steps)
def test_reversing_turns_the_valid_steps_and_leaves_the_padding(case: Any) -> None:
    valid, x = valid_and_x(*case)
    turned = valid.reverse(x)
    for i, length in enumerate(case[0]):
        assert torch.equal(turned[i, :length], x[i, :length].flip(0))
        assert torch.equal(turned[i, length:], x[i, length:])
    assert torch.equal(valid.reverse(turned), x)


@given(lengths_and_steps)
def test_the_last_valid_step_is_picked_or_what_was_before(case: Any) -> None:
    valid, x = valid_and_x(*case)
    before = torch.randn(len(case[0]), 2)
    last = valid.last(x, before)
    for i, length in enumerate(case[0]):
        assert torch.equal(last[i], x[i, length - 1] if length else before[i])


@given(lengths_and_steps)
def test_clearing_zeroes_the_padding_whatever_was_there(case: Any) -> None:
    valid, x = valid_and_x(*case)
    spoilt = x.masked_fill(~valid.mask[:, :, None], torch.nan)
    cleared = valid.clear(spoilt)
    assert torch.equal(cleared[valid.mask], x[valid.mask])
    assert not cleared[~valid.mask].any()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 8), st.integers(1, 9))
def test_a_part_of_the_steps_is_valid_where_the_whole_is(lengths: list[int], start: int, size: int) -> None:
    stop = min(start + size, 9)
    whole = ValidSteps.of(torch.tensor(lengths), 9, torch.device("cpu"))
    part = whole.between(start, stop)
    alone = ValidSteps.of(
        torch.tensor([min(max(n - start, 0), stop - start) for n in lengths]), stop - start, whole.mask.device
    )
    assert torch.equal(part.lengths, alone.lengths)
    assert torch.equal(part.mask, alone.mask)
    assert part.shortest == alone.shortest
