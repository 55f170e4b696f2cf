"""The model card of a promoted model, in the form of skops: what it was trained on, how it was chosen and scored, its limits."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset
from skops.card import Card

from seqpipe.tracking._chosen_model import ChosenModel
from seqpipe.tracking._held_out import HELD_OUT, WINNER
from seqpipe.tracking._inputs import EVALUATION, TRAINING, data_of
from seqpipe.tracking._registry import HeldOutScores, scores_of

__all__ = ["model_card"]

#: Parameters of a model that the card names.
_NAMED = ("cell", "hidden_size", "num_layers", "bidirectional", "pooling", "max_epochs", "lr", "random_state")


def model_card(client: MlflowClient, chosen: ChosenModel, uri: str) -> str:
    """Return the model card as Markdown.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    chosen : ChosenModel
        The model with its runs.
    uri : str
        The URI that will load it.
    """
    scores = scores_of(chosen.model)
    table = _scores_table(client, chosen, scores)
    card = Card(None, template=None)
    card.add(**{"Model description": _description(chosen)})
    card.add(**{"Intended uses & limitations": _limits(chosen, scores, table)})
    card.add(**{"Training procedure": _training(client, chosen)})
    card.add(**{"Evaluation results": _evaluation(chosen, scores)})
    if len(table):
        shown = table.map(lambda value: f"{value:.4g}" if isinstance(value, float) else str(value))
        card.add_table(folded=False, **{"Evaluation results/Held-out scores": shown})
    card.add(**{"How to get started with the model": _usage(uri)})
    return str(card.render())


def _description(chosen: ChosenModel) -> str:
    tags, params = chosen.root.data.tags, chosen.model.params or {}
    short = {key.rpartition("__")[2]: value for key, value in params.items()}
    named = ", ".join(f"{name}={short[name]}" for name in _NAMED if name in short)
    estimator = chosen.run.data.tags.get("seqpipe.estimator", "an estimator")
    task = f" for the task `{tags['seqpipe.task']}`" if "seqpipe.task" in tags else ""
    written = {name: tags.get(f"seqpipe.version.{name}") for name in ("seqpipe", "torch", "scikit-learn", "python")}
    versions = ", ".join(f"{name} {version}" for name, version in written.items() if version)
    commit = tags.get("mlflow.source.git.commit")
    return "\n".join(
        [
            f"`{chosen.model.name}` is a {estimator}{task}{f': {named}' if named else ''}.",
            "",
            f"- run {chosen.root.info.run_id} of the experiment {chosen.experiment!r}; logged model {chosen.model.model_id}",
            f"- versions: {versions}",
            *([f"- git commit {commit}"] if commit else []),
        ]
    )


def _training(client: MlflowClient, chosen: ChosenModel) -> str:
    tags = chosen.root.data.tags
    lines = [f"- data: {_described(data_of(chosen.root, TRAINING))}"]
    if (fitted := tags.get("seqpipe.fitted_to.logged", "the same")) != "the same":
        lines.append(f"- fitted to {fitted}; the model that was evaluated was fitted to the data above only")
    if winner := chosen.model.tags.get(WINNER):
        query = f"tags.`mlflow.parentRunId` = '{chosen.root.info.run_id}' AND tags.`seqpipe.kind` = 'candidate'"
        n = len(client.search_runs([chosen.root.info.experiment_id], query))
        best = chosen.root.data.metrics.get("best_score")
        score = "" if best is None else f", with a mean score of {best:.4g} over the folds"
        lines.append(f"- search: {n or 'several'} candidates{_grid(chosen)}, ranked by {_scoring(chosen)}")
        lines.append(f"- the best candidate: {winner}{score}")
    return "\n".join(lines)


def _grid(chosen: ChosenModel) -> str:
    """Return the values that were searched, which the outermost run has as parameters of the model's names."""
    params = {name: values for name, values in chosen.root.data.params.items() if name in (chosen.model.params or {})}
    named = "; ".join(f"{name.rpartition('__')[2]} {values}" for name, values in params.items())
    return f" ({named})" if named and chosen.root is not chosen.run else ""


def _scoring(chosen: ChosenModel) -> str:
    scoring = chosen.root.data.params.get("scoring", "None")
    return "the score of the estimator" if scoring == "None" else scoring


def _described(data: Dataset | None) -> str:
    """Return name, size and digest of a data set."""
    if data is None:
        return "unknown"
    profile = _profile(data)
    sizes = f"{profile['n_samples']:,} samples" if "n_samples" in profile else "of unknown size"
    if profile.get("longest") is not None:
        sizes += f" of {_lengths(profile)} steps"
    if profile.get("n_features") is not None:
        sizes += f", {profile['n_features']} features"
    return f"{data.name!r}, {sizes}; digest {data.digest}"


def _profile(data: Dataset | None) -> dict[str, Any]:
    try:
        found = json.loads(data.profile or "{}") if data is not None else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _lengths(profile: dict[str, Any]) -> str:
    shortest, longest = profile["shortest"], profile["longest"]
    return f"{longest}" if shortest == longest else f"{shortest} to {longest}"


def _evaluation(chosen: ChosenModel, scores: HeldOutScores) -> str:
    if scores.primary is None:
        return "The model was not scored on held-out data."
    better = "greater" if scores.greater_is_better else "smaller"
    return (
        f"Held-out data: {_described(data_of(chosen.root, EVALUATION))}.\n\n"
        f"{scores.primary.removeprefix(HELD_OUT)} decides between models; {better} is better."
    )


def _scores_table(client: MlflowClient, chosen: ChosenModel, scores: HeldOutScores) -> pd.DataFrame:
    """Return the held-out scores beside those of the baselines, if the run has them."""
    paths = {each.path for each in client.list_artifacts(chosen.root.info.run_id)}
    if "held_out.csv" in paths:
        with tempfile.TemporaryDirectory() as folder:
            found = client.download_artifacts(chosen.root.info.run_id, "held_out.csv", folder)
            return pd.read_csv(Path(found))
    rows = [(name.removeprefix(HELD_OUT), value) for name, value in sorted(scores.metrics.items())]
    return pd.DataFrame(rows, columns=["score", str(chosen.model.name)])


def _limits(chosen: ChosenModel, scores: HeldOutScores, table: pd.DataFrame) -> str:
    profile = _profile(data_of(chosen.root, TRAINING))
    lines = [
        "- The scores hold for data like the held-out data only; nothing is known of other sources, times or groups."
    ]
    if profile.get("longest") is not None:
        lines.append(
            f"- It was trained on sequences of {_lengths(profile)} steps; of other lengths its quality is unknown."
        )
    if scores.primary is None:
        lines.append("- Its quality was not measured.")
    lines += [f"- By {name} it is not better than the baseline {other!r}." for name, other in _beaten_by(scores, table)]
    return "\n".join(lines)


def _beaten_by(scores: HeldOutScores, table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the baselines that are no worse than the model by the score that decides, with its name."""
    name = (scores.primary or "").removeprefix(HELD_OUT)
    rows = table[table["score"] == name]
    if rows.empty or table.shape[1] < 3:
        return []
    own, *others = rows.iloc[0, 1:].astype(float)
    sign = 1 if scores.greater_is_better else -1
    return [(name, str(other)) for other, value in zip(table.columns[2:], others) if sign * value >= sign * own]


def _usage(uri: str) -> str:
    return f"""\
```
seqpipe predict {uri} new.csv -o predictions.csv
seqpipe serve {uri}
```

```python
from seqpipe.tracking import load_model

model, metadata = load_model("{uri}")
```

It is read without pickle, by the versions of seqpipe and scikit-learn that wrote it."""
