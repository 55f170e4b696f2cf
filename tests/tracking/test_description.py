"""Descriptions of fits, baselines, and colours, as they stand in the store."""

import json
from pathlib import Path

import pytest
from mlflow.artifacts import download_artifacts
from sklearn.model_selection import GridSearchCV

pytestmark = pytest.mark.live_tree


def test_a_search_is_described_in_words(net, data, make_tracker, runs):
    with make_tracker(tags={"dataset": "waves"}) as tracker:
        search = GridSearchCV(net(), {"cell": ["gru", "lstm"], "hidden_size": [4]}, cv=3)
        search.set_callbacks(tracker).fit(*data)
        tracker.log_baseline("most frequent", {"accuracy": 0.5})
        tracker.log_metrics({"held_out.accuracy": 0.75, "other": 1.0})

    (parent,) = runs("search")
    score = f"{search.best_score_:.4g}"
    assert parent.data.tags["mlflow.note.content"].split("\n\n") == [
        "**Data:** waves, 30 samples, 4 features",
        "**Searched:** cell (gru, lstm), hidden_size (4): 2 candidates in 3 folds",
        f"**Best:** gru · 4, {score} ± 0 over the folds; 0 better than the next, lstm · 4",
        "**On held-out data:** accuracy 0.75",
        "**Baselines on the same data:** most frequent (accuracy 0.5)",
    ]
    assert (parent.data.params["cell"], parent.data.params["hidden_size"]) == ("gru, lstm", "4")


def test_a_description_by_the_user_stays(net, data, make_tracker, runs):
    net().set_callbacks(make_tracker(tags={"mlflow.note.content": "mine"})).fit(*data)
    assert runs()[0].data.tags["mlflow.note.content"] == "mine"


def test_a_baseline_is_a_run_beside_the_models(net, data, make_tracker, runs):
    with make_tracker() as tracker:
        net().set_callbacks(tracker).fit(*data)
        tracker.log_baseline("most frequent", {"accuracy": 0.5})

    (baseline,), (fit,) = runs("baseline"), runs("fit")
    assert (baseline.info.run_name, baseline.info.status) == ("baseline: most frequent", "FINISHED")
    assert baseline.data.tags["mlflow.parentRunId"] == fit.info.run_id
    assert baseline.data.metrics == {"held_out.accuracy": 0.5}


def test_cells_that_are_compared_have_colours(net, data, make_tracker, runs):
    GridSearchCV(net(), {"cell": ["gru", "lstm"]}, cv=2).set_callbacks(make_tracker()).fit(*data)

    colours = {
        cell: {run.data.tags["mlflow.runColor"] for run in runs() if run.data.params.get("cell") == cell}
        for cell in ("gru", "lstm")
    }
    assert [len(each) for each in colours.values()] == [1, 1]
    assert colours["gru"] != colours["lstm"]
    (refit,) = runs("refit")
    assert (refit.info.run_name, {refit.data.tags["mlflow.runColor"]}) == ("refit: gru", colours["gru"])


def test_candidates_of_one_cell_keep_the_colours_of_mlflow(net, data, make_tracker, runs):
    GridSearchCV(net(), {"hidden_size": [4, 8]}, cv=2).set_callbacks(make_tracker()).fit(*data)
    assert not any("mlflow.runColor" in run.data.tags for run in runs())


def test_parameters_are_those_that_differ_and_a_file_has_all(net, data, make_tracker, runs):
    tracker = make_tracker()
    GridSearchCV(net(max_epochs=2), {"cell": ["gru"]}, cv=2).set_callbacks(tracker).fit(*data)

    for run in (*runs("candidate"), *runs("fold")):
        assert run.data.params == {"cell": "gru", "max_epochs": "2"}
        assert run.data.tags["seqpipe.cell"] == "gru"
    every = json.loads(Path(download_artifacts(f"{tracker.artifact_uri_}/parameters.json")).read_text())
    assert (every["estimator__hidden_size"], every["estimator__max_epochs"], every["cv"]) == ("8", "2", "2")
