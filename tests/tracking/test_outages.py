"""A store that refuses, hangs, is killed, is locked or full, during a fit and after it."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sklearn.model_selection import GridSearchCV

sys.path.insert(0, str(Path(__file__).parent))
from mlflow_server import MLflowServer
from test_replay import CALLS, ENDINGS, check, end_in

from seqpipe.exceptions import TrackingError, TrackingWarning
from seqpipe.tracking import MLflowTracker, read_runs, sync
from seqpipe.tracking._experiment_id import experiment_id
from seqpipe.tracking._process import BEAT, process_tags
from seqpipe.tracking._stale import close_stale_runs

#: How often each long test is repeated.
REPETITIONS = int(os.environ.get("SEQPIPE_FAULTS") or 0)
#: Seconds that the end of a fit may take beyond those that it waits for a store: a busy machine.
SLACK = 10.0
EPOCHS = 4

pytestmark = pytest.mark.live_tree
long = pytest.mark.skipif(not REPETITIONS, reason="takes minutes: set SEQPIPE_FAULTS to the number of repetitions")
repeated = pytest.mark.parametrize("repetition", range(REPETITIONS))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQPIPE_JOURNAL", str(folder / "journals"))
        server = MLflowServer(folder)
        server.start()
        yield server
        server.kill()


@pytest.fixture
def tracker_of(experiment):
    """Make trackers; their journals are deleted after the test, since another one counts those of running processes."""
    made = []

    def make(uri, **options):
        made.append(MLflowTracker(experiment, tracking_uri=uri, log_model=False, **options))
        return made[-1]

    yield make
    for tracker in made:
        if tracker._writer is not None:
            tracker._writer.stop()


@contextlib.contextmanager
def told(pattern):
    """Check that a warning of tracking matches; others may come before it on a slow machine."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", TrackingWarning)
        yield
    assert any(re.search(pattern, str(each.message)) for each in found), [str(each.message) for each in found]


def search(net, data, tracker, on_epoch=None, seconds=0.0):
    """Fit a search of two candidates, two folds and a refit; return the seconds that the end of the fit took."""
    began = []

    def on_each(epoch):
        if on_epoch is not None:
            on_epoch(epoch)
        time.sleep(seconds)
        began[:] = [time.monotonic()]

    estimator = net(max_epochs=EPOCHS, on_epoch=on_each)
    GridSearchCV(estimator, {"cell": ["gru", "lstm"]}, cv=2).set_callbacks(tracker).fit(*data)
    return time.monotonic() - began[0]


def drain(tracker):
    """Wait until the store has everything."""
    deadline = time.monotonic() + 120
    while tracker._writer.drain():
        assert time.monotonic() < deadline, tracker._writer.failure


def check_complete(uri, experiment):
    """Check that each run is there once, finished, and each of its points once."""
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    kinds = Counter(run.data.tags["seqpipe.kind"] for run in runs)
    assert kinds == {"search": 1, "candidate": 2, "fold": 4, "refit": 1}
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        if run.data.tags["seqpipe.kind"] in ("fold", "refit"):
            curve = client.get_metric_history(run.info.run_id, "train_loss")
            assert sorted(point.step for point in curve) == list(range(1, EPOCHS + 1))


def test_a_server_that_hangs_in_a_fit_and_after_it_loses_nothing(server, net, data, tracker_of, experiment):
    tracker = tracker_of(server.uri)
    tracker._open_writer().timeout = 1.0

    def on_epoch(epoch):
        if epoch == 2:
            server.hang()

    with told(r"not written.*journal.*seqpipe sync --uri"):
        search(net, data, tracker, on_epoch)
    server.go_on()
    drain(tracker)
    check_complete(server.uri, experiment)


def test_a_server_that_was_used_before_and_is_gone_does_not_stop_a_fit(server, net, data, tracker_of, experiment):
    MLflowTracker(f"{experiment} before", tracking_uri=server.uri)._open_writer()._open()
    tracker = tracker_of(server.uri)
    tracker._open_writer().timeout = 1.0
    server.hang()
    try:
        with told("kept and written again|not written"):
            search(net, data, tracker)
        with pytest.raises(TrackingError, match="has no id"):
            _ = tracker.run_id_
    finally:
        server.go_on()
    drain(tracker)
    check_complete(server.uri, experiment)
    assert tracker.run_id_ in set(read_runs(experiment, server.uri, kinds=["search"])["run_id"])


