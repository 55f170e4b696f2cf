"""Values that are large compared with their variation keep their information, or a warning says that they do not."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe import (
    Forecaster,
    SequenceCaptioner,
    SequenceClassifier,
    SequenceRegressor,
    SlidingWindowRegressor,
    StepClassifier,
    StepRegressor,
    WindowedRegressor,
    make_windows,
)
from seqpipe.exceptions import DataWarning, InvalidSequencesError
from seqpipe.sequences import Sequences, Windows, as_sequences, offset_of

TINY: dict[str, Any] = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
V = rng.normal(size=(40, 6, 2))
y = V[:, -1, 0] + V[:, 0, 1]
steps = V.cumsum(axis=1)[:, :, 0]
rows = rng.normal(size=(60, 2))
LEVELS = {"seconds since 1970": 1.7e9, "milliseconds since 1970": 1.7e12, "negative": -1e10}


def ragged(X: np.ndarray) -> list[np.ndarray]:
    return [x[: 2 + i % 5] for i, x in enumerate(X)]


def continued(X: np.ndarray) -> SequenceRegressor:
    model = SequenceRegressor(**TINY)
    for _ in range(3):
        model.partial_fit(X, y)
    return model


#: Predictions for V, as a function of what is added to V.
FITS: dict[str, Callable[[float], Any]] = {
    "regressor": lambda far: SequenceRegressor(**TINY).fit(far + V, y).predict(far + V),
    "ragged": lambda far: SequenceRegressor(**TINY).fit(ragged(far + V), y).predict(ragged(far + V)),
    "classifier": lambda far: SequenceClassifier(**TINY).fit(far + V, y > 0).predict_proba(far + V),
    "table": lambda far: (
        SequenceClassifier(**TINY, bidirectional=True).fit(far + V[:, :, 0], y > 0).predict_proba(far + V[:, :, 0])
    ),
    "patches": lambda far: SequenceRegressor(**TINY, patch=(2, 2)).fit(far + V, y).predict(far + V),
    "ensemble": lambda far: SequenceRegressor(**TINY, n_members=2).fit(far + V, y).member_predictions(far + V),
    "partial fits": lambda far: continued(far + V).predict(far + V),
    "steps": lambda far: StepRegressor(**TINY).fit(far + V, steps).predict(far + V),
    "labels of steps": lambda far: StepClassifier(**TINY).fit(far + V, steps > 0).predict_proba(far + V),
    "windows": lambda far: (
        SequenceRegressor(**TINY)
        .fit(*make_windows(far + rows, rows[:, 0], window=5))
        .predict(make_windows(far + rows, rows[:, 0], window=5)[0])
    ),
    "rows": lambda far: (
        WindowedRegressor(SequenceRegressor(**TINY), window=4).fit(far + rows, rows[:, 0]).predict(far + rows)
    ),
    "sliding": lambda far: SlidingWindowRegressor(SequenceRegressor(**TINY), window=4).fit(far + V, y).predict(far + V),
    "exogenous": lambda far: (
        Forecaster(SequenceRegressor(**TINY), window=5, difference=False)
        .fit(far + rows[:50], rows[:50, 0])
        .predict(far + rows[50:])
    ),
    "captions": lambda far: (
        SequenceCaptioner(**TINY).fit(far + V[:, 0], np.where(y > 0, "up", "down")).history_[-1]["train_loss"]
    ),
}


@pytest.mark.parametrize(
    ("kind", "level"),
    [(kind, 1e9) for kind in FITS] + [(kind, level) for kind in ("regressor", "steps") for level in LEVELS.values()],
)
def test_a_level_that_is_added_to_the_features_changes_nothing(kind: str, level: float) -> None:
    tolerance = 1e-2 if level > 1e11 else 1e-3  # V itself is rounded when the level is added
    np.testing.assert_allclose(FITS[kind](level), FITS[kind](0.0), rtol=0, atol=tolerance)


@pytest.mark.parametrize("scaling", ["sequences", "both"])
def test_sequences_with_levels_of_their_own_keep_their_variation(scaling: str) -> None:
    levels = rng.normal(size=(40, 1, 2))

    def predicted(far: float) -> Any:
        X = far * levels + V
        return SequenceRegressor(**TINY, scale_inputs=scaling).fit(X, y).predict(X)

    if scaling == "sequences":
        np.testing.assert_allclose(predicted(1e9), predicted(0.0), rtol=0, atol=1e-3)
    assert np.ptp(predicted(1e9)) > 0.1 * np.ptp(predicted(1.0))


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
def test_a_level_that_is_added_to_the_targets_is_added_to_the_predictions(level: float) -> None:
    for model, targets in ((SequenceRegressor(**TINY), y), (StepRegressor(**TINY), steps)):
        found = model.fit(V, targets + level).predict(V) - level
        np.testing.assert_allclose(found, model.fit(V, targets).predict(V), rtol=0, atol=1e-3)


@pytest.mark.parametrize("n_members", [1, 2])
def test_a_stream_subtracts_the_level_as_well(n_members: int) -> None:
    model = StepRegressor(**TINY, n_members=n_members).fit(1e9 + V, steps)
    stream = model.stream()
    found = [stream.push(step) for step in 1e9 + V[0]]
    np.testing.assert_allclose(found, model.predict(1e9 + V[:1])[0], rtol=0, atol=1e-5)
    assert np.ptp(found) > 0


def test_a_pickled_model_keeps_the_offset_and_one_of_an_earlier_version_needs_none() -> None:
    model = SequenceRegressor(**TINY).fit(1e9 + V, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(1e9 + V), model.predict(1e9 + V))
    usual = SequenceRegressor(**TINY).fit(V, y)
    expected = usual.predict(V)
    del usual.x_offset_
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(usual)).predict(V), expected)


def test_data_at_a_level_is_never_changed() -> None:
    X = 1e9 + V
    before = X.copy()
    SequenceRegressor(**TINY).fit(X, y).predict(X)
    np.testing.assert_array_equal(X, before)


# ---- which features are centred


@settings(deadline=None)
@given(level=st.floats(-100, 100), size=st.floats(1e-6, 1e6), n=st.integers(1, 50))
def test_features_of_usual_size_are_left_alone(level: float, size: float, n: int) -> None:
    found = offset_of(Sequences(size * (level + np.random.default_rng(n).normal(size=(n + 1, 3))), [0, n + 1]))
    assert n < 8 or (found == 0).all()


@settings(deadline=None)
@given(level=st.floats(1e6, 1e12), sign=st.sampled_from([-1, 1]), zeros=st.floats(0, 0.4))
def test_a_far_feature_is_centred_at_its_more_frequent_level(level: float, sign: int, zeros: float) -> None:
    values = sign * level + np.random.default_rng(0).normal(size=(100, 1))
    values[: int(100 * zeros)] = 0  # as padding does
    assert abs(offset_of(Sequences(values, [0, 100]))[0] - sign * level) < 10


def test_a_constant_feature_and_rounding_errors_are_not_centred() -> None:
    values = np.stack([np.full(50, 7e9), 0.1 + 1e-17 * rng.normal(size=50)], axis=1)
    assert (offset_of(Sequences(values, [0, 50])) == 0).all()


def test_rows_that_no_window_covers_do_not_count() -> None:
    base = np.concatenate([np.full((50, 1), np.nan), 1e9 + rows[:, :1]])
    assert abs(offset_of(Windows(base, np.arange(50, 100), 5))[0] - 1e9) < 10


def test_float32_at_the_usual_size_is_not_copied() -> None:
    X = as_sequences(V.astype("float32"))
    model = SequenceRegressor(**TINY).fit(X, y)
    assert (model.x_offset_ == 0).all()
    assert np.shares_memory(model.as_samples(X).X.values, X.values)


# ---- what is lost all the same


@pytest.mark.parametrize(
    ("X", "parameters", "words"),
    [
        (
            1e9 + V,
            {"scale_inputs": False},
            r"when it is rounded: it changes by about [\d.]+ from .*precision of float32.*Set scale_inputs=True",
        ),
        (
            np.where(np.arange(6)[:, None] < 2, 0, 1e9 + V),
            {},
            r"Feature 0 of X loses .* standardized: .*precision of float32.*\(2 such features\).*dtype='float64'",
        ),
        (1.7e12 + 3e8 * np.arange(40)[:, None, None] + 1e3 * V.cumsum(axis=1), {}, "when it is rounded"),
        (1e-50 * V, {}, "changes by about .*e-51"),
    ],
    ids=["unscaled", "padded with zeros", "milliseconds of a year", "tiny"],
)
def test_what_float32_loses_is_warned_of_with_the_remedy(X: np.ndarray, parameters: dict, words: str) -> None:
    with pytest.warns(DataWarning, match=words):
        SequenceRegressor(**TINY, **parameters).fit(X, y)
    SequenceRegressor(**TINY, **parameters, dtype="float64").fit(X[:2], y[:2])


def test_the_feature_that_loses_information_is_called_by_its_name() -> None:
    named = Sequences((1e9 + V).reshape(-1, 2), np.arange(41) * 6, feature_names=["a", "b"])
    with pytest.warns(DataWarning, match="Feature 'a' of X loses"):
        SequenceRegressor(**TINY, scale_inputs=False).fit(named, y)


@pytest.mark.parametrize(
    "make", [lambda a: a.reshape(4, 6, 1), lambda a: a.reshape(4, 6), lambda a: a.reshape(4, 6).tolist()]
)
def test_integers_whose_changes_float64_loses_are_warned_of(make: Callable[[np.ndarray], Any]) -> None:
    with pytest.warns(DataWarning, match=r"above 2\*\*53 lose their changes .* Subtract a start"):
        SequenceRegressor(**TINY).fit(make(2**60 + np.arange(24)), y[:4])


def test_nanoseconds_since_1970_are_precise_enough() -> None:
    X = (1.7e18 + 1e9 * np.arange(24).reshape(4, 6, 1)).astype(np.int64)
    assert abs(SequenceRegressor(**TINY).fit(X, y[:4]).x_offset_[0] - 1.7e18) < 1e11


# ---- what does not fit


@pytest.mark.parametrize("model", [SequenceRegressor(**TINY), StepRegressor(**TINY)])
def test_a_target_out_of_float32s_range_is_refused_with_its_place(model: Any) -> None:
    targets = (y if isinstance(model, SequenceRegressor) else steps).copy()
    targets[7] = 1e39
    place = "sample 7" + ("" if targets.ndim == 1 else ", step 0")
    with pytest.raises(
        InvalidSequencesError, match=rf"too large for float32: y is 1e\+39 in {place} .*dtype='float64'"
    ):
        model.set_params(scale_targets=False).fit(V, targets, np.r_[0, np.ones(39)])
    fitted = model.set_params(scale_targets=True).fit(V, np.where(targets > 9, 0, targets))
    with pytest.raises(InvalidSequencesError, match=place):
        fitted.partial_fit(V, targets)
    assert fitted.score(V, targets) < 0.1
    model.fit(V, targets)  # standardized, it fits


def test_targets_that_float32_rounds_away_are_warned_of() -> None:
    model = SequenceRegressor(**TINY, scale_targets=False)
    with pytest.warns(DataWarning, match=r"y loses information .* about 1e\+09\. Set scale_targets=True"):
        model.fit(V, y + 1e9)
    model.fit(V, np.full(40, 0.1))


@pytest.mark.parametrize("X", [V, V[:, :, 0]], ids=["sequences", "table"])
def test_a_value_out_of_float32s_range_is_named_with_its_place(X: np.ndarray) -> None:
    bad = X.copy()
    bad[3, 2] = -1e39
    with pytest.raises(InvalidSequencesError, match="too large for float32.*sample 3, step 2, feature 0"):
        SequenceRegressor(**TINY).fit(bad, y)
    with pytest.warns(
        DataWarning, match=r"precision of float64 at its values.*clip outliers, or scale it otherwise\.$"
    ):
        SequenceRegressor(**TINY, dtype="float64").fit(bad, y)


def test_a_vector_out_of_float32s_range_is_named_with_its_place() -> None:
    bad = V[:, 0].copy()
    bad[3, 1] = 1e39
    with pytest.raises(InvalidSequencesError, match="too large for float32.*sample 3, step 0, feature 1"):
        SequenceCaptioner(**TINY).fit(bad, ["a", "b"] * 20)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_float64_of_any_size_is_standardized(size: float) -> None:
    model = SequenceRegressor(**TINY, dtype="float64")
    expected = model.fit(V, y).predict(V)
    np.testing.assert_allclose(model.fit(size * V, y).predict(size * V), expected, rtol=1e-6)


def test_a_mean_out_of_float64s_range_is_refused() -> None:
    with pytest.raises(InvalidSequencesError, match="Feature 0 of X is too large: its mean"):
        SequenceRegressor(**TINY, dtype="float64").fit(np.full((4, 5, 1), 1e308), y[:4])
