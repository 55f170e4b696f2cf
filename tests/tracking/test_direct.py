"""Runs that are written straight to the tables of an embedded store, and those that MLflow's client writes."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from sklearn.model_selection import GridSearchCV

from seqpipe.tracking import MLflowTracker
from seqpipe.tracking._events import DataSeen, Event, FitBegan, FitEnded, Reported, RunBegan, RunEnded, SearchBegan
from seqpipe.tracking._experiment_id import experiment_id
from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._outcome import FINISHED, Outcome
from seqpipe.tracking._publish import Publisher
from seqpipe.tracking._tree import RunTree
from seqpipe.tracking._uri import database_path

#: Writes of runs by the client. A search is ended by it, after its view for the interface.
WRITES = ("create_run", "log_batch", "log_inputs", "update_run")
FOLD = "candidate-split-evaluation"


@pytest.fixture
def without_client(monkeypatch):
    """Make each write by MLflow's client an error."""

    def refuse(*args, **options):
        raise AssertionError("written by MLflow's client")

    for name in WRITES:
        monkeypatch.setattr(MlflowClient, name, refuse)


def test_a_search_in_an_embedded_store_needs_no_client(net, data, make_tracker, runs, without_client):
    GridSearchCV(net(), {"cell": ["gru", "lstm"]}, cv=2).set_callbacks(make_tracker()).fit(*data)

    assert [run.info.status for run in runs()] == ["FINISHED"] * 8


def events(tree, values, steps):
    """A search of one candidate and two folds, one of which failed."""
    common = {"tree": tree, "time": 1_000}
    dataset = DataSet("waves", "a" * 64, "b" * 64, 30, 2, 5, 9)
    yield DataSeen(**common, data=dataset)
    yield SearchBegan(**common, path=(), n_splits=2, searched=[{"cell": "gru"}])
    for number in range(2):
        path = (("search", 0), (FOLD, number))
        yield RunBegan(
            **common, path=path, worker=(1, number), params={"a/b": "x", "long": "y" * 6000}, tags={"t": "z" * 6000}
        )
        for value, step in zip(values, steps):
            yield Reported(
                tree=tree, time=1_000 + step, path=path, step=step, metrics={"loss": value, "a b%": 1.0}, tags={}
            )
        outcome = Outcome("FAILED", "ValueError: no") if number else FINISHED
        yield RunEnded(tree=tree, time=2_000, path=path, outcome=outcome)
    yield FitEnded(tree=tree, time=3_000, outcome=FINISHED, held=False)


def written(client, experiment, every: list[Event], *, directly: bool):
    """Write events in two rounds and return what is in the store of each run, without ids and signs of life."""
    identifier = experiment_id(client, experiment)
    publisher = Publisher(client, identifier)
    tree = RunTree(
        FitBegan(tree=every[0].tree, time=500, name="s", is_search=True, logs_model=False, params={"p": "1"}, tags={})
    )
    half = len(every) // 2
    for part in (every[:half], every[half:]):
        for event in part:
            tree.apply(event)
        if directly:
            publisher.write_directly(tree)
            assert not any(run.pending for run in tree.runs[1:])
        publisher.publish_tree(tree, lambda error: False)
    return [_contents(client, run.run_id, [run.parent and run.parent.run_id for run in tree.runs]) for run in tree.runs]


def _contents(client, run_id, parents):
    run = client.get_run(run_id)
    info = {
        name: getattr(run.info, name)
        for name in ("run_name", "status", "start_time", "end_time", "lifecycle_stage", "user_id")
    }
    parent = run.data.tags.get("mlflow.parentRunId")
    tags = {**run.data.tags, "seqpipe.heartbeat": "", "mlflow.parentRunId": parent and parents.index(parent)}
    history = {key: sorted(map(repr, client.get_metric_history(run_id, key))) for key in run.data.metrics}
    history = {key: [text.replace(run_id, "") for text in found] for key, found in history.items()}
    inputs = [
        (each.dataset.to_dictionary(), [(tag.key, tag.value) for tag in each.tags])
        for each in run.inputs.dataset_inputs
    ]
    latest = {key: repr(value) for key, value in run.data.metrics.items()}
    place = run.info.artifact_uri.replace(run_id, "").replace(run.info.experiment_id, "")
    return {
        **info,
        "tags": tags,
        "params": run.data.params,
        "latest": latest,
        "history": history,
        "inputs": inputs,
        "at": place,
    }


@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(st.floats(), st.integers(0, 3)), max_size=6))
def test_the_store_has_the_same_as_if_the_client_had_written(client, points):
    values, steps = [value for value, _ in points], [step for _, step in points]
    every = list(events(uuid4(), values, steps))
    direct = written(client, "same", every, directly=True)
    assert direct == written(client, "same", every, directly=False)


def test_tables_that_are_not_known_are_left_to_the_client(net, data, own_uri, monkeypatch):
    with closing(sqlite3.connect(database_path(own_uri))) as connection, connection:
        connection.execute("ALTER TABLE runs ADD COLUMN colour VARCHAR(9)")
    log_batch, calls = MlflowClient.log_batch, []
    monkeypatch.setattr(MlflowClient, "log_batch", lambda *args, **options: calls.append(log_batch(*args, **options)))
    tracker = MLflowTracker("other", tracking_uri=own_uri, log_model=False)
    net().set_callbacks(tracker).fit(*data)

    run = MlflowClient(own_uri).get_run(tracker.run_id_)
    assert (run.info.status, run.data.metrics["fit_seconds"]) == ("FINISHED", 0.5)
    assert calls


def test_a_database_that_another_process_locks_gets_everything_later(net, data, own_uri):
    begun = threading.Event()

    def lock():
        with closing(sqlite3.connect(database_path(own_uri), timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            begun.set()
            time.sleep(1.5)

    def on_epoch(epoch):
        if epoch == 2:
            thread.start()
            begun.wait()

    thread = threading.Thread(target=lock)
    tracker = MLflowTracker("locked", tracking_uri=own_uri, log_model=False)
    net(on_epoch=on_epoch).set_callbacks(tracker).fit(*data)
    thread.join()

    run = MlflowClient(own_uri).get_run(tracker.run_id_)
    assert (run.info.status, run.data.metrics["fit_seconds"]) == ("FINISHED", 0.5)


def test_a_run_that_was_deleted_meanwhile_is_left_to_the_client(client):
    publisher = Publisher(client, experiment_id(client, "deleted"))
    tree = RunTree(FitBegan(tree=uuid4(), time=500, name="s", is_search=False, logs_model=False, params={}, tags={}))
    assert publisher.write_directly(tree)
    client.delete_run(tree.root.run_id)
    tree.root.add_points({"late": 1.0}, 600)
    assert not publisher.write_directly(tree)
    assert tree.root.pending == 1
