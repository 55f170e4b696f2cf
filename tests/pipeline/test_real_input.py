"""Unprepared files in run, predict, MLflow's loader and a served model."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from seqpipe.cli import app
from seqpipe.pipeline import predict_table, run_recipe

RECIPE = """\
data:
  path: sensors.csv
  id: device
  time: t
  target: activity
task:
  classify: {hidden_size: 16, max_epochs: 4}
"""


def spoilt(frame: pd.DataFrame) -> pd.DataFrame:
    """Swap two rows of one id and empty one cell of another."""
    frame = frame.copy()
    rows = frame.index[frame["device"] == "dev-007"][[4, 5]]
    frame.loc[rows] = frame.loc[rows[::-1]].to_numpy()
    frame.loc[frame.index[frame["device"] == "dev-100"][2], "ay"] = np.nan
    return frame.astype({"t": int, "ax": float, "ay": float, "az": float})


def line_of(frame: pd.DataFrame, device: str, row: int) -> int:
    return int(frame.index[frame["device"] == device][row]) + 2


@contextmanager
def serving(model: str) -> Iterator[str]:
    """Serve a model as a user would, on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    venv = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{venv}:{os.environ['PATH']}", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
    command = [
        str(venv / "mlflow"),
        "models",
        "serve",
        "-m",
        model,
        "--env-manager",
        "local",
        "--port",
        str(port),
    ]
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # lists of steps have none
def test_a_csv_that_nobody_prepared_goes_from_error_to_error_to_a_served_model(
    write: Callable[..., Path], make_sensors: Callable[..., pd.DataFrame], own_folder: Path
):
    frame = spoilt(make_sensors(400))
    frame.to_csv("sensors.csv", index=False)
    recipe = write(RECIPE, "sensors.yaml")

    first = CliRunner().invoke(app, ["run", str(recipe)])
    assert first.exit_code == 1
    place = f"sensors.csv:{line_of(frame, 'dev-007', 5)} (id dev-007): the rows are not in the order of 't'"
    assert place in first.stderr
    assert "write 'sort: true' under 'data:' in the recipe" in first.stderr

    recipe = write(RECIPE.replace("task:", "  sort: true\ntask:"), "sensors.yaml")
    second = CliRunner().invoke(app, ["run", str(recipe)])
    assert second.exit_code == 1
    assert f"sensors.csv:{line_of(frame, 'dev-100', 2)} (id dev-100): column 'ay' is empty" in second.stderr
    assert "'missing: interpolate'" in second.stderr

    recipe = write(RECIPE.replace("task:", "  sort: true\n  missing: interpolate\ntask:"), "sensors.yaml")
    third = CliRunner().invoke(app, ["run", str(recipe)])
    assert third.exit_code == 0, third.output
    assert "sensors: 400 sequences of 20 to 300 steps, 3 features, 3 classes; 100 held out" in third.stdout
    assert "1 empty cell filled" in third.stdout
    assert "gaps in time in " in third.stdout
    model = next(line for line in third.stdout.splitlines() if line.startswith("model: ")).split()[1].rstrip(",")

    new = make_sensors(9, seed=1).drop(columns="activity")
    new.to_csv("new.csv", index=False)
    fourth = CliRunner().invoke(app, ["predict", model, "new.csv", "-o", "out.csv"])
    assert fourth.exit_code == 0, fourth.output
    predicted = pd.read_csv("out.csv")
    assert list(predicted.columns) == ["id", "prediction", "p_idle", "p_run", "p_walk"]
    assert predicted["id"].tolist() == [f"dev-{i:03d}" for i in range(9)]
    assert (predicted["prediction"] == ["idle", "walk", "run"] * 3).mean() > 0.5

    nested = [part[["ax", "ay", "az"]].to_numpy().tolist() for _, part in new.groupby("device")]
    loaded = mlflow.pyfunc.load_model(model)
    assert loaded.predict(pd.DataFrame({"sequence": nested})).tolist() == predicted["prediction"].tolist()

    with serving(model) as url:
        wait_for(f"{url}/ping")
        status, answer = post(url, {"dataframe_split": {"columns": ["sequence"], "data": [[each] for each in nested]}})
        assert (status, answer) == (200, {"predictions": predicted["prediction"].tolist()})
        for garbage in (
            '{"dataframe_split": {"columns": ["sequence"], "data": [[[[NaN, 1.0, 2.0]]]]}}',
            "no JSON",
            '{"inputs": "x"}',
        ):
            status, _ = post(url, garbage)
            assert 400 <= status < 500, garbage


def wait_for(url: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def post(url: str, content: object) -> tuple[int, object]:
    body = content if isinstance(content, str) else json.dumps(content)
    request = urllib.request.Request(f"{url}/invocations", body.encode(), headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_parquet_of_windows_goes_through_run_and_predict(own_folder: Path):
    rng = np.random.default_rng(0)
    kind = np.arange(60) % 2
    windows = [np.sin((0.3 + k) * np.arange(24))[:, None] + rng.normal(0, 0.1, (24, 2)) for k in kind]
    frame = pd.DataFrame({"window": [w.tolist() for w in windows], "fault": np.where(kind, "yes", "no")})
    frame.to_parquet("windows.parquet")
    result = run_recipe(
        {
            "data": {"path": "windows.parquet", "sequence": "window", "target": "fault"},
            "task": {"classify": {"hidden_size": 8, "max_epochs": 20}},
        }
    )
    assert result.metrics["accuracy"] > 0.8
    assert result.record is not None
    assert result.record.model_uri is not None
    frame.drop(columns="fault").to_parquet("new.parquet")
    predicted = predict_table(result.record.model_uri, "new.parquet")
    assert (predicted["prediction"] == frame["fault"]).mean() > 0.8
    loaded = mlflow.pyfunc.load_model(result.record.model_uri)
    answer = loaded.predict(pd.DataFrame({"sequence": frame["window"]}))
    assert answer.tolist() == predicted["prediction"].tolist()


def test_a_parquet_window_with_a_null_is_refused_with_its_place(own_folder: Path):
    frame = pd.DataFrame({"window": [[[1.0], [2.0]], [[1.0], [None]]], "fault": ["yes", "no"]})
    frame.to_parquet("windows.parquet")
    recipe = {
        "data": {"path": "windows.parquet", "sequence": "window", "target": "fault"},
        "task": "classify",
    }
    with pytest.raises(ValueError, match=r"(?i)sample 1.*step 1"):
        run_recipe(recipe)
