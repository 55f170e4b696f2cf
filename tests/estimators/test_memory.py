"""Windows of a long series are never materialised outside their batch, nor is the series copied."""

from __future__ import annotations

import tracemalloc

import numpy as np

from seqpipe.estimators import SequenceRegressor
from seqpipe.transformers import make_windows

WINDOW = 512


def test_fit_and_predict_on_windows_take_little_beside_the_series_and_a_batch() -> None:
    series = np.random.default_rng(0).standard_normal((4_000_000, 1), dtype=np.float32)
    X, y, _ = make_windows(series, series[:, 0], window=WINDOW, stride=200_000)
    model = SequenceRegressor(hidden_size=2, batch_size=10, max_epochs=1, device="cpu", random_state=0)
    model.fit(X[:10], y[:10]).predict(X[:10])  # excludes imports on first use
    tracemalloc.start()
    try:
        model.fit(X, y).predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    batch = len(X) * WINDOW * series.itemsize  # so few windows are one prediction batch
    assert peak < 0.2 * series.nbytes + batch
