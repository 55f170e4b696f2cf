"""Several fits as the children of one run: loops, cross-validation, nested searches."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate, learning_curve

from seqpipe.exceptions import TrackingError, TrackingWarning
from seqpipe.tracking import read_runs, sync

ALL = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")


@pytest.fixture(params=["alone", "processes", "threads"] if ALL else ["processes"])
def n_jobs(request):
    with parallel_config(backend="threading") if request.param == "threads" else nullcontext():
        yield 1 if request.param == "alone" else 2


def assert_children(found, kinds):
    """Check the kinds of the runs, that all have finished, and that each lies within its parent in time."""
    assert Counter(run.data.tags["seqpipe.kind"] for run in found) == kinds
    assert {run.info.status for run in found} == {"FINISHED"}
    assert sum("mlflow.parentRunId" not in run.data.tags for run in found) == 1
    spans = {run.info.run_id: (run.info.start_time, run.info.end_time) for run in found}
    for run in found:
        if "mlflow.parentRunId" in run.data.tags:
            start, end = spans[run.data.tags["mlflow.parentRunId"]]
            assert start <= run.info.start_time <= run.info.end_time <= end


def test_a_loop_of_fits_is_one_tree(net, data, make_tracker, runs, client):
    tracker = make_tracker(tags={"dataset": "sensors"})
    with tracker.group("three sizes") as same:
        for size in (4, 6, 16):
            net(hidden_size=size).set_callbacks(tracker).fit(*data)
        tracker.log_metrics({"mean_score": 0.5})

    assert same is tracker
    assert_children(runs(), {"group": 1, "fit": 3})
    (group,), fits = runs("group"), runs("fit")
    assert (group.info.run_name, group.info.run_id) == ("three sizes", tracker.run_id_)
    assert group.data.metrics == {"mean_score": 0.5}
    assert sorted((run.info.run_name, run.data.params["hidden_size"]) for run in fits) == [
        ("Net: gru · 16 (3)", "16"),
        ("Net: gru · 4 (1)", "4"),
        ("Net: gru · 6 (2)", "6"),
    ]
    for run in fits:
        assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 3
        assert run.inputs.dataset_inputs[0].dataset.name == "sensors"
        assert run.data.metrics["n_parameters"] == 5


@pytest.mark.live_tree
def test_cross_validation_is_one_tree_with_curves(net, data, make_tracker, runs, client, n_jobs):
    tracker = make_tracker()
    with tracker.group("cross-validation"):
        scores = cross_validate(net().set_callbacks(tracker), *data, cv=3, n_jobs=n_jobs)

    assert len(scores["test_score"]) == 3
    assert_children(runs(), {"group": 1, "fit": 3})
    assert len({run.inputs.dataset_inputs[0].dataset.digest for run in runs("fit")}) == 3
    for run in runs("fit"):
        assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 3


@pytest.mark.live_tree
def test_nested_cross_validation_has_a_search_per_split(net, data, make_tracker, runs):
    tracker = make_tracker()
    with tracker.group("nested"):
        search = GridSearchCV(net(max_epochs=1), {"cell": ["gru", "lstm"]}, cv=2)
        cross_val_score(search.set_callbacks(tracker), *data, cv=2)

    assert_children(runs(), {"group": 1, "search": 2, "candidate": 4, "fold": 8, "refit": 2})


@pytest.mark.live_tree
@pytest.mark.skipif(not ALL, reason="long; make faults runs it")
def test_a_learning_curve_has_a_fit_per_size_and_split(net, data, make_tracker, runs):
    tracker = make_tracker()
    with tracker.group("learning curve"):
        learning_curve(net(max_epochs=1).set_callbacks(tracker), *data, cv=2, train_sizes=[0.5, 1.0], shuffle=True)

    assert_children(runs(), {"group": 1, "fit": 4})


def test_a_group_is_in_the_store_while_it_runs(net, data, make_tracker, runs):
    tracker, seen = make_tracker(), []

    def look(epoch):
        tracker._writer.drain()
        seen.append({run.info.run_name: (run.info.status, run.data.metrics.get("train_loss")) for run in runs()})

    with tracker.group("loop"):
        for _ in range(2):
            net(max_epochs=2, on_epoch=look).set_callbacks(tracker).fit(*data)

    assert seen[1] == {"loop": ("RUNNING", None), "Net: gru · 8 (1)": ("RUNNING", 1.0)}
    assert seen[3] == {
        "loop": ("RUNNING", None),
        "Net: gru · 8 (1)": ("FINISHED", 0.5),
        "Net: gru · 8 (2)": ("RUNNING", 1.0),
    }


def run_trial(tracker, model, data, size):
    with tracker.group(f"size {size}", {"hidden_size": size}):
        score = cross_val_score(model.set_params(hidden_size=size).set_callbacks(tracker), *data, cv=2).mean()
        tracker.log_metrics({"score": score})
        tracker.set_tags({"trial": size})
        with pytest.raises(TrackingError, match="only by the process that began"):
            tracker.log_text("text", "text.txt")


@pytest.mark.live_tree
def test_groups_in_worker_processes_are_children_of_the_group(net, data, make_tracker, runs, client):
    tracker = make_tracker()
    with tracker.group("trials"):
        Parallel(2)(delayed(run_trial)(tracker, net(), data, size) for size in (4, 6))

    assert_children(runs(), {"group": 3, "fit": 4})
    [outer, *trials] = sorted(runs("group"), key=lambda run: run.info.run_name == "trials", reverse=True)
    for run in trials:
        assert run.data.tags["mlflow.parentRunId"] == outer.info.run_id
        size = run.data.tags["trial"]
        assert (run.info.run_name.removesuffix(" (1)").removesuffix(" (2)"), run.data.params) == (
            f"size {size}",
            {"hidden_size": size},
        )
        assert run.data.metrics["score"] == 0.5
        fits = [fit for fit in runs("fit") if fit.data.tags["mlflow.parentRunId"] == run.info.run_id]
        assert [fit.data.params["hidden_size"] for fit in fits] == [size] * 2
        for fit in fits:
            assert len(client.get_metric_history(fit.info.run_id, "train_loss")) == 3


def test_after_a_group_each_fit_has_its_own_tree_again(net, data, make_tracker, runs):
    tracker = make_tracker()
    model = net(max_epochs=1).set_callbacks(tracker)
    with tracker.group("first"):
        model.fit(*data)
    model.fit(*data)
    with tracker.group("second"):
        model.fit(*data)

    assert Counter("mlflow.parentRunId" in run.data.tags for run in runs("fit")) == {True: 2, False: 1}


@pytest.mark.parametrize(("error", "status"), [(ValueError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_group_ends_as_its_block_does(net, data, make_tracker, runs, error, status):
    tracker = make_tracker()

    def loop():
        with tracker.group("loop"):
            net().set_callbacks(tracker).fit(*data)
            net(fail=error).set_callbacks(tracker).fit(*data)

    with pytest.raises(type(error)):
        loop()

    assert [run.info.status for run in runs("group")] == [status]
    assert sorted(run.info.status for run in runs("fit")) == sorted(["FINISHED", status])


def test_a_fit_that_fails_within_a_group_may_be_passed_over(net, data, make_tracker, runs):
    tracker = make_tracker()
    with tracker.group("loop"):
        for fail in (None, ValueError("no")):
            try:
                net(fail=fail).set_callbacks(tracker).fit(*data)
            except ValueError:
                continue

    assert [run.info.status for run in runs("group")] == ["FINISHED"]
    assert sorted(run.info.status for run in runs("fit")) == ["FAILED", "FINISHED"]


def test_a_group_within_a_group_is_one_of_its_children(net, data, make_tracker, runs):
    tracker = make_tracker()
    with tracker.group("outer"):
        for name in ("first", "second"):
            with tracker.group(name):
                net(max_epochs=1).set_callbacks(tracker).fit(*data)
                tracker.log_metrics({"score": 0.5})
        tracker.log_metrics({"best": 1.0})

    assert_children(runs(), {"group": 3, "fit": 2})
    by_name = {run.info.run_name: run for run in runs("group")}
    assert {name: run.data.metrics for name, run in by_name.items()} == {
        "outer": {"best": 1.0},
        "first": {"score": 0.5},
        "second": {"score": 0.5},
    }
    assert by_name["second"].data.tags["mlflow.parentRunId"] == by_name["outer"].info.run_id == tracker.run_id_
    parents = {run.data.tags["mlflow.parentRunId"] for run in runs("fit")}
    assert parents == {by_name[name].info.run_id for name in ("first", "second")}


def test_a_group_without_fits_warns(net, data, make_tracker):
    with pytest.warns(TrackingWarning, match="No fit was recorded"), make_tracker().group("empty"):
        net().fit(*data)


def test_a_group_that_is_continued_doubles_nothing(net, data, make_tracker, runs, tmp_path):
    X, y = data

    def loop(stop_at):
        epochs = iter(range(100))

        def on_epoch(epoch):
            if next(epochs) == stop_at:
                raise KeyboardInterrupt

        tracker = make_tracker(continues=tmp_path)
        with tracker.group("loop"):
            for size in (4, 8):
                for part in (slice(0, 20), slice(5, 30)):
                    net(hidden_size=size, on_epoch=on_epoch).set_callbacks(tracker).fit(X[part], y[part])
            net(hidden_size=8, on_epoch=on_epoch).set_callbacks(tracker).fit(X[:20], y[:20])

    with pytest.raises(KeyboardInterrupt):
        loop(stop_at=7)
    before = {run.info.run_id: run.data.params for run in runs("fit")}
    loop(None)

    assert_children(runs(), {"group": 1, "fit": 5})
    assert {run.info.run_id for run in runs("fit")} > set(before)
    for run in runs("fit"):
        assert run.data.params == before.get(run.info.run_id, run.data.params)
        assert run.data.metrics["train_loss"] == 1 / 3


def test_runs_of_a_group_are_read_as_tables(net, data, make_tracker, uri, experiment):
    tracker = make_tracker()
    with tracker.group("loop"):
        net().set_callbacks(tracker).fit(*data)

    [group] = read_runs(experiment, uri, kinds=["group"])["run_id"]
    assert read_runs(experiment, uri, kinds=["fit"])["parent"].tolist() == [group]
    assert np.isfinite(read_runs(experiment, uri, kinds=["group"])["seconds"]).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_runs_of_a_killed_group_are_ended_by_the_next_process(net, data, make_tracker, runs, uri, client, in_child):
    def killed():
        epochs = iter(range(100))

        def on_epoch(epoch):
            if next(epochs) == 4:
                os.kill(os.getpid(), signal.SIGKILL)

        tracker = make_tracker()
        with tracker.group("loop"):
            for _ in range(2):
                net(on_epoch=on_epoch).set_callbacks(tracker).fit(*data)

    assert in_child(killed) == -signal.SIGKILL
    sync(uri)
    assert [run.info.status for run in runs("group")] == ["KILLED"]
    first, second = sorted(runs("fit"), key=lambda run: run.info.run_name)
    assert [first.info.status, second.info.status] == ["FINISHED", "KILLED"]
    assert {run.data.tags["mlflow.parentRunId"] for run in runs("fit")} == {runs("group")[0].info.run_id}
    assert [len(client.get_metric_history(run.info.run_id, "train_loss")) for run in (first, second)] == [3, 1]
