"""Texts by a logged language model, as they are written."""

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
    """Return the pieces of a text, the prompt first, each as soon as it is there; joined they are the text.

    Parameters
    ----------
    model : str
        An MLflow model: "models:/…", "runs:/…", or its folder.
    prompt : str, default=""
        What the text begins with; words or tokens between spaces.
    label : str, optional
        The class of the text, for a model that knows classes.
    tracking_uri : str, optional
        The store of the model; MLFLOW_TRACKING_URI if not given, else the embedded one of the working folder.
    **settings
        Those of `LanguageModel.stream_generate`.

    Raises
    ------
    TrackingError
        If there is no such model, or it writes no texts, or it cannot be loaded safely.
    InvalidSequencesError
        If a setting, the prompt or the label does not fit the model.
    """
    estimator = last_step(load_model(model, tracking_uri)[0])
    if not isinstance(estimator, LanguageModel):
        raise TrackingError(
            f"The model {model!r} is a {type(estimator).__name__}, which writes no texts of its own: train one with the "
            "task 'language_model'."
        )
    try:
        tokens = estimator.stream_generate(prompt, label=_label(estimator, label), **settings)
    except ValueError as error:
        raise InvalidSequencesError(str(error)) from error
    between = "" if estimator.level == "char" else " "
    return _pieces(prompt, tokens, between)


def _label(estimator: LanguageModel, written: str | None) -> Any:
    """Return the class that is written so: classes may be numbers."""
    known = [] if estimator.classes_ is None else estimator.classes_.tolist()
    return next((label for label in known if str(label) == written), written)


def _pieces(prompt: str, tokens: Iterator[Any], between: str) -> Iterator[str]:
    if prompt:
        yield prompt
    begun = bool(prompt)
    for token in tokens:
        yield f"{between if begun else ''}{token}"
        begun = True
