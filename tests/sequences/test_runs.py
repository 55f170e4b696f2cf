"""Runs of rows are copied out as blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.sequences._arrays import take_runs


@given(
    n_rows=st.integers(0, 12),
    n_columns=st.integers(0, 3),
    length=st.integers(0, 6),
    step=st.sampled_from([-1, 1, 2]),
    data=st.data(),
)
def test_runs_are_the_rows_from_each_start(
    n_rows: int, n_columns: int, length: int, step: int, data: st.DataObject
) -> None:
    matrix = np.arange(2.0 * n_rows * n_columns).reshape(2 * n_rows, n_columns)[::step][:n_rows]
    possible = st.lists(st.integers(0, max(n_rows - length, 0)), max_size=5 if length <= n_rows else 0)
    starts = np.array(data.draw(possible), dtype=np.int64)
    runs = take_runs(matrix, starts, length)
    np.testing.assert_array_equal(runs, matrix[starts[:, None] + np.arange(length)])
    assert not np.shares_memory(runs, matrix)


@pytest.mark.parametrize("start", [3, 5, -6])
def test_a_run_that_leaves_the_matrix_is_refused(start: int) -> None:
    with pytest.raises(IndexError, match="out of bounds"):
        take_runs(np.zeros((5, 1)), np.array([start]), 3)
