"""What the logged model knows without its run: name, parameters, metrics and their data."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_logged_model_name, _validate_model_name
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from seqpipe.estimators import SequenceClassifier
from seqpipe.exceptions import TrackingWarning
from seqpipe.tracking import load_model, read_runs
from seqpipe.tracking._logged_model import model_name, registered_name

pytestmark = pytest.mark.live_tree


def logged(client, tracker):
    return client.get_logged_model(tracker.model_uri_.removeprefix("models:/"))


def scores(model):
    """Return the metrics of a model as {name: (value, data set)}; each may occur once."""
    found = {each.key: (each.value, each.dataset_name) for each in model.metrics}
    assert len(found) == len(model.metrics)
    return found


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=300), st.dictionaries(st.text(max_size=20), st.text(max_size=300), max_size=3), st.text())
def test_names_are_such_as_mlflow_allows(label, params, cell):
    _validate_logged_model_name(model_name(label, {**params, "model__cell": cell}))
    _validate_model_name(registered_name(label))


def test_the_name_has_cell_and_size():
    assert (
        model_name("my digits", {"a__hidden_size": "64", "a__cell": "acme:gru", "lr": "1"}) == "my-digits-acme-gru-64"
    )
    assert (model_name("", {}), registered_name("..")) == ("model", "model")


@pytest.fixture
def searched(data, make_tracker):
    """A tracker of a search with a model and held-out scores."""
    X, y = data
    with make_tracker(log_model=True, tags={"dataset": "plants"}) as tracker:
        search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).set_callbacks(tracker).fit(X[:20], y[:20])
        metrics = {"accuracy": search.score(X[20:], y[20:]), "odd": math.nan}
        tracker.log_held_out(metrics, X[20:], y[20:], primary="accuracy")
    return tracker


def test_a_model_has_parameters_and_scores_with_their_data(searched, client, runs, experiment):
    model = logged(client, searched)
    assert model.name == experiment
    assert model.params["C"] in ("0.1", "1.0")
    assert model.tags["seqpipe.best_params"] == f"C {model.params['C']}"
    assert model.tags["seqpipe.held_out.primary"] == "held_out.accuracy"
    (refit,) = runs("refit")
    found = scores(model)
    assert found["held_out.accuracy"] == (refit.data.metrics["held_out.accuracy"], "plants (held out)")
    assert "held_out.odd" not in found  # MLflow would show 0
    assert math.isnan(refit.data.metrics["held_out.odd"])


def test_both_data_sets_are_inputs_of_the_run(searched, client, uri, experiment):
    given_ = client.get_run(searched.run_id_).inputs.dataset_inputs
    contexts = {each.tags[0].value: each.dataset.name for each in given_}
    assert contexts == {"training": "plants", "evaluation": "plants (held out)"}
    assert read_runs(experiment, uri, kinds=["search"])["data"].tolist() == ["plants"]


def test_the_metrics_of_a_fit_are_not_those_of_another_model(data, net, make_tracker, client):
    X, y = data
    with make_tracker() as tracker:
        net().set_callbacks(tracker).fit(X, y)
        tracker.log_held_out({"score": 0.5}, X, y)
        tracker.log_model(LogisticRegression().fit(X, y), X)
    assert scores(logged(client, tracker)) == {"held_out.score": (0.5, "data (held out)")}


def test_a_refused_request_doubles_nothing(data, make_tracker, client, monkeypatch):
    X, y = data
    with make_tracker(log_model=True) as tracker:
        LogisticRegression().set_callbacks(tracker).fit(X, y)
        publisher = tracker._writer._publisher
        send, refusals = publisher.client.log_batch, [MlflowException("busy"), MlflowException("busy")]

        def busy(run_id, **entries):
            send(run_id, **entries)
            if any(metric.model_id for metric in entries.get("metrics", ())) and refusals:
                raise refusals.pop()  # the answer is lost

        monkeypatch.setattr(publisher.client, "log_batch", busy)
        tracker.log_held_out({"score": 0.5}, X, y)
        with pytest.warns(TrackingWarning, match="kept and written again"):
            tracker.__exit__(None, None, None)
    assert scores(logged(client, tracker))["held_out.score"] == (0.5, "data (held out)")
    history = client.get_metric_history(tracker.run_id_, "held_out.score")
    assert [point.value for point in history] == [0.5]


def test_a_model_is_loaded_by_its_run_under_either_name(searched, uri, client, data):
    name = logged(client, searched).name
    for part in ("model", name):
        found, _ = load_model(f"runs:/{searched.refit_run_id_}/{part}", uri)
        assert np.shape(found.predict(data[0])) == (30,)


def test_the_metrics_of_a_fit_are_those_of_its_model(make_tracker, client):
    X = np.random.default_rng(0).normal(size=(20, 4, 2))
    tracker = make_tracker(log_model=True)
    SequenceClassifier(hidden_size=3, max_epochs=2).set_callbacks(tracker).fit(X, np.arange(20) % 2)
    model = logged(client, tracker)
    assert model.name.endswith("-gru-3")
    (last,) = (point.value for point in client.get_metric_history(tracker.run_id_, "train_loss") if point.step == 2)
    assert scores(model)["train_loss"] == (last, "training data")
