"""Invariants of every registered cell and stack, over random sizes and lengths."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqpipe.builtins import seqpipe_cells
from seqpipe.plugins import host
from seqpipe.recurrence import Recurrent
from seqpipe.testing import _invariants

every_cell = pytest.mark.parametrize("name", [spec.name for spec in seqpipe_cells()])
few = settings(max_examples=20, deadline=None)
depths, directions = st.integers(1, 2), st.booleans()
dtypes = st.sampled_from([torch.float32, torch.float64])
sizes = st.tuples(*[st.integers(1, 6)] * 4)


def case(name: str, sizes: tuple[int, ...], dtype: torch.dtype, **kwargs: Any) -> tuple[Recurrent, Tensor]:
    batch, n_timesteps, input_size, hidden_size = sizes
    torch.manual_seed(sum(sizes))
    cell = host().find("cell", name, parameter="cell").spec.factory(input_size, hidden_size).to(dtype)
    return Recurrent(cell, **kwargs).eval(), torch.randn(batch, n_timesteps, input_size, dtype=dtype)


def some_lengths(data: st.DataObject, x: Tensor, shortest: int = 0) -> Tensor:
    """Draw lengths; with at least two sequences, the first has one step and the last has all."""
    drawn = data.draw(st.lists(st.integers(shortest, x.shape[1]), min_size=len(x), max_size=len(x)))
    drawn[0], drawn[-1] = 1, x.shape[1]
    return torch.tensor(drawn)


@every_cell
@few
@given(num_layers=depths, bidirectional=directions, dtype=dtypes, sizes=sizes, extra=st.integers(1, 9), data=st.data())
def test_padding_changes_no_bit_whatever_it_holds(
    name: str, num_layers: int, bidirectional: bool, dtype: torch.dtype, sizes: Any, extra: int, data: Any
) -> None:
    recurrent, x = case(name, sizes, dtype, num_layers=num_layers, bidirectional=bidirectional)
    lengths = some_lengths(data, x)
    _invariants.check_padding(recurrent, x, lengths, extra)
    _invariants.check_nan_in_padding(recurrent, x, lengths)


@every_cell
@few
@given(num_layers=depths, bidirectional=directions, dtype=dtypes, sizes=sizes, data=st.data())
def test_a_sequence_does_not_see_its_batch(
    name: str, num_layers: int, bidirectional: bool, dtype: torch.dtype, sizes: Any, data: Any
) -> None:
    recurrent, x = case(name, sizes, dtype, num_layers=num_layers, bidirectional=bidirectional)
    order = torch.tensor(data.draw(st.permutations(range(len(x)))))
    _invariants.check_permutation(recurrent, x, some_lengths(data, x), order)
    _invariants.check_alone_equals_batched(recurrent, x, some_lengths(data, x, shortest=1))


@every_cell
@few
@given(num_layers=depths, dtype=dtypes, sizes=sizes.filter(lambda s: s[1] > 1), data=st.data())
def test_one_direction_neither_looks_ahead_nor_forgets_between_chunks(
    name: str, num_layers: int, dtype: torch.dtype, sizes: Any, data: Any
) -> None:
    recurrent, x = case(name, sizes, dtype, num_layers=num_layers)
    t = data.draw(st.integers(1, x.shape[1] - 1))
    _invariants.check_causality(recurrent, x, t - 1)
    _invariants.check_chunks(recurrent, x, t)


@every_cell
@few
@given(num_layers=depths, dtype=dtypes, sizes=sizes, data=st.data())
def test_ragged_chunks_with_the_state_carried_on_equal_the_whole(
    name: str, num_layers: int, dtype: torch.dtype, sizes: Any, data: Any
) -> None:
    recurrent, x = case(name, sizes, dtype, num_layers=num_layers)
    lengths, cut = some_lengths(data, x), data.draw(st.integers(1, x.shape[1]))
    with torch.no_grad():
        outputs, state = recurrent(x, lengths)
        first, between = recurrent(x[:, :cut], lengths.clamp(max=cut))
        if cut < x.shape[1]:
            second, between = recurrent(x[:, cut:], (lengths - cut).clamp(min=0), between)
            first = torch.cat([first, second], dim=1)
    tolerance = 20 * _invariants.TOLERANCE[dtype]
    torch.testing.assert_close(first, outputs, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(between, state, rtol=tolerance, atol=tolerance)


@every_cell
@few
@given(sizes=sizes, data=st.data())
def test_the_engines_give_the_same(name: str, sizes: Any, data: Any) -> None:
    recurrent, x = case(name, sizes, torch.float64, bidirectional=True)
    lengths, results = some_lengths(data, x), []
    for engine in ("loop", "unrolled", "auto"):
        recurrent.engine = engine
        with torch.no_grad():
            results.append(recurrent(x, lengths))
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=1e-13)
    torch.testing.assert_close(results[2], results[0], rtol=0, atol=1e-13)
