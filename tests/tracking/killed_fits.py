"""Kill tracked fits in forked processes, replay what they left, and count what is lost, doubled or in a wrong state.

Usage: ``python killed_fits.py URI PLAN``, where PLAN is a JSON list of ways to end, each ``[name, when, number]``: the process
gets SIGKILL before or after the given call of a method of MLflow's client, which then writes everything, or the given
transaction without it (``["transaction", "before", 2]``), or at a random moment (``["random", "", seed]``), or ends in another
way (``["sys.exit", "", 0]``, …). Prints one JSON object per way.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from sklearn.model_selection import GridSearchCV

sys.path.insert(0, str(Path(__file__).parent))
from conftest import Net

from seqpipe import reported
from seqpipe.tracking import MLflowTracker, _direct, sync
from seqpipe.tracking._direct import DirectWriter
from seqpipe.tracking._events import FoldScored, Reported
from seqpipe.tracking._store import open_client
from seqpipe.tracking._writer import Writer

X = np.random.default_rng(0).normal(size=(12, 2))
y = np.arange(12) % 2
#: Seconds of an epoch, so that a fit takes longer than a few writes.
_EPOCH = float(os.environ.get("SEQPIPE_TEST_EPOCH", "0.02"))


def _saved(estimator, X, folder, **options):
    """Stand in for a model, which takes MLflow long to describe."""
    from mlflow.models import Model

    folder.mkdir()
    Model().save(str(folder / "MLmodel"))
    (folder / "weights").write_bytes(bytes(1000))


def _kill_at_call(method, when, number):
    original, calls = getattr(MlflowClient, method), []

    def killing(self, *args, **options):
        calls.append(1)
        if len(calls) == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(self, *args, **options)
        if len(calls) == number and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(MlflowClient, method, killing)
    DirectWriter.of = lambda uri, experiment_id: None


def _kill_at_transaction(when, number):
    """Kill before the end of a transaction, or after it and before the outboxes are emptied."""
    original, calls = _direct.open_database, []

    @contextmanager
    def killing(*args, **options):
        calls.append(1)
        with original(*args, **options) as connection:
            yield connection
            if len(calls) == number and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        if len(calls) == number and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    _direct.open_database = killing


def _note_reports(file):
    """Write each reported point to a file of its own, once the writer has received it."""
    receive = Writer.receive

    def noting(self, event):
        receive(self, event)
        if isinstance(event, Reported):
            for key in event.metrics:
                os.write(file, f"{key} {event.step} {event.time}\n".encode())
        if isinstance(event, FoldScored):
            for key in event.scores:
                os.write(file, f"{key} 0 {event.time}\n".encode())

    Writer.receive = noting


def _fit(uri, experiment, way, reports):
    name, when, number = way
    import seqpipe.tracking._model

    seqpipe.tracking._model.save_model = _saved
    _note_reports(reports)
    if name == "random":
        pause = random.Random(number).uniform(0, 24 * _EPOCH + 1.5)
        threading.Timer(pause, os.kill, (os.getpid(), signal.SIGKILL)).start()
    elif name == "transaction":
        _kill_at_transaction(when, number)
    elif hasattr(MlflowClient, name):
        _kill_at_call(name, when, number)
    endings = {"exception": ValueError("no"), "sys.exit": SystemExit(3), "Ctrl-C": KeyboardInterrupt()}
    if name == "SIGTERM":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def on_epoch(epoch):
        time.sleep(_EPOCH)
        if name == "SIGTERM" and epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        if name == "SIGKILL" and epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    net = Net(fail=endings.get(name), on_epoch=on_epoch)
    with MLflowTracker(experiment, tracking_uri=uri) as tracker:
        search = GridSearchCV(net, {"cell": ["gru", "lstm"]}, cv=2, error_score="raise", scoring=reported("accuracy"))
        search.set_callbacks(tracker).fit(X, y)
        tracker.log_text("text", "notes/text.txt")
        tracker.log_metrics({"held_out": 1.0})
        tracker.log_held_out({"score": 1.0}, X, y)


def _forked(uri, experiment, way, reports):
    child = os.fork()
    if child == 0:
        warnings.simplefilter("ignore")
        try:
            _fit(uri, experiment, way, reports)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def half_trees(client, experiment):
    """Return finished runs over open ones, as the process left them."""
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id]) if found else []
    status = {run.info.run_id: run.info.status for run in runs}
    above = [run.data.tags.get("mlflow.parentRunId") for run in runs if run.info.status == "RUNNING"]
    return [f"finished over a running one: {parent}" for parent in above if status.get(parent) == "FINISHED"]


def counts(client, experiment, reports):
    """Return what is wrong in the store, and the statuses of the runs by their kinds."""
    wrong, statuses, stored = [], {}, Counter()
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id]) if found else []
    by_id = {run.info.run_id: run for run in runs}
    for run in runs:
        kind, tags = run.data.tags.get("seqpipe.kind"), run.data.tags
        statuses.setdefault(kind, []).append(run.info.status)
        for key in run.data.metrics:
            history = client.get_metric_history(run.info.run_id, key)
            stored.update((key, point.step, point.timestamp, run.info.run_id) for point in history)
            if "_score" in key and len(history) > 1:
                wrong.append(f"{kind} has {len(history)} points of {key}")
        if run.info.status == "RUNNING":
            wrong.append(f"{kind} is running")
        if run.info.status == "FINISHED" and "seqpipe.error" in tags:
            wrong.append(f"finished {kind} has an error")
        parent = by_id.get(tags.get("mlflow.parentRunId"))
        if kind != "search" and parent is None:
            wrong.append(f"{kind} has no parent")
        models = run.outputs.model_outputs if run.outputs else []
        if kind == "refit" and run.info.status == "FINISHED" and len(models) != 1:
            wrong.append(f"finished refit has {len(models)} models")
        if kind == "search" and run.info.status == "FINISHED" and not client.list_artifacts(run.info.run_id, "notes"):
            wrong.append("finished search has no artifact")
        if kind == "search" and run.info.status == "FINISHED":
            wrong += [
                f"model has {keys}"
                for keys in _scores_of_models(client, found.experiment_id)
                if "held_out.score" not in keys
            ]
    models = client.search_logged_models([found.experiment_id]) if found else []
    wrong += [f"model is {model.status}" for model in models if str(model.status) == "PENDING"]
    keys = Counter(run.data.tags["seqpipe.run"] for run in runs)
    wrong += [f"{number} runs {key}" for key, number in keys.items() if number > 1]
    expected = Counter(tuple(line.split()) for line in reports.read_text().splitlines())
    there = Counter((key, str(step), str(time)) for key, step, time, _ in stored.elements())
    lost = sum((expected - there).values())
    reported = {key for key, _, _ in expected}
    doubled = sum(number for (key, *_), number in (there - expected).items() if key in reported)
    return {"points": sum(expected.values()), "lost": lost, "doubled": doubled, "wrong": wrong, "statuses": statuses}


def _scores_of_models(client, experiment_id):
    """Return the names of the metrics of each model; each may occur once."""
    for model in client.search_logged_models([experiment_id]):
        keys = Counter(metric.key for metric in model.metrics or ())
        yield [key for key, number in keys.items() if number == 1]


def main(uri, plan):
    warnings.simplefilter("ignore")
    open_client(uri, create=True)
    for i, way in enumerate(plan):
        experiment = f"{i} {way[0]} {way[1]}"
        with tempfile.NamedTemporaryFile() as reports:
            status = _forked(uri, experiment, way, reports.fileno())
            begun = time.monotonic()
            half = half_trees(MlflowClient(uri), experiment)
            replayed = sync(uri)
            result = counts(MlflowClient(uri), experiment, Path(reports.name))
            result["wrong"] += half
        left = {"running": replayed.running, "failed": len(replayed.failed), "damaged": replayed.damaged}
        print(
            json.dumps({"way": way, "status": status, "seconds": time.monotonic() - begun, **left, **result}),
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
