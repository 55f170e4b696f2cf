"""Diagnostics use only public methods of estimators."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from seqpipe import (
    Forecaster,
    LanguageModel,
    SequenceCaptioner,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTranslator,
    SlidingWindowClassifier,
    StepClassifier,
    StepRegressor,
    WindowedRegressor,
    diagnostics,
)


@pytest.mark.parametrize("module", sorted(Path(diagnostics.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_no_private_attribute_of_another_object_is_used(module: Path) -> None:
    attributes = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Attribute)]
    private = [node for node in attributes if node.attr.startswith("_") and not node.attr.startswith("__")]
    assert [ast.unparse(node) for node in private if ast.unparse(node.value) not in ("self", "cls")] == []


NETS = [LanguageModel, SequenceCaptioner, SequenceClassifier, SequenceTranslator, StepClassifier, StepRegressor]
META = [
    Forecaster(SequenceRegressor()),
    SlidingWindowClassifier(SequenceClassifier(), window=3),
    WindowedRegressor(SequenceRegressor(), window=3),
]


@pytest.mark.parametrize("kind", NETS)
def test_an_estimator_that_is_not_fitted_has_no_samples(kind: type) -> None:
    with pytest.raises(NotFittedError):
        kind().as_samples(np.zeros((2, 3, 1)))


@pytest.mark.parametrize("model", META, ids=lambda model: type(model).__name__)
def test_an_estimator_that_is_not_fitted_has_no_inner_samples(model: object) -> None:
    with pytest.raises(NotFittedError):
        model.inner_samples(np.zeros((9, 1)))


def test_inner_samples_are_what_the_estimator_inside_is_fitted_to() -> None:
    y = np.sin(np.arange(40.0))
    model = Forecaster(SequenceRegressor(hidden_size=2, max_epochs=1, random_state=0), window=5, horizon=2).fit(y)
    windows, targets = model.inner_samples(y)
    assert windows.window == 5
    assert targets.shape == (len(windows), 2)
