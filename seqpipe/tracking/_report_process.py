"""Evaluate predictions with MLflow, in a store of its own: a script that `evaluation_report` runs, without seqpipe."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_ROW, _TARGET = "row", "target"


class Predictions:
    """A model that returns known predictions for the numbers of rows."""

    def __init__(self, predicted: Any, probabilities: Any) -> None:
        self._predicted = predicted
        if probabilities is not None:
            self.predict_proba = lambda table: probabilities[table[_ROW]]

    def get_raw_model(self) -> "Predictions":
        """Return the model from which MLflow takes the probabilities."""
        return self

    def predict(self, table: Any, **_: Any) -> Any:
        """Return the predictions for rows."""
        return self._predicted[table[_ROW]]


def main(folder: Path) -> None:
    """Evaluate the predictions in ``folder`` and write the files of the evaluation to its folder "report"."""
    # Imported on use: `mlflow.pyfunc` warns of its own types when it is imported.
    import mlflow
    from mlflow.models import Model
    from mlflow.pyfunc import PyFuncModel

    given = np.load(folder / "given.npz")
    model = Predictions(given["predicted"], given.get("probabilities"))
    # MLflow asks for probabilities only if the model was loaded by its module for scikit-learn
    described = Model(flavors={"python_function": {"loader_module": "mlflow.sklearn"}})
    table = pd.DataFrame({_ROW: range(len(given["truth"])), _TARGET: given["truth"]})
    kind = "classifier" if "labels" in given else "regressor"

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = mlflow.create_experiment(kind, artifact_location=(folder / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        found = mlflow.models.evaluate(  # type: ignore[no-untyped-call]
            PyFuncModel(described, model),
            table,
            targets=_TARGET,
            model_type=kind,
            evaluators=kind,
            evaluator_config={"label_list": given["labels"].tolist()} if kind == "classifier" else None,
        )
    report = folder / "report"
    written = folder / "artifacts" / run.info.run_id / "artifacts"
    if written.is_dir():
        shutil.copytree(written, report)
    report.mkdir(exist_ok=True)
    metrics = {name: float(value) for name, value in found.metrics.items()}
    (report / "metrics.json").write_text(json.dumps(metrics, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
