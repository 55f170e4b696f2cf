"""Stores in folders of any name, and stores whose folder was renamed, copied or moved."""

from __future__ import annotations

import shutil
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression

from seqpipe.exceptions import TrackingError, TrackingWarning
from seqpipe.tracking import MLflowTracker, load_model, read_runs, ui_command
from seqpipe.tracking._experiment_id import experiment_id
from seqpipe.tracking._store import open_client
from seqpipe.tracking._uri import database_path, resolve_uri

NAMES = ["50%20off", "what?", "a#b", "with blanks", "Übermut", "back\\slash", 'it\'s "quoted"', "a=b?c=d&e", "%"]


@pytest.mark.parametrize("name", NAMES)
def test_the_embedded_store_lies_in_a_working_folder_of_any_name(name: str, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    uri = resolve_uri()
    assert database_path(uri) == tmp_path / name / "mlruns" / "mlflow.db"
    assert resolve_uri(uri) == uri
    assert resolve_uri(f"sqlite:///{tmp_path / name}/mlruns/mlflow.db") == uri
    assert resolve_uri("sqlite:///mlruns/mlflow.db?timeout=5") == f"{uri}?timeout=5"


def test_a_quoted_path_is_read_where_only_that_is_there(tmp_path: Path):
    (tmp_path / "a b").mkdir()
    assert database_path(f"sqlite:///{tmp_path}/a%20b/mlflow.db") == tmp_path / "a b" / "mlflow.db"
    (tmp_path / "a%20b").mkdir()
    assert database_path(f"sqlite:///{tmp_path}/a%20b/mlflow.db") == tmp_path / "a%20b" / "mlflow.db"


def test_a_path_that_sqlalchemy_cannot_be_told_of_is_an_error(tmp_path: Path, monkeypatch):
    class Url:
        database = "something else"

    monkeypatch.setattr("sqlalchemy.engine.make_url", lambda uri: Url)
    with pytest.raises(
        TrackingError, match="has no URI that this version of SQLAlchemy understands: rename the folder"
    ):
        resolve_uri(f"sqlite:///{tmp_path}/what?/mlflow.db")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, client: MlflowClient) -> Path:
    """A working folder with its own store and a logged model in it, created from a copy of an empty database."""
    folder = tmp_path / "what? 50%20off ü's"
    (folder / "mlruns").mkdir(parents=True)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(folder)
    empty = _emptied(uri, folder / "mlruns" / "mlflow.db")
    _place_first_experiment(empty, folder / "mlruns")
    return folder


