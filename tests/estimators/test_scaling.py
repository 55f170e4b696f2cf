"""Statistics are computed block by block, over the training data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.estimators import _scaling
from seqpipe.estimators._scaling import feature_statistics, weighted_statistics
from seqpipe.sequences import Windows


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> object:
    before = _scaling._BLOCK
    _scaling._BLOCK = 7
    yield
    _scaling._BLOCK = before


@given(starts=st.lists(st.integers(0, 35), min_size=1, max_size=8), window=st.integers(1, 5))
def test_windows_are_scaled_by_the_rows_that_they_cover(starts: list[int], window: int) -> None:
    base = np.random.default_rng(0).normal(3, 2, size=(40, 2))
    windows = Windows(base, starts, window)
    mean, scale = feature_statistics(windows, None)
    covered = base[windows.rows]
    np.testing.assert_allclose(mean, covered.mean(axis=0))
    np.testing.assert_allclose(scale, covered.std(axis=0) if len(covered) > 1 else 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_count_as_repetition(dtype: type) -> None:
    rows = np.random.default_rng(0).normal(size=(30, 2)).astype(dtype)
    counts = np.arange(30) % 4
    weighted = weighted_statistics(rows, counts.astype(np.float64))
    repeated = weighted_statistics(np.repeat(rows, counts, axis=0), None)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-12)


def test_a_constant_column_has_scale_one() -> None:
    mean, scale = weighted_statistics(np.full((20, 1), 0.1), None)
    assert scale.tolist() == [1.0]
    assert mean[0] == pytest.approx(0.1)
