"""Logged models, loaded and used to predict."""

import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.estimators import Forecaster, SequenceClassifier, SequenceRegressor, WindowedRegressor
from seqpipe.exceptions import InvalidSequencesError, TrackingError, TrackingWarning
from seqpipe.tracking._model import save_model


@pytest.fixture
def load(uri, monkeypatch):
    """Load a model from the tests' store as a server would.

    The variable is set for the test's time only: mlflow.set_tracking_uri would also keep what was meant by default.
    """
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns about its own type hints on import
        return mlflow.pyfunc.load_model


def test_the_refitted_model_is_logged_and_predicts_the_same(data, make_tracker, client, load):
    X, y = data
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    search = GridSearchCV(pipe, {"logisticregression__C": [0.1, 1.0]}, cv=2)
    tracker = make_tracker(log_model=True)
    search.set_callbacks(tracker).fit(X, y)

    loaded = load(tracker.model_uri_)
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))
    assert loaded.metadata.run_id == tracker.refit_run_id_
    assert len(loaded.input_example) == 2


def test_the_model_is_an_output_of_its_run_and_ready(data, make_tracker, client):
    tracker = make_tracker(log_model=True)
    LogisticRegression().set_callbacks(tracker).fit(*data)

    (output,) = client.get_run(tracker.run_id_).outputs.model_outputs
    assert tracker.model_uri_ == f"models:/{output.model_id}"
    model = client.get_logged_model(output.model_id)
    assert (str(model.status), model.source_run_id) == ("READY", tracker.run_id_)


def test_the_model_names_the_versions_it_needs(data, make_tracker, load):
    tracker = make_tracker(log_model=True)
    LogisticRegression().set_callbacks(tracker).fit(*data)

    lines = Path(mlflow.pyfunc.get_model_dependencies(tracker.model_uri_)).read_text().split()
    assert {"mlflow", "numpy", "scikit-learn", "skops", "torch"} <= {line.partition("==")[0] for line in lines}
    assert not any("+" in line for line in lines)


def test_without_the_wish_no_model_is_logged(data, make_tracker, client):
    tracker = make_tracker()
    LogisticRegression().set_callbacks(tracker).fit(*data)
    assert tracker.model_uri_ is None
    assert client.get_run(tracker.run_id_).outputs.model_outputs == []


def test_a_transformer_alone_is_no_model(data, make_tracker):
    tracker = make_tracker(log_model=True)
    StandardScaler().set_callbacks(tracker).fit(data[0])
    assert tracker.model_uri_ is None


def test_a_model_can_be_logged_by_hand(data, make_tracker, load):
    X, y = data
    with make_tracker() as tracker:
        fitted = LogisticRegression().set_callbacks(tracker).fit(X, y)
        assert tracker.log_model(fitted, X) == tracker.model_uri_
    np.testing.assert_array_equal(load(tracker.model_uri_).predict(X), fitted.predict(X))


def test_a_model_of_foreign_types_is_not_logged_and_the_warning_names_them(net, data, make_tracker, client):
    tracker = make_tracker(log_model=True)
    with pytest.warns(TrackingWarning, match=r"was not logged. Net holds .*\.Net, which is no estimator"):
        net().set_callbacks(tracker).fit(*data)

    assert tracker.model_uri_ is None
    assert client.get_run(tracker.run_id_).info.status == "FINISHED"


def test_a_model_that_skops_cannot_write_is_an_error(data, make_tracker):
    X, y = data
    local = LogisticRegression()
    local.note = (each for each in X)
    with make_tracker() as tracker:
        local.set_callbacks(tracker).fit(X, y)
        with pytest.raises(TrackingError, match="skops cannot write LogisticRegression"):
            tracker.log_model(local, X)


class FirstStep(ClassifierMixin, BaseEstimator):
    """Predicts whether the first value of a sequence is positive; accepts sequences of any kind."""

    __module__ = "seqpipe.stand_in"

    def predict(self, X):
        items = X["sequence"] if isinstance(X, pd.DataFrame) else X
        return np.array([float(np.ravel(np.asarray(item, dtype=float))[0]) for item in items]) > 0


@pytest.fixture
def described(monkeypatch):
    """Describe the input of `FirstStep` without saving it."""
    from seqpipe.tracking._signature import describe_input

    return lambda X: describe_input(FirstStep(), X)


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7, 1, 4, 6)])
def test_padded_sequences_and_films_are_arrays_of_any_numbers(described, shape):
    found = described(np.ones(shape))
    assert (found.form, found.signature.inputs) == ("array", None)
    assert (found.example.shape, found.example.dtype) == ((2, *shape[1:]), np.float32)
    assert found.signature.outputs is not None


