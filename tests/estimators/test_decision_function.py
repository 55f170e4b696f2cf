"""The logits of classifiers, which scikit-learn's calibration, thresholds and scores read first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer, roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier

import seqpipe
from seqpipe.estimators import SequenceClassifier, StepClassifier

SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 8, size=24)]
CUBE = rng.normal(size=(24, 5, 2))
#: Targets of one sequence, from its first two features.
TARGETS: dict[str, Any] = {
    "two": lambda x: np.where(x[:, 0] > 0, "up", "down"),
    "three": lambda x: np.digitize(x[:, 0], [-0.5, 0.5]),
    "several": lambda x: (x > 0).astype(int),
}


def flat(values: Any) -> Any:
    return np.concatenate([*values])


@pytest.mark.parametrize("steps", [False, True], ids=["sequences", "steps"])
@pytest.mark.parametrize("kind", TARGETS)
def test_probabilities_are_the_softmax_or_sigmoid_of_decisions(kind: str, steps: bool) -> None:
    y = [TARGETS[kind](x) if steps else TARGETS[kind](x)[0] for x in X]
    model = (StepClassifier if steps else SequenceClassifier)(**SMALL).fit(X, y if steps else np.array(y))
    decisions, probabilities, labels = model.decision_function(X), model.predict_proba(X), model.predict(X)
    if steps:
        decisions, probabilities, labels = flat(decisions), flat(probabilities), flat(labels)
    if kind == "three":
        np.testing.assert_allclose(softmax(decisions, axis=1), probabilities, rtol=1e-5)
        np.testing.assert_array_equal(model.classes_[decisions.argmax(axis=1)], labels)
    elif kind == "two":
        assert decisions.ndim == 1
        np.testing.assert_allclose(expit(decisions), probabilities[:, 1], rtol=1e-5)
        np.testing.assert_array_equal(model.classes_[(decisions > 0).astype(int)], labels)
    else:
        np.testing.assert_allclose(expit(decisions), probabilities, rtol=1e-5)
        np.testing.assert_array_equal((decisions > 0).astype(int), labels)


@pytest.mark.parametrize("data", [X, CUBE], ids=["ragged", "3-D"])
def test_scores_of_rankings_over_steps_are_those_of_the_decisions(data: Any) -> None:
    tags = [TARGETS["two"](x) for x in data]
    holes = [np.where(np.arange(len(t)) % 3, t, None) for t in tags]
    model = StepClassifier(**SMALL).fit(data, tags)
    known = flat(holes) != None  # noqa: E711
    truth, decisions = flat(tags)[known] == "up", flat(model.decision_function(data))[known]
    assert get_scorer("roc_auc")(model, data, holes) == pytest.approx(roc_auc_score(truth, decisions))
    several = StepClassifier(**SMALL).fit(data, [TARGETS["several"](x) for x in data])
    found = get_scorer("roc_auc")(several, data, [TARGETS["several"](x) for x in data])
    expected = roc_auc_score(flat([TARGETS["several"](x) for x in data]), flat(several.decision_function(data)))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
def test_cross_validated_outputs_have_the_shape_of_the_estimators_own(kind: str, method: str) -> None:
    y = [TARGETS[kind](x) for x in X]
    found = seqpipe.cross_val_predict(StepClassifier(**SMALL), X, y, cv=2, method=method)
    expected = getattr(StepClassifier(**SMALL).fit(X, y), method)(X)
    assert [part.shape for part in found] == [part.shape for part in expected]


def test_cross_validated_decisions_need_all_labels_in_every_fold() -> None:
    rare = [*[TARGETS["two"](x) for x in X[:-1]], np.full(len(X[-1]), "rare")]
    with pytest.raises(ValueError, match="requires all labels in each training set. Use method='predict_proba'"):
        seqpipe.cross_val_predict(StepClassifier(**SMALL), X, rare, cv=2, method="decision_function")


def test_calibration_and_thresholds_read_decisions() -> None:
    y = np.arange(24) % 2
    fitted = SequenceClassifier(**SMALL).fit(X, y)
    threshold = float(np.median(fitted.decision_function(X)))
    model = FixedThresholdClassifier(
        SequenceClassifier(**SMALL), threshold=threshold, response_method="decision_function"
    )
    np.testing.assert_array_equal(model.fit(X, y).predict(X), fitted.decision_function(X) >= threshold)
    calibrated = CalibratedClassifierCV(SequenceClassifier(**SMALL), cv=2).fit(X, y)
    assert calibrated.predict_proba(X).shape == (24, 2)


def test_an_estimator_that_is_not_fitted_says_so() -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        SequenceClassifier().decision_function(X)
