"""Answers of models of each form, and that any body gets one."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline

from seqpipe.estimators import Forecaster, SequenceClassifier, SequenceRegressor, StepClassifier
from seqpipe.serving import Limits, ServedModel, form_of
from seqpipe.serving._app import _answer
from seqpipe.serving._body import sent_data
from seqpipe.serving._description import instructions
from seqpipe.serving._example import example_request
from seqpipe.serving._refusal import RefusedRequestError
from seqpipe.transformers import TokenizeTexts

RNG = np.random.default_rng(0)
TINY: dict[str, Any] = {"hidden_size": 3, "max_epochs": 1, "random_state": 0}
RAGGED = [RNG.normal(size=(length, 2)) for length in (3, 5, 4, 6)]
LABELS = ["a", "b"] * 2
TABLE = pd.DataFrame(RNG.normal(size=(4, 3)), columns=list("abc"))
WAVE = pd.Series(np.sin(np.arange(60) / 5), index=pd.date_range("2020", periods=60, name="day"), name="load")


def _sequences() -> ServedModel:
    return ServedModel(SequenceClassifier(**TINY).fit(RAGGED, LABELS), "sequences", [])


def _saved(estimator: Any) -> ServedModel:
    return ServedModel(estimator, *form_of(estimator))


def _panel() -> ServedModel:
    panel = pd.concat({"north": WAVE, "south": 10 * WAVE}, names=["plant"])
    estimator = Forecaster(SequenceRegressor(**TINY), window=5, horizon=3).fit(panel.to_frame())
    return ServedModel(estimator, "panel", [("plant", False), ("load", True)])


def _steps() -> ServedModel:
    return ServedModel(StepClassifier(**TINY).fit(RAGGED, [["N"] * len(each) for each in RAGGED]), "sequences", [])


def _texts() -> ServedModel:
    return _saved(
        make_pipeline(TokenizeTexts("char"), SequenceClassifier(embedding=2, **TINY)).fit(["ab", "ba"] * 2, LABELS)
    )


MODELS: dict[str, Callable[[], ServedModel]] = {
    "sequences": _sequences,
    "steps": _steps,
    "ragged file": lambda: _saved(SequenceRegressor(**TINY).fit(RAGGED, np.arange(4.0))),
    "flat file": lambda: _saved(SequenceRegressor(**TINY).fit(RNG.normal(size=(4, 5)), np.arange(4.0))),
    "table file": lambda: _saved(SequenceClassifier(**TINY).fit(TABLE, LABELS)),
    "forecast file": lambda: _saved(Forecaster(SequenceRegressor(**TINY), window=5, horizon=3).fit(WAVE.to_numpy())),
    "texts file": _texts,
    "panel": _panel,
}


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> ServedModel:
    return MODELS[request.param]()


class Refused(Exception):
    """A refusal for what the client sent."""


def answer(model: ServedModel, body: Any, method: Any = "predict") -> Any:
    try:
        n, content = _answer(model, bytearray(json.dumps(body).encode()), method, Limits())
    except RefusedRequestError as error:
        raise (Refused(str(error)) if error.status in (400, 413) else error) from error
    found = json.loads(content)
    assert len(found["predictions"]) == n
    return found


def test_every_model_answers_the_example_it_shows(model: ServedModel) -> None:
    example = example_request(model)
    assert example is not None
    expected = [np.asarray(each).tolist() for each in model.predict(sent_data(example))]
    found = answer(model, example)["predictions"]
    assert json.dumps(example) in instructions(model, "m", example)
    assert found == expected


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["a", "north", "", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*"abc", "sequence", "plant", "load"]), inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = st.one_of(
    st.builds(lambda name, value: {name: value}, st.sampled_from(["instances", "inputs", "dataframe_records"]), JUNK),
    st.builds(
        lambda columns, data: {"dataframe_split": {"columns": columns, "data": data}},
        st.sampled_from([["sequence"], ["a", "b", "c"], ["plant", "load"], ["x"]]),
        st.lists(st.lists(JUNK, min_size=1, max_size=3), max_size=3),
    ),
)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@settings(max_examples=25, deadline=None)
@given(BODIES)
def test_any_body_is_answered_or_refused(model: ServedModel, body: Any) -> None:
    with suppress(Refused):
        answer(model, body)


def test_probabilities_come_with_their_classes() -> None:
    model = _sequences()
    found = answer(model, {"instances": [each.tolist() for each in RAGGED]}, "predict_proba")
    assert found["classes"] == ["a", "b"]
    assert found["predictions"] == model.estimator.predict_proba(RAGGED).tolist()


def test_predictions_that_are_not_finite_become_null() -> None:
    class Diverged:
        def predict(self, X: Any) -> Any:
            return np.array([np.nan, 1.0, np.inf])

    assert answer(ServedModel(Diverged(), "array", []), {"inputs": [1, 2, 3]}) == {"predictions": [None, 1.0, None]}


def test_samples_that_do_not_fit_into_memory_are_too_large() -> None:
    class Huge:
        def predict(self, X: Any) -> Any:
            raise MemoryError("no room.")

    with pytest.raises(Refused, match=r"do not fit into memory: no room. Send fewer"):
        answer(ServedModel(Huge(), "array", []), {"inputs": [1]})
