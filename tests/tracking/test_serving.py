"""Requests to served models, through the code of MLflow's scoring server."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from seqpipe.estimators import (
    Forecaster,
    LanguageModel,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTranslator,
    StepClassifier,
)
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tracking._model import save_model
from seqpipe.transformers import TokenizeTexts

RNG = np.random.default_rng(0)
RAGGED = [RNG.normal(size=(length, 2)) for length in RNG.integers(3, 8, size=16)]
LABELS = ["a", "b"] * 8
TINY = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}
WHOLE = pd.DataFrame(RNG.integers(0, 9, size=(16, 3)), columns=list("abc"))


class Served:
    """A model and its server."""

    def __init__(self, folder: Path, estimator: Any, X: Any, y: Any) -> None:
        self.estimator = estimator.fit(X, y)
        save_model(self.estimator, X, folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow warns about its own type hints on import
            from mlflow.pyfunc import scoring_server

            self.model = mlflow.pyfunc.load_model(str(folder))
        self._app = scoring_server.init(self.model)

    def post(self, body: Any, content_type: str = "application/json") -> tuple[int, Any]:
        """Return the status and the response: predictions or an error message."""
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        status, answer = asyncio.run(self._respond(content, content_type))
        return status, answer["predictions"] if status == 200 else answer["message"]

    def columns(self, data: list[Any], columns: Any = ("sequence",)) -> tuple[int, Any]:
        return self.post({"dataframe_split": {"columns": list(columns), "data": data}})

    async def _respond(self, content: bytes, content_type: str) -> tuple[int, Any]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": "/invocations",
            "query_string": b"",
            "headers": [(b"content-type", content_type.encode())],
        }
        await self._app(scope, receive, send)
        return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Served]:
    def serve(estimator: Any, X: Any, y: Any = None) -> Served:
        return Served(tmp_path_factory.mktemp("models") / "model", estimator, X, y)

    return serve


@pytest.fixture(scope="module")
def ragged(serve: Callable[..., Served]) -> Served:
    return serve(SequenceClassifier(**TINY), RAGGED, LABELS)


@pytest.fixture(scope="module")
def padded(serve: Callable[..., Served]) -> Served:
    return serve(SequenceClassifier(**TINY), np.stack([each[:3] for each in RAGGED]), LABELS)


@pytest.fixture(scope="module", params=["whole", "fractions"])
def table(request: pytest.FixtureRequest, serve: Callable[..., Served]) -> Served:
    return serve(SequenceClassifier(**TINY), WHOLE if request.param == "whole" else WHOLE + 0.5, LABELS)


@pytest.mark.parametrize(
    "sequence", [[[1, 2], [3, 4]], [[1, 2.5], [3, 4]], [[0, 1]], [[2**60, 1]], [[1.5, 2.0], [3.0, 4.0]]]
)
def test_whole_numbers_are_numbers(ragged: Served, sequence: list[Any]) -> None:
    expected = ragged.estimator.predict([np.array(sequence, dtype=float)]).tolist()
    assert ragged.columns([[sequence]]) == (200, expected)
    assert ragged.post({"inputs": {"sequence": [sequence]}}) == (200, expected)
    assert ragged.post({"dataframe_records": [{"sequence": sequence}]}) == (200, expected)
    assert ragged.model.predict(pd.DataFrame({"sequence": [sequence]})).tolist() == expected
    assert ragged.model.predict(pd.DataFrame({"sequence": [np.array(sequence)]})).tolist() == expected


def test_sequences_of_unequal_length_go_into_one_request(ragged: Served) -> None:
    status, predictions = ragged.columns([[each.tolist()] for each in RAGGED])
    assert (status, predictions) == (200, ragged.estimator.predict(RAGGED).tolist())


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([["1", "2"]], r"sequence\[0\]\[0\]\[0\] must be a number. Got '1' instead"),
        ([[1, 2], [3, True]], r"sequence\[0\]\[1\]\[1\] must be a number. Got True instead"),
        ([[1, 10**400]], r"sequence\[0\]\[0\]\[1\] is too large"),
        ([[1, 2], [1]], r"sequence\[0\]: all time steps must be lists of equally many numbers"),
        ([[1, None]], r"Input X contains NaN: sample 0 .*step 0, feature 1"),
        ([[1, float("nan")]], r"Input X contains NaN: sample 0 .*step 0, feature 1"),
        ([[1, float("inf")]], r"Input X contains infinity: sample 0 .*step 0, feature 1"),
        ([[1, 2, 3]], r"X has 3 features, but SequenceClassifier is expecting 2"),
        ([1, 2], r"X has 1 features, but SequenceClassifier is expecting 2"),
        ([], r"X has no time steps in sample 0"),
        (None, r"sequence\[0\] must be a list of time steps"),
        ("[[1, 2]]", r"sequence\[0\] must be a list of time steps"),
        ({"a": 1}, r"sequence\[0\] must be a list of time steps"),
    ],
)
def test_what_is_no_sequence_is_answered_with_its_place(ragged: Served, cell: Any, message: str) -> None:
    status, answer = ragged.columns([[cell]])
    assert status == 400
    with pytest.raises(InvalidSequencesError, match=message):
        ragged.model.predict(pd.DataFrame({"sequence": pd.Series([cell], dtype=object)}))
    assert "Error: " in answer
    assert "unexpected error" not in answer


def test_plain_numbers_are_steps_of_one_feature(serve: Callable[..., Served]) -> None:
    served = serve(SequenceRegressor(**TINY), [each[:, :1] for each in RAGGED], np.arange(16.0))
    assert served.columns([[[1, 2]]]) == served.columns([[[[1.0], [2.0]]]])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_an_array_may_be_of_any_numbers(padded: Served, dtype: str) -> None:
    X = np.array([[[1, 2], [3, 4]]], dtype=dtype)
    expected = padded.estimator.predict(X.astype(float)).tolist()
    assert padded.model.predict(X).tolist() == expected
    assert padded.model.predict(X.tolist()).tolist() == expected
    assert padded.post({"inputs": X.tolist()}) == (200, expected)
    assert padded.post({"instances": X.tolist()}) == (200, expected)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([[["1", "2"]]], r"input[0][0][0] must be a number. Got '1' instead"),
        ([[[1, None]]], "Input X contains NaN: sample 0, step 0, feature 1"),
        ([[1, 2]], "expects X of shape (n_samples, n_timesteps, 2)"),
        ({"x": [[[1, 2]]]}, "The input must be an array, without names. Got the fields x instead"),
    ],
)
def test_what_is_no_such_array_is_answered_with_its_place(padded: Served, body: Any, message: str) -> None:
    status, answer = padded.post({"inputs": body})
    assert status == 400
    assert message in answer


@pytest.mark.parametrize("shift", [0, 0.5])
def test_a_table_takes_whole_numbers_and_fractions(table: Served, shift: float) -> None:
    rows = WHOLE + shift
    expected = table.estimator.predict(rows).tolist()
    assert table.model.predict(rows).tolist() == expected
    assert table.columns(rows.to_numpy().tolist(), "abc") == (200, expected)
    assert table.post(rows.to_csv(index=False), "text/csv") == (200, expected)
    assert table.post({"inputs": {name: rows[name].tolist() for name in rows}}) == (200, expected)


def test_columns_are_found_by_name(table: Served) -> None:
    expected = table.estimator.predict(WHOLE).tolist()
    assert table.model.predict(WHOLE[list("cba")].assign(more=1)).tolist() == expected
    assert table.columns(WHOLE[list("bca")].to_numpy().tolist(), "bca") == (200, expected)


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        (["a", "b", "c"], ["1", 2, 3], "a[0] must be a number. Got '1' instead"),
        (["a", "b", "c"], [1, None, 3], "Input X contains NaN"),
        (["a", "b"], [1, 2], "The table has no column 'c', which the model was trained with"),
        (["a", "b", "c "], [1, 2, 3], "Did you mean 'c ', not 'c'?"),
    ],
)
def test_a_table_that_does_not_fit_is_told(table: Served, columns: list[str], row: list[Any], message: str) -> None:
    status, answer = table.columns([row], columns)
    assert status == 400
    assert message in answer


@pytest.mark.parametrize(
    ("level", "texts", "wrong"),
    [
        ("char", ["ab", "ba"], 3),
        ("word", ["a b", "b"], ["a"]),
        ("token", [["a", "b"], ["b"]], "a"),
        ("token", [[1, 2], [2]], [1.5]),
    ],
)
def test_texts_are_taken_as_they_were_trained_on(
    serve: Callable[..., Served], level: str, texts: list[Any], wrong: Any
) -> None:
    pipe = make_pipeline(TokenizeTexts(level), SequenceClassifier(embedding=2, **TINY))
    served = serve(pipe, texts * 8, LABELS)
    assert served.columns([[text] for text in texts]) == (200, served.estimator.predict(texts).tolist())
    for cell, message in ((wrong, "must be"), (None, "X, sample 0 is missing (None)")):
        status, answer = served.columns([[cell]])
        assert status == 400
        assert message in answer


def test_models_that_write_and_models_of_steps_are_served(serve: Callable[..., Served]) -> None:
    translator = serve(SequenceTranslator(**TINY), ["ab", "ba"] * 4, ["ba", "ab"] * 4)
    assert translator.columns([["ab"]]) == (200, translator.estimator.predict(["ab"]).tolist())
    writer = serve(LanguageModel(**TINY), ["ab", "ba"] * 4)
    assert writer.columns([["ab"]]) == (200, writer.estimator.predict(["ab"]).tolist())
    tags = [["N"] * len(each) if i % 2 else ["V"] * len(each) for i, each in enumerate(RAGGED)]
    tagger = serve(StepClassifier(**TINY), RAGGED, tags)
    expected = [each.tolist() for each in tagger.estimator.predict([[[1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0]]])]
    assert tagger.columns([[[[1, 2]]], [[[1, 2], [3, 4]]]]) == (200, expected)


@pytest.mark.parametrize("kind", [np.asarray, pd.Series])
def test_a_forecast_is_asked_for_with_as_many_rows(serve: Callable[..., Served], kind: Callable[..., Any]) -> None:
    series = kind(np.sin(np.arange(60) / 5))
    served = serve(Forecaster(SequenceRegressor(**TINY), window=5, horizon=3), series)
    expected = np.asarray(served.estimator.predict(np.zeros(3))).tolist()
    assert served.post({"inputs": [0, 0, 0]}) == (200, expected)
    assert served.model.predict(pd.Series(np.zeros(3), index=range(60, 63))).tolist() == expected


@pytest.mark.parametrize("named", [True, False])
def test_a_panel_is_forecast_with_a_row_per_step_and_id(serve: Callable[..., Served], named: bool) -> None:
    wave = pd.Series(np.sin(np.arange(60) / 5), index=pd.date_range("2020-01-01", periods=60, name="day"), name="load")
    panel = pd.concat({"north": wave, "south": 10 * wave}, names=["plant"])
    served = serve(Forecaster(SequenceRegressor(**TINY), window=5, horizon=3), panel.to_frame() if named else panel)
    expected = np.ravel(served.estimator.predict(3)).tolist()
    status, predictions = served.columns([["south", 0], ["north", 0], ["south", 0]], columns=["plant", "load"])
    assert (status, np.ravel(predictions).tolist()) == (200, [expected[3], expected[0], expected[4]])
    status, message = served.columns([["west", 0]], columns=["plant", "load"])
    assert (status, "the series 'west', which this Forecaster was not fitted to" in message) == (400, True)
