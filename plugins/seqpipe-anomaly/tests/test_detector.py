"""`ForecastErrorDetector`: what it finds, scikit-learn's contract, streams, and errors."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from seqpipe_anomaly import ForecastErrorDetector, LastValueDetector, RunningMeanDetector, make_vibrations
from seqpipe_anomaly._errors import forecast_errors, next_steps
from seqpipe_anomaly._gaussian import ErrorDistribution
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV

import seqpipe
from seqpipe import Sequences

TINY = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def normal() -> list[np.ndarray]:
    return make_vibrations(40, anomalous=0, random_state=0)[0]


@pytest.fixture(scope="module")
def fitted(normal: list[np.ndarray]) -> ForecastErrorDetector:
    return ForecastErrorDetector(hidden_size=16, max_epochs=60, random_state=0).fit(normal)


def test_planted_anomalies_are_found_better_than_by_the_baselines(fitted, normal) -> None:
    X, y = make_vibrations(12, anomalous=1, random_state=1)
    baselines = RunningMeanDetector().fit(normal), LastValueDetector().fit(normal)
    precision = [
        average_precision_score(np.concatenate(y), -np.concatenate(each.score_samples(X)))
        for each in (fitted, *baselines)
    ]
    assert precision[0] > 0.5
    assert max(precision[1:]) < 0.4


def test_the_threshold_flags_the_fraction_of_normal_steps_that_it_is_given(fitted) -> None:
    X, _ = make_vibrations(40, anomalous=0, random_state=2)
    assert 0.002 < (np.concatenate(fitted.predict(X)) < 0).mean() < 0.05


def test_predictions_are_the_signs_of_the_decision_function(fitted, normal) -> None:
    decisions = np.concatenate(fitted.decision_function(normal))
    np.testing.assert_array_equal(np.concatenate(fitted.predict(normal)), np.where(decisions < 0, -1, 1))
    np.testing.assert_allclose(decisions, np.concatenate(fitted.score_samples(normal)) - fitted.offset_)


def test_a_score_does_not_depend_on_later_steps(fitted, normal) -> None:
    changed = normal[0].copy()
    changed[50:] += 3
    before, after = (fitted.score_samples([x])[0] for x in (normal[0], changed))
    np.testing.assert_allclose(before[:50], after[:50], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(before[:50], fitted.score_samples([normal[0][:50]])[0], rtol=1e-4, atol=1e-4)
    assert after[50] < before[50] - 10


@pytest.mark.parametrize("n_ahead", [1, 3])
def test_a_stream_gives_the_scores_of_the_batch(n_ahead: int, normal) -> None:
    detector = ForecastErrorDetector(**TINY, n_ahead=n_ahead).fit(normal[:8])
    expected = detector.score_samples(normal[:1])[0]
    stream = detector.stream()
    one_by_one = [stream.push(x_t) for x_t in normal[0]]
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-3, atol=1e-4)
    stream.reset()
    np.testing.assert_allclose(stream.push(normal[0]), expected, rtol=1e-3, atol=1e-4)
    assert stream.n_steps == len(expected)


def test_errors_are_aligned_with_the_steps_that_were_forecast() -> None:
    X = Sequences.from_arrays([np.arange(4.0), 10 + np.arange(3.0)])
    targets = next_steps(X, 2)
    nan = np.nan
    np.testing.assert_array_equal(targets[:4], [[1, 2], [2, 3], [nan, nan], [nan, nan]])
    forecasts = np.tile(X.values, (1, 2))  # the last value: one step ahead it is off by 1, two steps ahead by 2
    expected = [[nan, nan], [1, nan], [1, 2], [1, 2], [nan, nan], [1, nan], [1, 2]]
    np.testing.assert_array_equal(forecast_errors(X, forecasts), expected)


def test_distances_are_squared_mahalanobis_distances_of_the_known_errors() -> None:
    sigma = np.array([[2.0, 0.5], [0.5, 1.0]])
    found = ErrorDistribution(np.array([1.0, 0.0]), sigma).distance(np.array([[3.0, 1.0], [3.0, np.nan], [np.nan] * 2]))
    deviation = np.array([2.0, 1.0])
    np.testing.assert_allclose(found, [deviation @ np.linalg.inv(sigma) @ deviation / 2, 2.0**2 / 2.0, 0])


def test_the_distances_of_held_out_steps_have_a_mean_of_one(normal) -> None:
    X = [x[:100] for x in normal[:4]]
    scores = ForecastErrorDetector(**TINY, calibration_fraction=0.5).fit(X).score_samples(X)
    assert np.concatenate([each[50:] for each in scores]).mean() == pytest.approx(-1, abs=1e-3)


def test_a_single_sequence_is_divided_into_steps_to_train_on_and_steps_to_measure(normal) -> None:
    detector = ForecastErrorDetector(**TINY).fit(normal[:1])
    assert np.isfinite(detector.offset_)


def test_all_forms_of_X_are_equivalent(normal) -> None:
    X = np.stack([x[:60] for x in normal[:8]])
    scores = [
        ForecastErrorDetector(**TINY).fit(form).score_samples(form) for form in (X, list(X), Sequences.from_padded(X))
    ]
    assert scores[0].shape == X.shape[:2]
    for other in scores[1:]:
        np.testing.assert_array_equal(scores[0], np.stack(other))
    table = ForecastErrorDetector(**TINY).fit(X[:, :, 0])
    assert table.predict(X[:, :, 0]).shape == X.shape[:2]


def test_clones_have_the_same_parameters() -> None:
    detector = ForecastErrorDetector("lstm", n_ahead=3, network_params={"weight_decay": 0.1})
    assert clone(detector).get_params() == detector.get_params()
    assert is_outlier_detector(detector)


def test_pickled_and_saved_detectors_give_the_same_scores(fitted, normal, tmp_path: Path) -> None:
    expected = fitted.score_samples(normal[:2])
    seqpipe.save(fitted, tmp_path / "detector.seqpipe")
    for copied in (pickle.loads(pickle.dumps(fitted)), seqpipe.load(tmp_path / "detector.seqpipe")):
        np.testing.assert_array_equal(np.concatenate(copied.score_samples(normal[:2])), np.concatenate(expected))


def test_a_search_needs_no_labels(normal) -> None:
    search = GridSearchCV(ForecastErrorDetector(**TINY), {"cell": ["rnn", "gru"]}, cv=2).fit(normal[:12])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.score_samples(normal[:2])) == 2


def test_further_parameters_reach_the_network(normal) -> None:
    detector = ForecastErrorDetector(**TINY, network_params={"weight_decay": 0.5, "net__criterion": "mae"})
    assert detector.fit(normal[:6]).network_.weight_decay == 0.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contamination", 0),
        ("contamination", "auto"),
        ("n_ahead", 0),
        ("calibration_fraction", 1),
        ("cell", "gruu"),
        ("network_params", {"bidirectional": True}),
        ("network_params", {"patch": (4, 2)}),
    ],
)
def test_invalid_parameters_are_errors_that_name_them(name: str, value: object, normal) -> None:
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        ForecastErrorDetector(**TINY).set_params(**{name: value}).fit(normal[:6])


def test_sequences_that_are_too_short_are_an_error() -> None:
    with pytest.raises(ValueError, match="more than n_ahead \\+ 1 = 4 steps"):
        ForecastErrorDetector(**TINY, n_ahead=3).fit(np.zeros((10, 3, 1)))


def test_scores_before_fitting_are_an_error(normal) -> None:
    with pytest.raises(NotFittedError):
        ForecastErrorDetector().predict(normal)