def _emptied(uri: str, target: Path) -> Path:
    source = database_path(uri)
    assert source is not None
    with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(target)) as here, here:
        there.backup(here)
        tables = [name for (name,) in here.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in set(tables) - {"alembic_version", "experiments"}:
            here.execute(f"DELETE FROM {table}")
        here.execute("DELETE FROM experiments WHERE experiment_id != 0")
    return target


def _place_first_experiment(database: Path, root: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        place = f"{root.as_uri()}/artifacts/0"
        connection.execute("UPDATE experiments SET artifact_location = ?", (place,))


def fit(data, name: str = "moved") -> str:
    tracker = MLflowTracker(name)
    LogisticRegression().set_callbacks(tracker).fit(*data)
    assert tracker.model_uri_ is not None
    return tracker.model_uri_


def files_under(folder: Path) -> set[Path]:
    return {path for path in (folder / "mlruns" / "artifacts").rglob("*") if path.is_file()}


def test_runs_and_models_are_kept_in_a_folder_of_any_name(project: Path, data):
    model = fit(data)
    estimator, _ = load_model(model)
    assert np.isfinite(estimator.coef_).all()
    assert files_under(project)
    assert [path.name for path in project.iterdir()] == ["mlruns"]
    assert [path.name for path in project.parent.iterdir()] == [project.name]


def test_a_renamed_project_keeps_its_runs_and_says_so_once(project: Path, data, monkeypatch):
    model = fit(data)
    monkeypatch.chdir("/")
    renamed = project.rename(project.with_name("renamed"))
    monkeypatch.chdir(renamed)
    with pytest.warns(TrackingWarning, match=r"renamed/mlruns/mlflow.db' was at .*what\? 50%20off.* its own folder"):
        load_model(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(model)
        fit(data)
    assert len(read_runs("moved")) == 2
    assert not project.exists()


def test_the_interface_of_a_renamed_project_shows_its_files(project: Path, data, monkeypatch):
    model = fit(data)
    monkeypatch.chdir("/")
    monkeypatch.chdir(project.rename(project.with_name("renamed")))
    with pytest.warns(TrackingWarning, match="to its own folder"):
        ui_command()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(model)


def test_a_copy_writes_nothing_into_the_original(project: Path, data, monkeypatch, tmp_path: Path):
    model = fit(data)
    before = files_under(project)
    copy = Path(shutil.copytree(project, tmp_path / "copy%41"))
    monkeypatch.chdir(copy)
    with pytest.warns(TrackingWarning, match="to its own folder"):
        newer = fit(data)
    load_model(model)
    load_model(newer)
    assert files_under(project) == before
    assert len(files_under(copy)) > len(before)
    monkeypatch.chdir(project)
    load_model(model)


def test_a_copy_of_the_database_alone_reads_the_old_files_and_writes_its_own(
    project, data, monkeypatch, tmp_path: Path
):
    model = fit(data)
    before = files_under(project)
    (tmp_path / "copy" / "mlruns").mkdir(parents=True)
    shutil.copy(project / "mlruns" / "mlflow.db", tmp_path / "copy" / "mlruns" / "mlflow.db")
    monkeypatch.chdir(tmp_path / "copy")
    with pytest.warns(TrackingWarning, match="to its own folder"):
        load_model(model)
    load_model(fit(data))
    load_model(model)
    assert files_under(project) == before
    assert files_under(tmp_path / "copy")


def test_experiments_with_files_elsewhere_are_left_there(project: Path, data, monkeypatch, tmp_path: Path):
    fit(data)
    open_client().create_experiment("elsewhere", artifact_location=f"file://{tmp_path}/data/artifacts/elsewhere")
    monkeypatch.chdir("/")
    monkeypatch.chdir(project.rename(tmp_path / "renamed"))
    with pytest.warns(TrackingWarning, match="to its own folder"):
        client = open_client()
    found = client.get_experiment_by_name("elsewhere")
    assert found is not None
    assert found.artifact_location == f"file://{tmp_path}/data/artifacts/elsewhere"


@pytest.mark.parametrize("first", ["{folder}/mlruns/0", "/somewhere/mlruns/0"])
def test_a_store_of_an_older_version_is_mended_too(first: str, project: Path, data, monkeypatch, tmp_path: Path):
    model = fit(data)
    with closing(sqlite3.connect(project / "mlruns" / "mlflow.db")) as connection, connection:
        place = first.format(folder=project)
        connection.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0", (place,))
    monkeypatch.chdir("/")
    monkeypatch.chdir(project.rename(tmp_path / "renamed"))
    with pytest.warns(TrackingWarning, match="to its own folder"):
        load_model(model)


def test_a_link_to_the_folder_is_no_move(project: Path, data, monkeypatch, tmp_path: Path):
    model = fit(data)
    (tmp_path / "link").symlink_to(project)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded, _ = load_model(model, f"sqlite:///{tmp_path}/link/mlruns/mlflow.db")
    assert loaded.predict(data[0]).shape == np.shape(data[1])


def test_a_new_store_has_all_its_files_beside_it_though_its_folder_has_a_quote(tmp_path: Path, monkeypatch):
    folder = tmp_path / "it's 50%20off?"
    (folder / "mlruns").mkdir(parents=True)
    monkeypatch.chdir(folder)
    client = open_client(f"sqlite:///{folder}/mlruns/mlflow.db", create=True)
    for name in ("Default", "wörter"):
        location = client.get_experiment(experiment_id(client, name)).artifact_location
        assert location.startswith(f"{(folder / 'mlruns').as_uri()}/artifacts/")
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name]
