"""The MLflow flavor that serves logged models: checks and converts the input of a client.

MLflow requires the exact dtype of the training data, so that a model of floats would refuse ``[[1, 2], [3, 4]]``. The
signatures of seqpipe's models leave dtypes open, and `seqpipe.serving` checks the input: numbers of any type are
accepted, texts are not numbers, and missing values are passed to the estimator as NaN; its error states their place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from seqpipe import serving
from seqpipe.exceptions import InvalidSequencesError, TrackingError
from seqpipe.saved import AnyOf, Flag, Items, Record, StateError, TextOf, Whole, optional
from seqpipe.tracking._folder import read_description
from seqpipe.tracking._load import local_folder, read_folder
from seqpipe.tracking._signature import FLAVOR

__all__ = ["RefusedInputError", "ServedModel", "load_served"]


class RefusedInputError(InvalidSequencesError, MlflowException):
    """Input that a served model does not accept; a server responds with status 400 and the message."""

    def __init__(self, message: str) -> None:
        MlflowException.__init__(self, message, error_code=INVALID_PARAMETER_VALUE)


class ServedModel:
    """The model object that MLflow calls.

    Parameters
    ----------
    model : seqpipe.serving.ServedModel
        The estimator and the form of its input.
    """

    def __init__(self, model: serving.ServedModel) -> None:
        self._model = model

    def get_raw_model(self) -> Any:
        """Return the estimator."""
        return self._model.estimator

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return the estimator's predictions.

        Raises
        ------
        RefusedInputError
            If the estimator does not accept the data; the message states the place and the reason.
        """
        try:
            return self._model.predict(data)
        except MlflowException:
            raise
        except ValueError as error:
            raise RefusedInputError(str(error)) from error


def load_served(model: str, tracking_uri: str | None = None) -> serving.ServedModel:
    """Load a logged model, by the rules of `load_model`, with the form of its input.

    Parameters
    ----------
    model : str
        "models:/<id>", "models:/<name>/<version>", "models:/<name>@<alias>", "runs:/<run id>/model", or the folder of the
        model.
    tracking_uri : str, optional
        URI of the store; by default MLFLOW_TRACKING_URI, else the embedded store of the working folder.

    Raises
    ------
    TrackingError
        As `load_model`, or if the description of the model's input is damaged.
    """
    with local_folder(model, tracking_uri) as folder:
        described = read_description(folder, model)["flavors"].get(FLAVOR)
        try:
            _DESCRIBED.check(described, f"'{FLAVOR}'")
        except StateError as error:
            raise TrackingError(
                f"The model {model!r} cannot be served: in its file 'MLmodel', {error} Log it again with MLflowTracker."
            ) from error
        estimator, _ = read_folder(model, folder)
    return serving.ServedModel(
        estimator, described["input"], [(name, numeric) for name, numeric in described["columns"]]
    )


_DESCRIBED = Record(
    {
        "input": TextOf(among=get_args(serving.Form)),
        "columns": Items(Items(AnyOf((TextOf(), Whole(), Flag())), most=2, fewest=2), most=100_000),
    },
    {"code": optional(TextOf())},
)


def _load_pyfunc(path: str) -> ServedModel:
    """Load the model in a folder; MLflow calls this function by name."""
    return ServedModel(load_served(str(path if Path(path).is_dir() else Path(path).parent)))
