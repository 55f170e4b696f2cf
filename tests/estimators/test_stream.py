"""Streams: predictions while a sequence arrives equal those for the whole sequence."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from seqpipe.builtins import seqpipe_poolings
from seqpipe.estimators import SequenceClassifier, SequenceRegressor, StepClassifier
from seqpipe.exceptions import InvalidSequencesError

SMALL = {"hidden_size": 8, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 12, 3))
TARGETS = X[:, :, 0].sum(axis=1)
LABELS = np.array(["down", "level", "up"])[np.digitize(TARGETS, [-1, 1])]


@pytest.fixture(scope="module")
def regressor() -> SequenceRegressor:
    return SequenceRegressor(**SMALL).fit(X, TARGETS)


@pytest.fixture(scope="module")
def classifier() -> SequenceClassifier:
    return SequenceClassifier(**SMALL).fit(X, LABELS)


@pytest.mark.parametrize("pooling", [spec.name for spec in seqpipe_poolings()])
@pytest.mark.parametrize("cell", ["gru", "lstm", "mlp"])
def test_every_step_gives_the_prediction_on_the_steps_so_far(cell: str, pooling: str) -> None:
    model = SequenceRegressor(cell, pooling=pooling, num_layers=2, dropout=0.2, **SMALL).fit(X, TARGETS)
    stream = model.stream()
    so_far = [stream.push(step) for step in X[0]]
    whole = model.predict([X[0, : n + 1] for n in range(12)])
    np.testing.assert_allclose(so_far, whole, rtol=0, atol=1e-6 * model.y_scale_[0])


PATCHES = [None, (4, 2), (16, 8), (5, 5)]


@given(
    cuts=st.sets(st.integers(1, 199)),
    pooling=st.sampled_from([spec.name for spec in seqpipe_poolings()]),
    patch=st.sampled_from(PATCHES),
)
@settings(max_examples=50, deadline=None)
def test_any_chunks_give_the_prediction_on_the_whole(cuts: set[int], pooling: str, patch: Any) -> None:
    model = _fitted(pooling, patch)
    steps = np.random.default_rng(1).normal(size=(200, 3)) * 5
    stream = model.stream()
    for chunk in np.split(steps, sorted(cuts)):
        last = stream.push(chunk)
    assert stream.n_steps == 200
    np.testing.assert_allclose(last, model.predict([steps])[0], rtol=0, atol=1e-12)


@given(
    n_steps=st.integers(1, 40),
    patch=st.sampled_from(PATCHES),
    pooling=st.sampled_from([spec.name for spec in seqpipe_poolings()]),
)
@settings(max_examples=25, deadline=None)
def test_a_patch_that_is_not_complete_counts_as_in_a_sequence_that_ends(n_steps: int, patch: Any, pooling: str) -> None:
    model = _fitted(pooling, patch)
    steps = np.random.default_rng(2).normal(size=(n_steps, 3))
    stream = model.stream()
    so_far = [stream.push(step) for step in steps]
    whole = model.predict([steps[: n + 1] for n in range(n_steps)])
    np.testing.assert_allclose(so_far, whole, rtol=0, atol=1e-12)


@cache
def _fitted(pooling: str, patch: Any) -> SequenceRegressor:
    return SequenceRegressor(pooling=pooling, patch=patch, dtype="float64", **SMALL).fit(X, TARGETS)


def test_a_classifier_streams_labels_or_probabilities(classifier: SequenceClassifier) -> None:
    labels, probabilities = classifier.stream(), classifier.stream(method="predict_proba")
    assert labels.push(X[1]) == classifier.predict(X[1:2])[0]
    np.testing.assert_allclose(probabilities.push(X[1]), classifier.predict_proba(X[1:2])[0], rtol=0, atol=1e-6)


def test_several_outputs_stream_as_a_row() -> None:
    model = SequenceRegressor(**SMALL).fit(X, np.stack([TARGETS, 100 * TARGETS], axis=1))
    np.testing.assert_allclose(model.stream().push(X[0]), model.predict(X[:1])[0], rtol=1e-5)


def test_a_fit_to_a_table_streams_one_number_a_step() -> None:
    table = X[:, :, 0]
    model = SequenceRegressor(**SMALL).fit(table, TARGETS)
    stream = model.stream()
    for value in table[0]:
        last = stream.push([value])
    np.testing.assert_allclose(last, model.predict(table[:1])[0], rtol=0, atol=1e-5)


def test_reset_begins_a_new_sequence(regressor: SequenceRegressor) -> None:
    stream = regressor.stream()
    first = stream.push(X[0])
    assert stream.push(X[1]) != first
    stream.reset()
    assert stream.n_steps == 0
    assert stream.push(X[0]) == first


def test_two_streams_do_not_meet(regressor: SequenceRegressor) -> None:
    one, other, alone = (regressor.stream() for _ in range(3))
    for step, step_of_other in zip(X[0], X[1]):
        together = one.push(step)
        other.push(step_of_other)
        assert together == alone.push(step)


def test_a_stream_stays_with_the_fit_that_made_it() -> None:
    model = SequenceRegressor(**SMALL).fit(X, TARGETS)
    stream, before = model.stream(), model.predict(X[:1])[0]
    model.fit(X, 1000 - TARGETS)
    np.testing.assert_allclose(stream.push(X[0]), before, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (np.zeros(4), r"shape \(3,\).*Got shape \(4,\)"),
        (np.zeros((2, 4)), r"Got shape \(2, 4\)"),
        (np.zeros((0, 3)), r"at least one in an array of .*Got shape \(0, 3\)"),
        (np.zeros((1, 2, 3)), r"Got shape \(1, 2, 3\)"),
        (0.5, r"Got shape \(1,\)"),
        ([[0, 0, 0], [0, np.nan, 0]], "step 13, feature 1"),
        ([1e300, 0, 0], "infinity: step 12, feature 0"),
    ],
)
def test_unfit_steps_are_refused_and_change_nothing(regressor: SequenceRegressor, steps: Any, message: str) -> None:
    stream, spared = regressor.stream(), regressor.stream()
    stream.push(X[0])
    spared.push(X[0])
    with pytest.raises(InvalidSequencesError, match=message):
        stream.push(steps)
    assert stream.push(X[1]) == spared.push(X[1])


@pytest.mark.parametrize("embedding", ["one_hot", 3])
@pytest.mark.parametrize("token", [1.5, -0.5, -1.0, 4.0])
def test_what_is_no_token_of_the_fit_is_refused(embedding: Any, token: float) -> None:
    tokens = np.arange(40).reshape(8, 5, 1) % 4
    stream = StepClassifier(**{**SMALL, "max_epochs": 1}, embedding=embedding).fit(tokens, tokens[:, :, 0]).stream()
    stream.push([3.0])
    with pytest.raises(InvalidSequencesError, match=f"token numbers from 0 to 3, .* Got {token} at step 2"):
        stream.push([[0.0], [token]])


def test_the_users_steps_are_left_as_they_were(regressor: SequenceRegressor) -> None:
    steps: NDArray[np.float32] = X[0].astype(np.float32)
    kept = steps.copy()
    steps.flags.writeable = False
    regressor.stream().push(steps)
    np.testing.assert_array_equal(steps, kept)


def test_a_bidirectional_net_is_refused() -> None:
    model = SequenceRegressor(bidirectional=True, **SMALL).fit(X, TARGETS)
    with pytest.raises(ValueError, match="Fit with bidirectional=False"):
        model.stream()


def test_an_unknown_method_is_refused(classifier: SequenceClassifier) -> None:
    with pytest.raises(ValueError, match="'predict' or 'predict_proba'. Got 'score'"):
        classifier.stream(method="score")


def test_an_unfitted_estimator_has_no_stream() -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        SequenceRegressor().stream()


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize(
    "form",
    [lambda frame: frame, lambda frame: frame.iloc[0], pl.from_pandas, lambda frame: xr.DataArray(frame.iloc[0])],
)
def test_names_of_pushed_steps_are_held_to_those_of_fit(form: Any, n_members: int) -> None:
    frames = [pd.DataFrame(x, columns=["a", "b", "c"]) for x in X[:8]]
    model = SequenceRegressor(hidden_size=2, max_epochs=1, random_state=0, n_members=n_members).fit(frames, TARGETS[:8])
    stream = model.stream()
    stream.push(form(frames[0]))
    with pytest.raises(ValueError, match="must be in the same order"):
        stream.push(form(frames[0][["b", "a", "c"]]))
    with pytest.raises(ValueError, match="unseen at fit time:\n- d"):
        stream.push(form(frames[0].rename(columns={"a": "d"})))
    n_steps = stream.n_steps
    stream.push(X[0])  # arrays have no names
    assert stream.n_steps == n_steps + len(X[0])
    assert stream.n_steps in (len(X[0]) + 1, 2 * len(X[0]))


def test_columns_of_a_table_of_time_steps_are_not_names_of_pushed_steps() -> None:
    table = pd.DataFrame(X[:8, :, 0]).add_prefix("t")
    model = SequenceRegressor(hidden_size=2, max_epochs=1, random_state=0).fit(table, TARGETS[:8])
    assert np.isfinite(model.stream().push(pd.DataFrame({"load": X[0, :, 0]})))
