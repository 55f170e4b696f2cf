"""Give a logged model a name and an alias, unless the model that has it is better."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from seqpipe.exceptions import TrackingError
from seqpipe.tracking._chosen_model import ChosenModel, choose_model
from seqpipe.tracking._logged_model import registered_name
from seqpipe.tracking._model_card import model_card
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._registry import check_name, current_version, model_of_version, register, registry, scores_of
from seqpipe.tracking._store import open_client

__all__ = ["Promotion", "promote"]

#: The file of the run that describes the model.
CARD = "model_card.md"


@dataclass(frozen=True)
class Promotion:
    """A model with its alias.

    Attributes
    ----------
    name, version, alias : str
        Name and version of the registered model, and the alias that it has now.
    model_uri : str
        URI that loads it, "models:/<name>@<alias>".
    run_id : str
        The outermost run of the model, whose artifact "model_card.md" describes it.
    previous : str or None
        The version that had the alias before; None if none had, and ``version`` if this one had it already.
    scores : str
        How it compares with the previous one.
    """

    name: str
    version: str
    alias: str
    model_uri: str
    run_id: str
    previous: str | None
    scores: str


def promote(
    source: str,
    *,
    alias: str = "champion",
    name: str | None = None,
    tracking_uri: str | None = None,
    force: bool = False,
) -> Promotion:
    """Register a logged model under a name, describe it in a model card and give it an alias.

    Parameters
    ----------
    source : str
        "models:/…", the id of a run or its first characters, or the name of an experiment, of which the newest finished
        search or fit is meant.
    alias : str, default="champion"
        The alias; another version that has it loses it.
    name : str, optional
        Name of the registered model; by default that of the experiment.
    tracking_uri : str, optional
        URI of the store; by default MLFLOW_TRACKING_URI, else the embedded store of the working folder.
    force : bool, default=False
        Whether to promote the model although it is worse than the version that has the alias, or cannot be compared.

    Returns
    -------
    promotion : Promotion
        The registered model.

    Raises
    ------
    TrackingError
        If there is no such run, it has no model, the store has no registry, or the model is refused; the message says why.
    """
    client = open_client(tracking_uri)
    with registry(client), quiet():
        chosen = choose_model(client, source)
        name = registered_name(chosen.experiment) if name is None else name
        check_name(name)
        current = current_version(client, name, alias)
        refusal, compared = _compared(client, chosen, current, alias)
        if refusal and not force:
            raise TrackingError(
                f"{refusal} Nothing was changed. With --force (force=True) it is promoted all the same."
            )
        uri = f"models:/{name}@{alias}"
        card = model_card(client, chosen, uri)
        _log_card(client, chosen, card)
        version = register(client, chosen.model, name, card)
        client.set_registered_model_alias(name, alias, version)
    previous = None if current is None else str(current.version)
    return Promotion(name, version, alias, uri, str(chosen.root.info.run_id), previous, compared)


def _compared(client: MlflowClient, chosen: ChosenModel, current: Any, alias: str) -> tuple[str | None, str]:
    """Return why a model must not replace the version that has the alias, None if it may, and how their scores compare."""
    scores = scores_of(chosen.model)
    own = f"{scores.primary} {scores.metrics[scores.primary]:.4g}" if scores.primary else "no held-out score"
    if current is None:
        return None, own
    model = model_of_version(client, current)
    if model is not None and model.model_id == chosen.model.model_id:
        return None, own
    held = scores_of(model)
    who = f"The model {chosen.model.name!r} (run {chosen.short_id})"
    present = f"{alias!r}, version {current.version} of {current.name!r}"
    if held.primary is None:
        return f"{who} cannot be compared with {present}, which has no held-out score.", own
    if held.primary not in scores.metrics:
        return f"{who} has no {held.primary}, by which it would be compared with {present}.", own
    before, now = held.metrics[held.primary], scores.metrics[held.primary]
    numbers = f"{held.primary} {now:.4g} against {before:.4g}"
    if (held.data, held.digest) != (scores.data, scores.digest):
        return (
            f"{who} cannot be compared with {present}: they were scored on different held-out data, {scores.data!r} "
            f"({scores.digest}) and {held.data!r} ({held.digest}).",
            f"{numbers}, on different data",
        )
    if now < before if held.greater_is_better else now > before:
        better = "greater" if held.greater_is_better else "smaller"
        return f"{who} is worse than {present}: {numbers}; {better} is better.", numbers
    return None, numbers


def _log_card(client: MlflowClient, chosen: ChosenModel, card: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CARD
        path.write_text(card, encoding="utf-8")
        client.log_artifact(chosen.root.info.run_id, str(path))
