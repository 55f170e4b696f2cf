"""Entries whose names MLflow does not accept unchanged, or that it rejects."""

import pytest
from mlflow.exceptions import MlflowException

from seqpipe.exceptions import TrackingWarning


def test_names_become_paths_that_mlflow_takes_and_none_merge(net, data, make_tracker, runs):
    with make_tracker(tags={"a//b": "x", "/../c": "y"}) as tracker:
        net().set_callbacks(tracker).fit(*data)
        tracker.log_metrics({"mae.a//b": 1.0, "open%": 1.0, "open$": 2.0})
        tracker.log_metrics({"open%": 3.0, "..": 4.0})

    (run,) = runs()
    assert (run.data.tags["a/b"], run.data.tags["c"]) == ("x", "y")
    metrics = run.data.metrics
    assert (metrics["mae.a/b"], metrics["open_"], metrics["_"]) == (1.0, 3.0, 4.0)
    assert [value for key, value in metrics.items() if key.startswith("open_-")] == [2.0]
    assert run.info.status == "FINISHED"


def test_an_entry_that_the_store_never_takes_is_named_and_costs_no_other(net, data, make_tracker, runs, client):
    with make_tracker() as tracker:
        net().set_callbacks(tracker).fit(*data)
        client.log_param(tracker.run_id_, "late", "before")
        tracker._tree.root.params |= {"late": "after", "good": "1"}
        tracker.log_metrics({"good": 3.0})
        tracker.log_text("x", "a/../../b.txt")
        with pytest.warns(TrackingWarning, match=r"Left out of the runs in .*Param 'late' \(Changing param values"):
            tracker.__exit__(None, None, None)

    (run,) = runs()
    assert (run.info.status, run.data.metrics["good"], run.data.params["good"]) == ("FINISHED", 3.0, "1")
    assert run.data.params["late"] == "before"
    assert [each.path for each in client.list_artifacts(run.info.run_id, "a")] == ["a/b.txt"]


def test_a_refusal_that_may_pass_is_no_reason_to_leave_anything_out(net, data, make_tracker, runs, monkeypatch):
    with make_tracker() as tracker:
        net().set_callbacks(tracker).fit(*data)
        publisher = tracker._writer._publisher
        log_batch, refusals = publisher.client.log_batch, [MlflowException("busy")]

        def busy_once(*args, **kwargs):
            if refusals:
                raise refusals.pop()
            return log_batch(*args, **kwargs)

        monkeypatch.setattr(publisher.client, "log_batch", busy_once)
        monkeypatch.setattr(publisher, "_direct", None)  # as of a server
        tracker.log_metrics({"good": 3.0})
        with pytest.warns(TrackingWarning, match="kept and written again"):
            tracker.__exit__(None, None, None)

    (run,) = runs()
    assert (run.info.status, run.data.metrics["good"]) == ("FINISHED", 3.0)