def test_stale_runs_of_a_server_are_closed_unless_their_process_gave_a_sign_of_life(server):
    client = MlflowClient(server.uri)
    experiment = experiment_id(client, "stale")
    now = time.time_ns() // 1_000_000
    elsewhere = {**process_tags(), "seqpipe.host": "elsewhere"}
    tags = {
        "silent for an hour": {**elsewhere, BEAT: str(now - 3_600_000)},
        "heard of": {**elsewhere, BEAT: str(now)},
        "gone": {**process_tags(), "seqpipe.process_start": "1.0", BEAT: str(now)},
        "own": {**process_tags(), BEAT: str(now - 3_600_000)},
        "same name": {
            **process_tags(),
            "seqpipe.pid_namespace": "other",
            "seqpipe.process_start": "1.0",
            BEAT: str(now),
        },
    }
    made = {name: client.create_run(experiment, tags=each).info.run_id for name, each in tags.items()}
    model = client.create_logged_model(experiment, "model", source_run_id=made["gone"])

    close_stale_runs(client, [experiment])
    closed = {name for name, run_id in made.items() if client.get_run(run_id).info.status == "KILLED"}
    assert closed == {"silent for an hour", "gone"}
    assert str(client.get_logged_model(model.model_id).status) == "FAILED"


def test_a_run_that_was_closed_while_its_process_slept_is_opened_again(server, net, data, tracker_of, experiment):
    client = MlflowClient(server.uri)

    def on_epoch(epoch):
        if epoch == 2:
            client.set_tag(tracker.run_id_, "seqpipe.error", "process ended without closing the run")
            client.set_terminated(tracker.run_id_, "KILLED")
            tracker._tree.root.doubtful = True

    tracker = tracker_of(server.uri)
    net(on_epoch=on_epoch).set_callbacks(tracker).fit(*data)
    run = client.get_run(tracker.run_id_)
    assert (run.info.status, run.data.tags.get("seqpipe.error")) == ("FINISHED", None)


def test_a_run_that_was_created_though_its_answer_was_lost_is_not_created_again(
    server, net, data, tracker_of, experiment, monkeypatch
):
    create, lost = MlflowClient.create_run, []

    def create_and_lose(self, *args, **options):
        made = create(self, *args, **options)
        if len(lost) < 3:
            lost.append(made)
            raise ConnectionError("reset by peer")
        return made

    tracker = tracker_of(server.uri)
    tracker._open_writer()._open()
    monkeypatch.setattr(MlflowClient, "create_run", create_and_lose)
    with told("kept and written again"):
        search(net, data, tracker)
    check_complete(server.uri, experiment)


def test_a_twin_that_a_late_answer_made_is_deleted(server, net, data, tracker_of, experiment):
    client = MlflowClient(server.uri)
    tracker = tracker_of(server.uri)

    def on_epoch(epoch):
        if epoch == 2:
            key = {"seqpipe.run": tracker._tree.root.key, **process_tags()}
            client.create_run(tracker.experiment_id_, tags=key)
            tracker._tree.root.may_have_twin = True

    net(on_epoch=on_epoch).set_callbacks(tracker).fit(*data)
    runs = client.search_runs([tracker.experiment_id_])
    assert [run.info.run_id for run in runs] == [tracker.run_id_]


@pytest.mark.parametrize(
    "place", ["/proc/mlflow.db", "/proc/none/mlflow.db", "/dev/null/mlflow.db", "/dev/full/mlflow.db"]
)
@pytest.mark.skipif(sys.platform != "linux", reason="paths of Linux")
def test_a_place_where_no_store_can_be_is_an_error_at_once(place, net, data):
    with pytest.raises(TrackingError, match=r"cannot be used \((FileNotFound|NotADirectory|FileExists|Permission|OS)"):
        net().set_callbacks(MLflowTracker(tracking_uri=f"sqlite:///{place}")).fit(*data)


LIMITED = """
import resource, sys, time, warnings
import numpy as np
from sklearn.linear_model import LogisticRegression
from seqpipe.tracking import MLflowTracker

X, y = np.eye(2), [0, 1]
new, used = (MLflowTracker(tracking_uri=f"sqlite:///FOLDER/{name}.db", log_model=False) for name in ("new", "used"))
LogisticRegression().set_callbacks(used).fit(X, y)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
warnings.showwarning = lambda message, *_: print(time.monotonic() - began, message)
for tracker in (new, used):
    began = time.monotonic()
    try:
        LogisticRegression().set_callbacks(tracker).fit(X, y)
    except Exception as error:
        print(time.monotonic() - began, error)
"""


def test_a_full_disk_is_told_with_its_cause(tmp_path):
    script = LIMITED.replace("FOLDER", str(tmp_path))
    ran = subprocess.run([sys.executable, "-W", "always", "-c", script], capture_output=True, text=True, timeout=120)
    (new_after, new), (used_after, used), *_ = [line.split(" ", 1) for line in ran.stdout.splitlines()]
    assert "cannot be used (OSError: [Errno 27] File too large" in new
    assert re.search(
        r"A write to .*used.db' failed \(OperationalError: (disk I/O error|database or disk is full)", used
    )
    assert max(float(new_after), float(used_after)) < 5 + SLACK
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["used.db"]


