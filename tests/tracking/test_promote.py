"""Models with names: registered, compared with the present one, refused or promoted, and loaded by alias."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

sys.path.insert(0, str(Path(__file__).parent))
from mlflow_server import MLflowServer

from seqpipe.exceptions import TrackingError
from seqpipe.tracking import MLflowTracker, load_model, promote
from seqpipe.tracking.serving import load_served

pytestmark = pytest.mark.live_tree
long = pytest.mark.skipif(not os.environ.get("SEQPIPE_FAULTS"), reason="has a store of its own: set SEQPIPE_FAULTS")


@pytest.fixture
def fit(data, uri, experiment):
    """Record a fit with a held-out score."""
    X, y = data

    def fit(score=0.5, *, held_out=10, greater_is_better=True, primary="accuracy", name=experiment, **options):
        options = {"tags": {"dataset": "plants", "seqpipe.task": "classify"}, **options}
        with MLflowTracker(name, tracking_uri=uri, **options) as tracker:
            fitted = LogisticRegression().set_callbacks(tracker).fit(X[:20], y[:20])
            if score is not None:
                metrics = {"accuracy": score, "log_loss": 1 - score}
                direction = {"primary": primary, "greater_is_better": greater_is_better}
                tracker.log_held_out(metrics, X[-held_out:], y[-held_out:], **direction)
        tracker.fitted = fitted
        return tracker

    return fit


def test_the_first_model_gets_name_alias_and_card(fit, uri, client, data, experiment):
    tracker = fit(0.9)
    done = promote(tracker.run_id_[:12], tracking_uri=uri)
    assert (done.version, done.alias, done.previous) == ("1", "champion", None)
    assert done.model_uri == f"models:/{done.name}@champion"

    for model in (done.model_uri, f"models:/{done.name}/1"):
        found, _ = load_model(model, uri)
        np.testing.assert_array_equal(found.predict(data[0]), tracker.fitted.predict(data[0]))
    assert load_served(done.model_uri, uri).estimator.coef_.tolist() == tracker.fitted.coef_.tolist()

    version = client.get_model_version(done.name, "1")
    assert version.run_id == tracker.run_id_
    card = client.download_artifacts(tracker.run_id_, "model_card.md")
    with open(card, encoding="utf-8") as file:
        assert file.read() == version.description
    for part in ("'plants', 20 samples", "'plants (held out)', 10 samples", "classify", "0.9", done.model_uri):
        assert part in version.description


def test_a_worse_model_is_refused_unless_forced(fit, uri, client):
    first = promote(fit(0.9).run_id_, tracking_uri=uri)
    worse = fit(0.8)
    with pytest.raises(TrackingError, match=r"is worse than 'champion', version 1 .*accuracy 0.8 against 0.9; greater"):
        promote(worse.model_uri_, tracking_uri=uri)
    assert len(client.search_model_versions(f"name = '{first.name}'")) == 1
    assert "model_card.md" not in {each.path for each in client.list_artifacts(worse.run_id_)}

    forced = promote(worse.model_uri_, tracking_uri=uri, force=True)
    assert (forced.version, forced.previous) == ("2", "1")
    again = promote(fit(0.8).run_id_, tracking_uri=uri)  # as good as the present one
    assert (again.version, again.previous) == ("3", "2")


def test_of_an_error_the_smaller_is_better(fit, uri):
    errors = {"primary": "log_loss", "greater_is_better": False}
    promote(fit(0.8, **errors).run_id_, tracking_uri=uri)
    with pytest.raises(TrackingError, match="log_loss 0.3 against 0.2; smaller is better"):
        promote(fit(0.7, **errors).run_id_, tracking_uri=uri)
    assert promote(fit(0.9, **errors).run_id_, tracking_uri=uri).version == "2"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"held_out": 9}, r"different held-out data, 'plants \(held out\)' \(.*\) and 'plants"),
        ({"score": float("nan")}, "has no held_out.accuracy, by which it would be compared"),
    ],
)
def test_what_cannot_be_compared_is_refused(fit, uri, options, reason):
    promote(fit(0.1).run_id_, tracking_uri=uri)
    tracker = fit(**{"score": 0.9, **options})
    with pytest.raises(TrackingError, match=rf"{reason}.*Nothing was changed. With --force"):
        promote(tracker.run_id_, tracking_uri=uri)
    assert promote(tracker.run_id_, tracking_uri=uri, force=True).previous == "1"


def test_a_present_model_without_scores_cannot_be_compared(fit, uri, client):
    done = promote(fit(None).run_id_, tracking_uri=uri)
    assert done.scores == "no held-out score"
    assert "not scored on held-out data" in client.get_model_version(done.name, "1").description
    with pytest.raises(TrackingError, match="version 1 of .*, which has no held-out score"):
        promote(fit(0.9).run_id_, tracking_uri=uri)


def test_promoting_again_changes_nothing(fit, uri, client):
    tracker = fit(0.9)
    first, again = (promote(tracker.run_id_, tracking_uri=uri) for _ in range(2))
    assert (again.version, again.previous) == (first.version, first.version) == ("1", "1")
    challenger = promote(first.model_uri, alias="challenger", tracking_uri=uri)
    assert (challenger.version, challenger.previous) == ("1", None)
    assert set(client.get_registered_model(first.name).aliases) == {"champion", "challenger"}


def test_of_an_experiment_the_newest_finished_fit_is_meant(fit, uri, experiment):
    fit(0.5)
    newest = fit(0.6)
    assert promote(experiment, tracking_uri=uri, name="by name").run_id == newest.run_id_


def test_the_search_of_a_refit_is_described(data, uri, experiment, client):
    X, y = data
    with MLflowTracker(experiment, tracking_uri=uri) as tracker:
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).set_callbacks(tracker).fit(X[:20], y[:20])
        tracker.log_held_out({"accuracy": 0.7}, X[20:], y[20:], primary="accuracy")
    for source in (tracker.run_id_, tracker.refit_run_id_):
        done = promote(source, tracking_uri=uri)
    assert (done.version, done.run_id) == ("1", tracker.run_id_)
    card = client.get_model_version(done.name, "1").description
    assert "2 candidates (C 0.1, 1.0), ranked by the score of the estimator\n- the best candidate: C " in card
    (fold, *_) = client.search_runs([tracker.experiment_id_], "tags.`seqpipe.kind` = 'fold'")
    with pytest.raises(TrackingError, match="has no model. A fold has none: give the search"):
        promote(fold.info.run_id, tracking_uri=uri)


def test_a_run_without_a_model_is_an_error(fit, uri):
    tracker = fit(0.5, log_model=False)
    with pytest.raises(
        TrackingError, match=r"has no model. It has not finished, models are not logged \('tracking.log"
    ):
        promote(tracker.run_id_, tracking_uri=uri)


@pytest.mark.parametrize("source", ["0" * 32, "nothing", "models:/m-0123", "models:/nothing@champion", "runs:/0123x"])
def test_what_is_not_there_is_an_error(uri, client, source):
    with pytest.raises(TrackingError, match=f"There is no run, model or experiment '{source}' in .*Give the first"):
        promote(source, tracking_uri=uri)


def test_a_name_close_to_an_experiment_is_asked_about(fit, uri, experiment):
    fit(0.5)
    with pytest.raises(TrackingError, match=f"Did you mean '{experiment}'"):
        promote(f"{experiment}s", tracking_uri=uri)


def test_an_ambiguous_beginning_of_an_id_lists_the_runs(fit, uri, client):
    fit(0.5)
    ids = [run.info.run_id for run in client.search_runs([each.experiment_id for each in client.search_experiments()])]
    firsts = [run_id[0] for run_id in ids]
    several = next((first for first in firsts if firsts.count(first) > 1), None)
    if several is not None:
        with pytest.raises(TrackingError, match=f"Several runs have ids that begin with '{several}'"):
            promote(several, tracking_uri=uri)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"name": "a/b"}, "cannot be registered as 'a/b'"),
        ({"alias": "latest"}, "registry of .* refused the request .*alias"),
    ],
)
def test_names_that_the_registry_does_not_take_are_refused(fit, uri, options, reason):
    with pytest.raises(TrackingError, match=reason):
        promote(fit(0.5).run_id_, tracking_uri=uri, **options)


def test_a_store_without_a_registry_is_an_error(fit, uri, monkeypatch):
    tracker = fit(0.5)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "nothing://here")
    with pytest.raises(TrackingError, match="has no model registry .*Databases and MLflow servers have one"):
        promote(tracker.run_id_, tracking_uri=uri)


@long
def test_a_promoted_model_of_a_moved_store_is_found(data, tmp_path):
    X, y = data
    uri = f"sqlite:///{tmp_path / 'here' / 'mlflow.db'}"
    with MLflowTracker("moved", tracking_uri=uri) as tracker:
        LogisticRegression().set_callbacks(tracker).fit(X, y)
    done = promote("moved", tracking_uri=uri)
    del tracker
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = f"sqlite:///{tmp_path / 'there' / 'mlflow.db'}"
    with pytest.warns(match="paths of its artifacts were changed"):
        found, _ = load_model(done.model_uri, moved)
    assert found.predict(X).shape == (30,)


@long
def test_a_model_on_a_server_is_promoted_and_loaded(data, tmp_path, monkeypatch):
    X, y = data
    monkeypatch.setenv("SEQPIPE_JOURNAL", str(tmp_path / "journals"))
    server = MLflowServer(tmp_path)
    server.start()
    try:
        with MLflowTracker("remote", tracking_uri=server.uri) as tracker:
            fitted = LogisticRegression().set_callbacks(tracker).fit(X[:20], y[:20])
            tracker.log_held_out({"accuracy": 0.7}, X[20:], y[20:], primary="accuracy")
        done = promote("remote", tracking_uri=server.uri)
        found, _ = load_model(done.model_uri, server.uri)
        np.testing.assert_array_equal(found.predict(X), fitted.predict(X))
    finally:
        server.kill()
