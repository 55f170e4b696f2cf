"""Make the screenshots of docs/comparing-runs.md: ``python docs/screenshots.py``, with Chromium on the machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from PIL import Image
from sklearn.model_selection import GridSearchCV

from seqpipe import MLflowTracker, SequenceClassifier
from seqpipe.datasets import load_digits

IMAGES = Path(__file__).parent / "images"
PORT = 5123
SITE = f"http://127.0.0.1:{PORT}"
#: Columns of pixels to keep, and those of the assistant beside them, which opens by itself.
WIDTH, ASSISTANT = 1185, 415
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=30000",
)  # fmt: skip


def main() -> None:
    """Record a search in a separate store, serve it, and take a screenshot of each page."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        record(uri)
        with served(uri, Path(folder)):
            for name, (address, height) in addresses(MlflowClient(uri)).items():
                take(f"{SITE}/#{address}", IMAGES / f"mlflow-{name}.png", height, Path(folder))


def record(uri: str) -> None:
    """Run the search of the page."""
    digits = load_digits()
    grid = {"cell": ["rnn", "gru"], "hidden_size": [16, 32]}
    search = GridSearchCV(SequenceClassifier(max_epochs=6, random_state=0), grid, cv=2)
    search.set_callbacks(MLflowTracker("digits", tracking_uri=uri)).fit(digits.X[:600], digits.y[:600])


def addresses(client: MlflowClient) -> dict[str, tuple[str, int]]:
    """Return the path and the height in pixels of each page to take a picture of."""
    experiment = client.get_experiment_by_name("digits").experiment_id
    runs = client.search_runs([experiment], order_by=["attributes.start_time ASC"])
    candidates, folds = (
        [run.info.run_id for run in runs if run.data.tags.get("seqpipe.kind") == kind] for kind in ("candidate", "fold")
    )
    found = query(searchFilter="tags.seqpipe.kind = 'candidate'", orderByKey="tags.`mlflow.runName`", orderByAsc="true")
    compared = query(runs=json.dumps(candidates), experiments=json.dumps([experiment]))
    drawn = query(
        runs=json.dumps(folds[::2]), experiments=json.dumps([experiment]),
        metric=json.dumps("train_loss"), plot_metric_keys=json.dumps(["train_loss"]), x_axis="step",
    )  # fmt: skip
    return {
        "runs": (f"/experiments/{experiment}/runs?{found}", 560),
        "compare": (f"/compare-runs?{compared}", 820),
        "curves": (f"/metric?{drawn}", 640),
    }


def query(**parameters: str) -> str:
    """Return the query of a link; MLflow opens in its view for language models unless it says otherwise."""
    return urllib.parse.urlencode(parameters | {"workflowType": "machine_learning"})


@contextmanager
def served(uri: str, folder: Path) -> Iterator[None]:
    """Serve the store with ``seqpipe ui`` until it answers, and end it afterwards."""
    command = [sys.executable, "-m", "seqpipe", "ui", "--port", str(PORT), "--uri", uri]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(command, cwd=folder, env=environment)
    try:
        wait_for(f"{SITE}/health", seconds=300)
        yield
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str, seconds: float) -> None:
    """Return once the address answers; a TimeoutError if it has not after so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise TimeoutError(f"{address} has not answered for {seconds} seconds.")


def take(address: str, path: Path, height: int, folder: Path) -> None:
    """Take a picture of a page once its scripts have been idle."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
    profile = f"--user-data-dir={folder / path.stem}"
    size = f"--window-size={WIDTH + ASSISTANT},{height}"
    subprocess.run([browser, *FLAGS, profile, size, f"--screenshot={path}", address], check=True, capture_output=True)
    with Image.open(path) as whole:
        whole.crop((0, 0, WIDTH, height)).convert("P", palette=Image.Palette.ADAPTIVE).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
