"""Choice of the store, and errors when it cannot be used."""

import logging
import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from seqpipe.exceptions import TrackingError
from seqpipe.tracking import MLflowTracker
from seqpipe.tracking._experiment_id import experiment_id
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._store import open_client
from seqpipe.tracking._uri import database_path, redacted_uri, resolve_uri


def test_the_embedded_store_lies_in_the_working_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert resolve_uri() == f"sqlite:///{tmp_path}/mlruns/mlflow.db"


def test_the_environment_chooses_the_store_and_the_argument_overrules_it(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert resolve_uri() == "http://localhost:5000"
    monkeypatch.chdir(tmp_path)
    assert resolve_uri("sqlite:///here.db?timeout=5") == f"sqlite:///{tmp_path}/here.db?timeout=5"


@pytest.mark.parametrize("uri", ["http://localhost", "postgresql://host/db", "sqlite:///:memory:", "mlruns"])
def test_only_a_sqlite_file_has_a_path(uri):
    assert database_path(uri) is None


def test_artifacts_of_a_database_file_lie_beside_it(client, uri):
    identifier = experiment_id(client, "wörter & more")
    location = client.get_experiment(identifier).artifact_location
    folder = database_path(uri).parent / "artifacts"
    assert Path(location.removeprefix("file://")).parent == folder
    assert experiment_id(client, "wörter & more") == identifier


def test_a_deleted_experiment_is_refused_with_the_way_back(client):
    client.delete_experiment(experiment_id(client, "gone"))
    with pytest.raises(TrackingError, match=r"'gone' in .* was deleted: use another name, or restore it"):
        experiment_id(client, "gone")


def test_a_server_that_refuses_stops_the_fit_at_once_with_a_remedy(net, data):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(TrackingError, match=rf"'{uri}' cannot be used \(ConnectionRefusedError.*Start the server"):
            net().set_callbacks(MLflowTracker(tracking_uri=uri)).fit(*data)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "mlflow.db").write_text("something else, long enough to have a header of its own" * 10)
    with pytest.raises(TrackingError, match="the file is an MLflow database, or choose another store"):
        open_client(f"sqlite:///{tmp_path}/mlflow.db")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrackingError, match="Check that its folder is writable"):
        open_client(f"sqlite:///{tmp_path}/file/mlflow.db", create=True)


def test_a_database_that_is_not_there_is_not_made_by_reading(tmp_path):
    with pytest.raises(TrackingError, match=r"no runs yet: .*mlflow.db does not exist"):
        open_client(f"sqlite:///{tmp_path}/mlflow.db")
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_an_older_mlflow_names_the_upgrade(client, uri, tmp_path):
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as there, closing(sqlite3.connect(old)) as here, here:
        there.backup(here)
        here.execute("UPDATE alembic_version SET version_num = 'bd07f7e963c5'")
    with pytest.raises(TrackingError, match=r"out-of-date database schema.*mlflow db upgrade"):
        open_client(f"sqlite:///{old}")


def test_opening_is_quiet_and_leaves_the_global_store_alone(tmp_path, capfd, caplog):
    import mlflow

    before = mlflow.get_tracking_uri()
    client = open_client(f"sqlite:///{tmp_path}/mlflow.db", create=True)
    assert isinstance(client, MlflowClient)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert mlflow.get_tracking_uri() == before


def test_no_password_is_told(monkeypatch):
    monkeypatch.setattr("seqpipe.tracking._store.check_reachable", _refuse)
    with pytest.raises(
        TrackingError, match=r"'http://\*\*\*@host' cannot be used \(OSError: http://\*\*\*@host is down"
    ):
        open_client("http://bob:secret@host")
    assert redacted_uri("sqlite:////a@b/mlflow.db") == "sqlite:////a@b/mlflow.db"


def _refuse(uri):
    raise OSError(f"{uri} is down")


def test_silence_ends_with_the_last_thread_that_wants_it(monkeypatch):
    monkeypatch.delenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", raising=False)
    logger = logging.getLogger("alembic")
    before = logger.level
    first, second = quiet(), quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert logger.level > logging.CRITICAL
    second.__exit__(None, None, None)
    assert logger.level == before
    assert "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT" not in os.environ
