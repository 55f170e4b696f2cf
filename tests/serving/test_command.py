"""The command: which models it takes, and what it tells."""

from __future__ import annotations

import socket
import warnings
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import seqpipe
from seqpipe.cli import app
from seqpipe.estimators import SequenceClassifier
from seqpipe.pipeline import load_model_to_serve
from seqpipe.serving import Server
from seqpipe.tracking._model import save_model

RAGGED = [np.full((length, 2), length, dtype=float) for length in (3, 4, 5, 6)]


@pytest.fixture(scope="module")
def estimator() -> SequenceClassifier:
    return SequenceClassifier(hidden_size=3, max_epochs=1, random_state=0).fit(RAGGED, ["a", "b"] * 2)


@pytest.fixture(scope="module")
def folder(estimator: SequenceClassifier, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("models") / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns about its own type hints on import
        save_model(estimator, RAGGED, path)
    return str(path)


@pytest.fixture
def file(estimator: SequenceClassifier, tmp_path: Path) -> str:
    seqpipe.save(estimator, tmp_path / "model.skops")
    return str(tmp_path / "model.skops")


@pytest.fixture(autouse=True)
def unserved(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    """Let the command end where it would serve."""

    def close(server: Server) -> None:
        server._socket.close()

    monkeypatch.setattr(Server, "run", close)


def serve(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["serve", *arguments])


def test_a_logged_model_is_served_in_the_form_it_was_trained_on(folder: str, estimator: SequenceClassifier) -> None:
    model = load_model_to_serve(folder)
    assert (model.form, model.columns) == ("sequences", [])
    assert model.predict([[[1, 2]]]).tolist() == estimator.predict([np.array([[1.0, 2.0]])]).tolist()


def test_a_file_is_served_as_an_array(file: str, estimator: SequenceClassifier) -> None:
    model = load_model_to_serve(file)
    assert model.form == "array"
    assert (
        model.predict([[[1, 2]], [[1, 2], [3, 4]]]).tolist()
        == estimator.predict([np.array([[1.0, 2.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])]).tolist()
    )


def test_the_address_is_told_before_it_is_served(file: str) -> None:
    ran = serve(file, "--port", "0")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith("http://127.0.0.1:")
    assert ran.stderr == ""


def test_an_open_address_is_warned_about(file: str) -> None:
    ran = serve(file, "--port", "0", "--host", "0.0.0.0")
    assert ran.exit_code == 0, ran.output
    assert "warning: whoever reaches 0.0.0.0 can use the model" in ran.stderr


def test_a_port_in_use_is_an_error(file: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = serve(file, "--port", str(port))
    assert ran.exit_code == 1
    assert f"error: The server cannot listen on 127.0.0.1, port {port} (Address already in use)" in ran.stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("missing.skops", "There is no model 'missing.skops': give models:/"),
        ("ftp:/m-0", "There "),
        ("junk.skops", "The file 'junk.skops' cannot be read"),
    ],
)
def test_what_is_no_model_is_an_error(model: str, message: str, own_folder: Path) -> None:
    (own_folder / "junk.skops").write_bytes(b"junk")
    ran = serve(model)
    assert ran.exit_code == 1
    assert ran.stderr.startswith(f"error: {message}")