def test_ragged_films_are_a_table_of_flat_steps(described):
    example = described([np.ones((2, 1, 4, 6)), np.ones((3, 1, 4, 6))]).example
    assert [np.shape(cell) for cell in example["sequence"]] == [(2, 24), (3, 24)]


@pytest.mark.parametrize("kind", [list, pd.Series])
def test_ragged_sequences_are_a_table_of_lists(described, kind):
    found = described(kind([np.ones((2, 3)), np.ones((4, 3)), np.ones((1, 3))]))
    assert found.form == "sequences"
    assert found.signature.inputs.input_names() == ["sequence"]
    assert [np.shape(cell) for cell in found.example["sequence"]] == [(2, 3), (4, 3)]


def test_sequences_of_one_feature_keep_their_time_axis(described):
    example = described([np.ones(2), np.ones(4)]).example
    assert [np.shape(cell) for cell in example["sequence"]] == [(2, 1), (4, 1)]


def test_a_table_stays_a_table(data):
    from seqpipe.tracking._signature import describe_input

    frame = pd.DataFrame(data[0], columns=list("abcd"))
    found = describe_input(DummyClassifier().fit(frame, data[1]), frame)
    assert (found.form, found.columns) == ("table", [[name, True] for name in "abcd"])
    assert len(found.example) == 2


@pytest.fixture(scope="module")
def sequences():
    """40 padded sequences of 6 steps and 2 features, and their labels."""
    X = np.random.default_rng(0).normal(size=(40, 6, 2)).astype(np.float32)
    return X, np.where(X[:, :, 0].mean(axis=1) > 0, "up", "down")


def test_a_classifier_of_padded_sequences_is_served_as_it_predicts(sequences, make_tracker, load):
    X, y = sequences
    tracker = make_tracker(log_model=True)
    fitted = SequenceClassifier(hidden_size=4, max_epochs=3).set_callbacks(tracker).fit(X, y)

    served = load(tracker.model_uri_)
    np.testing.assert_array_equal(served.predict(X), fitted.predict(X))
    longer = np.concatenate([X, X], axis=1)
    np.testing.assert_array_equal(served.predict(longer), fitted.predict(longer))


def test_a_classifier_of_ragged_sequences_is_served_as_it_predicts(sequences, make_tracker, load):
    X, y = sequences
    ragged = [item[: 1 + i % 6] for i, item in enumerate(X)]
    tracker = make_tracker(log_model=True)
    fitted = SequenceClassifier(hidden_size=4, max_epochs=3).set_callbacks(tracker).fit(ragged, y)

    table = pd.DataFrame({"sequence": [item.tolist() for item in ragged]})
    np.testing.assert_array_equal(load(tracker.model_uri_).predict(table), fitted.predict(ragged))


def test_a_search_over_sequences_logs_its_refit_with_curves(sequences, make_tracker, runs, client, load):
    X, y = sequences
    search = GridSearchCV(SequenceClassifier(max_epochs=3), {"hidden_size": [2, 4]}, cv=2, n_jobs=2)
    tracker = make_tracker(log_model=True)
    search.set_callbacks(tracker).fit(X, y)

    np.testing.assert_array_equal(load(tracker.model_uri_).predict(X), search.predict(X))
    for run in [*runs("fold"), *runs("refit")]:
        assert [p.step for p in client.get_metric_history(run.info.run_id, "train_loss")] == [1, 2, 3]
        assert {"n_parameters", "n_updates", "fit_seconds", "peak_memory_mib"} <= run.data.metrics.keys()
    assert runs("search")[0].data.tags["seqpipe.device.name"]


def test_a_classifier_that_refuses_its_data_leaves_a_failed_run(sequences, make_tracker, runs):
    X, y = sequences[0].copy(), sequences[1]
    X[3, 2, 1] = np.nan
    with pytest.raises(InvalidSequencesError, match="sample 3, step 2"):
        SequenceClassifier().set_callbacks(make_tracker()).fit(X, y)
    assert runs()[0].info.status == "FAILED"
    assert "sample 3, step 2" in runs()[0].data.tags["seqpipe.error"]


@pytest.mark.parametrize(
    ("estimator", "X", "y", "asked"),
    [
        (
            Forecaster(SequenceRegressor(max_epochs=2), window=5, horizon=3),
            np.sin(np.arange(60) / 5),
            None,
            np.zeros(4),
        ),
        (
            WindowedRegressor(SequenceRegressor(max_epochs=2), window=4),
            np.ones((30, 2)),
            np.arange(30.0),
            np.zeros((5, 2)),
        ),
    ],
    ids=["forecaster", "windowed"],
)
def test_models_of_series_are_served_as_they_predict(estimator, X, y, asked, tmp_path):
    fitted = estimator.fit(X, y)
    save_model(fitted, X, tmp_path / "model")
    served = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(served.predict(asked), fitted.predict(asked))
