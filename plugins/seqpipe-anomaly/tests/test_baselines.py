"""The baselines, against loops over steps."""

import numpy as np
import pytest
from seqpipe_anomaly import LastValueDetector, RunningMeanDetector

X = [np.random.default_rng(0).normal(size=(n, 2)) for n in (7, 4, 9)]


def test_the_running_mean_is_that_of_the_training_data_and_the_steps_before() -> None:
    values = np.concatenate(X)
    mean, variance = values.mean(axis=0), values.var(axis=0)
    found = RunningMeanDetector().fit(X).score_samples(X)
    for x, scores in zip(X, found):
        for t in range(len(x)):
            m = (mean + x[:t].sum(axis=0)) / (t + 1)
            v = (variance + (mean - m) ** 2 + ((x[:t] - m) ** 2).sum(axis=0)) / (t + 1)
            assert scores[t] == pytest.approx(-((x[t] - m) ** 2 / v).mean())


def test_the_last_value_is_compared_by_the_mean_squared_difference() -> None:
    squared = [np.diff(x, axis=0, prepend=x[:1]) ** 2 for x in X]
    scale = np.concatenate(squared).mean(axis=0)
    found = LastValueDetector().fit(X).score_samples(X)
    np.testing.assert_allclose(np.concatenate(found), -np.concatenate([(d / scale).mean(axis=1) for d in squared]))


@pytest.mark.parametrize("kind", [RunningMeanDetector, LastValueDetector])
def test_baselines_flag_a_fraction_of_the_training_steps(kind: type) -> None:
    flagged = np.concatenate(kind(contamination=0.25).fit_predict(X)) < 0
    assert flagged.sum() == len(flagged) // 4
