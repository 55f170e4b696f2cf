"""MLflow's evaluation of predictions: pictures and tables as files."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import TrackingError

__all__ = ["evaluation_report"]

_SCRIPT = Path(__file__).with_name("_report_process.py")
#: What would let the process write elsewhere than to its own store, or show windows.
_OWN = {"MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"}


def evaluation_report(estimator: Any, X: Any, y: Any) -> dict[str, bytes]:
    """Return the files of MLflow's evaluation of an estimator, by name.

    ``mlflow.models.evaluate`` logs to the active run of its process and takes tables only. It is run in a process of its
    own, on a table of row numbers, and a model that returns the predictions for them.

    Parameters
    ----------
    estimator : estimator
        Fitted classifier, or regressor.
    X : samples
        Samples.
    y : array of shape (n_samples,)
        One label or number per sample.

    Raises
    ------
    TrackingError
        If there is more than one target per sample, or MLflow fails.
    """
    truth = np.asarray(y)
    if truth.ndim != 1 or (truth.dtype == object and not all(np.ndim(each) == 0 for each in truth)):
        raise TrackingError(
            "MLflow reports on one label or number per sample only. Leave out the report for other targets."
        )
    with tempfile.TemporaryDirectory(prefix="seqpipe-report-") as folder:
        np.savez(Path(folder) / "given.npz", allow_pickle=False, **_predictions(estimator, X, truth))
        _evaluate(folder)
        return {path.name: path.read_bytes() for path in sorted((Path(folder) / "report").iterdir())}


def _predictions(estimator: Any, X: Any, truth: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return what MLflow needs as arrays: for labels also the classes in order, and the probability of each."""
    found = {"truth": _plain(truth), "predicted": _plain(np.asarray(estimator.predict(X)).reshape(len(truth)))}
    if not hasattr(estimator, "classes_"):
        return found
    classes = _plain(np.asarray(estimator.classes_))
    labels = np.union1d(classes, found["truth"])  # MLflow takes no labels that the model has not seen
    if hasattr(estimator, "predict_proba"):
        given = np.asarray(estimator.predict_proba(X))
        probabilities = np.zeros((len(truth), len(labels)))
        probabilities[:, np.searchsorted(labels, classes)] = given
        found["probabilities"] = probabilities
    return {**found, "labels": labels}


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return labels as an array that is written without pickle."""
    return values.astype(str) if values.dtype.kind not in "biufU" else values


def _evaluate(folder: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _OWN}
    done = subprocess.run(
        [sys.executable, "-P", str(_SCRIPT), folder],
        env={**environment, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        reason = next(reversed(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
        raise TrackingError(f"MLflow could not evaluate the predictions ({reason}). The other scores are not affected.")
