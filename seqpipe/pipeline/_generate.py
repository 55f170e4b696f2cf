"""Text generation with a logged language model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqpipe.estimators import LanguageModel
from seqpipe.exceptions import InvalidSequencesError, TrackingError
from seqpipe.tasks import last_step
from seqpipe.tracking import load_model

__all__ = ["generate_text"]


def generate_text(
    model: str, prompt: str = "", *, label: str | None = None, tracking_uri: str | None = None, **settings: Any
) -> Iterator[str]:
    """Generate a text piece by piece, starting with the prompt; the concatenated pieces are the text.

    Parameters
    ----------
    model : str
        An MLflow model: "models:/…", "runs:/…", or its folder.
    prompt : str, default=""
        Start of the text; words or tokens separated by spaces.
    label : str, optional
        The class of the text, for a model with classes.
    tracking_uri : str, optional
        The store of the model; by default MLFLOW_TRACKING_URI, else the embedded store in the working folder.
    **settings
        Parameters of `LanguageModel.stream_generate`.

    Raises
    ------
    TrackingError
        If there is no such model, it does not generate texts, or it cannot be loaded safely.
    InvalidSequencesError
        If a setting, the prompt or the label is invalid for the model.
    """
    estimator = last_step(load_model(model, tracking_uri)[0])
    if not isinstance(estimator, LanguageModel):
        raise TrackingError(
            f"The model {model!r} is a {type(estimator).__name__}, which does not generate texts: train one with the "
            "task 'language_model'."
        )
    try:
        tokens = estimator.stream_generate(prompt, label=_label(estimator, label), **settings)
    except ValueError as error:
        raise InvalidSequencesError(str(error)) from error
    between = "" if estimator.level == "char" else " "
    return _pieces(prompt, tokens, between)


def _label(estimator: LanguageModel, written: str | None) -> Any:
    """Return the class with the given string representation, as classes may be numbers."""
    known = [] if estimator.classes_ is None else estimator.classes_.tolist()
    return next((label for label in known if str(label) == written), written)


def _pieces(prompt: str, tokens: Iterator[Any], between: str) -> Iterator[str]:
    if prompt:
        yield prompt
    begun = bool(prompt)
    for token in tokens:
        yield f"{between if begun else ''}{token}"
        begun = True