def test_a_journal_that_cannot_be_written_warns_and_the_fit_is_recorded(
    net, data, make_tracker, runs, monkeypatch, tmp_path
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEQPIPE_JOURNAL", str(tmp_path / "file"))
    with told(r"journal of the fit cannot be written \(.*Set SEQPIPE_JOURNAL"):
        net().set_callbacks(make_tracker()).fit(*data)
    assert [run.info.status for run in runs()] == ["FINISHED"]


@long
class TestServer:
    """A server that is away in all ways, for long."""

    @repeated
    @pytest.mark.parametrize("back", ["in the fit", "after the fit", "for the next process"])
    @pytest.mark.parametrize("way", ["hang", "kill"])
    def test_nothing_is_lost_or_doubled(self, server, net, data, tracker_of, experiment, way, back, repetition, record):
        tracker = tracker_of(server.uri)
        calls = []

        def on_epoch(epoch):
            calls.append(epoch)
            if len(calls) == 2 + repetition % 5:
                getattr(server, way)()
            if len(calls) == 14 and back == "in the fit":
                revive(server, way)

        expected = "failed" if back == "in the fit" else "not written.*seqpipe sync"
        with told(expected):
            seconds = search(net, data, tracker, on_epoch, seconds=0.4)
        record(way, back, seconds)
        if back != "in the fit":
            assert seconds < 10 + SLACK
            revive(server, way)
        if back == "for the next process":
            tracker._writer._tasks.put(None)
            tracker._writer._thread.join(60)
            assert sync(server.uri).failed == {}
        else:
            drain(tracker)
        check_complete(server.uri, experiment)

    @repeated
    def test_the_status_is_right_after_each_ending_and_each_kill(self, server, repetition):
        ways = [[f"{ending}", f"{repetition}", 0] for ending in ENDINGS]
        ways += [[call, when, 1] for call in CALLS for when in ("before", "after")]
        results = end_in(server.uri, [[name, when, number] for name, when, number in ways])
        check(results)
        assert [result["statuses"]["search"] for result in results[:6]] == [[status] for status in ENDINGS.values()]

    @repeated
    def test_no_epoch_waits_for_a_server_that_hangs(self, server, net, data, tracker_of, repetition):
        epochs = []
        tracker = tracker_of(server.uri)
        tracker._open_writer().timeout = 1.0

        def on_epoch(epoch):
            if epoch == 10:
                server.hang()
            time.sleep(0.02)
            epochs.append(time.monotonic())

        with told("not written"):
            net(max_epochs=300, on_epoch=on_epoch).set_callbacks(tracker).fit(*data)
        server.go_on()
        delays = sorted(later - earlier - 0.02 for earlier, later in pairwise(epochs))
        print(f"epochs are delayed by at most {1000 * delays[-1]:.0f} ms, {1000 * delays[-15]:.0f} ms in 95 of 100")
        assert delays[-15] < 0.05


@pytest.fixture
def record(request):
    def write(*values):
        print(f"outage {values[0]}, back {values[1]}: the end of the fit took {values[2]:.1f} s")

    return write


def revive(server, way):
    if way == "hang":
        server.go_on()
    else:
        server.start()


@long
class TestEmbedded:
    """A database that another process has locked, and one that many create at once."""

    @repeated
    @pytest.mark.parametrize("moment", ["before", "in"])
    def test_a_database_locked_for_40_seconds_loses_nothing(
        self, tmp_path, net, data, tracker_of, experiment, moment, repetition, record
    ):
        uri = f"sqlite:///{tmp_path}/mlflow.db"
        tracker_of(uri)._open_writer()._open()
        lock = sqlite3.connect(tmp_path / "mlflow.db", check_same_thread=False, isolation_level=None)

        def hold():
            lock.execute("BEGIN EXCLUSIVE")
            threading.Timer(40, lock.execute, ("ROLLBACK",)).start()

        def on_epoch(epoch):
            if epoch == 2 and not lock.in_transaction and moment == "in":
                hold()

        if moment == "before":
            hold()
        tracker = tracker_of(uri)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrackingWarning)
            seconds = search(net, data, tracker, on_epoch)
        record("locked", moment, seconds)
        assert seconds < 10 + SLACK
        drain(tracker)
        check_complete(uri, experiment)

    @repeated
    def test_sixteen_processes_share_a_fresh_store(self, tmp_path, repetition):
        script = textwrap.dedent(
            f"""
            import os
            import mlflow.store.tracking.sqlalchemy_store
            import numpy as np
            from sklearn.linear_model import LogisticRegression
            from seqpipe.tracking import MLflowTracker

            X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
            children = []
            for i in range(16):
                if not (child := os.fork()):
                    tracker = MLflowTracker("shared", tracking_uri="sqlite:///{tmp_path}/mlflow.db", log_model=False)
                    LogisticRegression().set_callbacks(tracker).fit(X, y)
                    os._exit(0)
                children.append(child)
            assert [os.waitpid(child, 0)[1] for child in children] == [0] * 16
            """
        )
        subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", script], check=True, timeout=600)
        with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
            query = "SELECT status, count(*) FROM runs GROUP BY status"
            assert database.execute(query).fetchall() == [("FINISHED", 16)]
