"""Open runs of processes that no longer run."""

import os

import pytest

from seqpipe.tracking._experiment_id import experiment_id
from seqpipe.tracking._process import process_tags
from seqpipe.tracking._stale import close_stale_runs


@pytest.fixture
def status_after(client):
    """Create an open run with some tags, close stale runs, and return its status."""

    def status(tags):
        run = client.create_run(experiment_id(client, "stale"), tags=tags)
        close_stale_runs(client)
        return client.get_run(run.info.run_id).info.status

    return status


def test_a_run_of_this_process_is_left_open(status_after):
    assert status_after(process_tags()) == "RUNNING"


def test_a_run_whose_process_is_gone_is_killed(status_after):
    child = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(child, 0)
    assert status_after({**process_tags(), "seqpipe.pid": str(child)}) == "KILLED"


def test_a_zombie_is_gone(status_after):
    child = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    try:
        assert status_after({**process_tags(), "seqpipe.pid": str(child)}) == "KILLED"
    finally:
        os.waitpid(child, 0)


def test_a_number_that_another_process_has_by_now_does_not_count(status_after):
    assert status_after({**process_tags(), "seqpipe.process_start": "1.0"}) == "KILLED"


def test_runs_of_other_hosts_and_other_programs_are_left_alone(status_after):
    assert status_after({**process_tags(), "seqpipe.host": "elsewhere", "seqpipe.pid": "1"}) == "RUNNING"
    assert status_after({}) == "RUNNING"


def test_a_run_that_its_process_finished_after_the_listing_stays_finished(client, monkeypatch):
    tags = {**process_tags(), "seqpipe.process_start": "1.0"}
    run = client.create_run(experiment_id(client, "stale"), tags=tags)
    search = client.search_runs

    def search_then_finish(*args, **kwargs):
        found = search(*args, **kwargs)
        client.set_terminated(run.info.run_id, "FINISHED")
        return found

    monkeypatch.setattr(client, "search_runs", search_then_finish)
    close_stale_runs(client)
    assert client.get_run(run.info.run_id).info.status == "FINISHED"
