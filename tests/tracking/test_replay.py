"""What ended processes leave, and what the next one makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "killed_fits.py"
#: How often each long test is repeated.
REPETITIONS = int(os.environ.get("SEQPIPE_FAULTS") or 0)
CALLS = ("create_run", "log_batch", "log_inputs", "create_logged_model", "log_model_artifacts", "finalize_logged_model")
CALLS += ("log_outputs", "log_artifact", "set_terminated")
ENDINGS = {
    "ok": "FINISHED",
    "exception": "FAILED",
    "sys.exit": "FAILED",
    "Ctrl-C": "KILLED",
    "SIGTERM": "KILLED",
    "SIGKILL": "KILLED",
}

pytestmark = pytest.mark.live_tree


def end_in(uri, ways):
    """End fits in these ways and return what is in the store after the next start."""
    command = [sys.executable, str(SCRIPT), uri, json.dumps(ways)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60 + 60 * len(ways))
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def check(results):
    for result in results:
        assert (result["lost"], result["doubled"], result["wrong"]) == (0, 0, []), result
        assert (result["running"], result["failed"], result["damaged"]) == (0, 0, 0), result


def test_nothing_is_lost_or_doubled_when_a_process_is_killed(tmp_path):
    ways = [["create_run", "after", 1], ["transaction", "after", 1], ["finalize_logged_model", "before", 1]]
    results = end_in(f"sqlite:///{tmp_path}/mlflow.db", ways)
    check(results)
    assert [result["statuses"]["search"] for result in results] == [["KILLED"]] * 3
    assert results[2]["statuses"]["refit"] == ["FINISHED"]
    assert [path.name for path in tmp_path.glob("*journal*")] == []


@pytest.mark.skipif(not REPETITIONS, reason="takes minutes: set SEQPIPE_FAULTS to the number of repetitions")
class TestEveryWayToEnd:
    """The long form; ``make faults`` runs it."""

    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("call", CALLS)
    def test_a_kill_at_any_call(self, tmp_path, call, when):
        ways = [[call, when, number] for number in (1, 2, 4) if number == 1 or call in CALLS[:2] + CALLS[-1:]]
        check(end_in(f"sqlite:///{tmp_path}/mlflow.db", ways))

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_kill_at_any_transaction(self, tmp_path, when):
        ways = [["transaction", when, number] for number in (1, 2, 3, 4)]
        check(end_in(f"sqlite:///{tmp_path}/mlflow.db", ways))

    @pytest.mark.parametrize("repetition", range(REPETITIONS))
    def test_a_kill_at_any_moment(self, tmp_path, repetition):
        ways = [["random", "", 10 * repetition + seed] for seed in range(10)]
        check(end_in(f"sqlite:///{tmp_path}/mlflow.db", ways))

    @pytest.mark.parametrize("repetition", range(REPETITIONS))
    def test_the_status_is_right_after_each_ending(self, tmp_path, repetition):
        results = end_in(f"sqlite:///{tmp_path}/mlflow.db", [[ending, "", 0] for ending in ENDINGS])
        check(results)
        assert [result["statuses"]["search"] for result in results] == [[status] for status in ENDINGS.values()]
