"""A fitted estimator, and the form in which clients send its input."""

from __future__ import annotations

from typing import Any, Literal

from seqpipe.serving._form import Form, plain_output
from seqpipe.serving._input import read_input

__all__ = ["Method", "ServedModel"]

#: What a client may ask for.
Method = Literal["predict", "predict_proba"]


class ServedModel:
    """A fitted estimator that predicts for what clients send.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator.
    form : {"sequences", "array", "table", "panel", "texts"}
        Form of its input: a column of lists of time steps, an array, a table with one row per sample or per time step
        of a series with an id, or a column of texts.
    columns : list of (name, bool)
        Names of the columns of a table, and whether each is numeric.
    """

    def __init__(self, estimator: Any, form: Form, columns: list[tuple[Any, bool]]) -> None:
        self.estimator = estimator
        self.form = form
        self.columns = columns

    def predict(self, data: Any, method: Method = "predict") -> Any:
        """Return predictions or probabilities, without index and names.

        Raises
        ------
        InvalidSequencesError
            If the data is not of the form of the model; the message names the position.
        ValueError
            If the estimator does not accept the data.
        """
        read = read_input(data, self.form, self.columns, self.estimator)
        predicted = getattr(self.estimator, method)(read)
        return plain_output(predicted.reindex(read.index) if self.form == "panel" else predicted)

    @property
    def methods(self) -> tuple[Method, ...]:
        """What clients may ask for."""
        return ("predict", "predict_proba") if hasattr(self.estimator, "predict_proba") else ("predict",)
