"""The candidates and fits of an experiment side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from seqpipe.diagnostics import plot_candidates
from seqpipe.exceptions import TrackingError
from seqpipe.tracking import newest_experiment, read_curves, read_runs

__all__ = ["Comparison", "compare_experiment"]

#: Learning curves are drawn for this many of the best.
_MOST_CURVES = 6


@dataclass(frozen=True)
class Comparison:
    """What an experiment has tried.

    Attributes
    ----------
    experiment : str
        Its name.
    table : DataFrame
        One row a candidate or single fit, the best first: ``name``, ``mean`` and ``std`` of its score over folds (of
        a single fit its score on held-out data), ``seconds`` a fit took, ``n_parameters``.
    figure : matplotlib.figure.Figure
        The same as a picture, with the learning curves of the best, of their first fold.
    """

    experiment: str
    table: pd.DataFrame
    figure: Figure


def compare_experiment(experiment: str | None = None, tracking_uri: str | None = None) -> Comparison:
    """Return the candidates and fits that an experiment holds.

    Parameters
    ----------
    experiment : str, optional
        Its name; the one that changed last by default.
    tracking_uri : str, optional
        The store; MLFLOW_TRACKING_URI if not given, else the embedded one of the working folder.

    Raises
    ------
    TrackingError
        If the store cannot be used, has no such experiment, or there is nothing to compare in it.
    """
    experiment = newest_experiment(tracking_uri) if experiment is None else experiment
    runs = read_runs(experiment, tracking_uri, kinds=("search", "candidate", "fold", "fit"))
    of_a_search = (runs["kind"] == "candidate") & runs["parent"].isin(runs["run_id"])  # it may have been deleted
    compared = runs[of_a_search | (runs["kind"] == "fit")]
    if compared.empty:
        raise TrackingError(f"The experiment {experiment!r} has no candidates or fits yet: run a recipe first.")
    rows = [_row(run, runs) for _, run in compared.iterrows()]
    table = pd.DataFrame(rows).sort_values("mean", ascending=False, kind="stable", ignore_index=True)
    figure = plot_candidates(table, _curves(table.head(_MOST_CURVES), tracking_uri))
    shown = table.drop(columns="curve_of").astype({"n_parameters": "Int64"})
    return Comparison(experiment, shown, figure)


def _row(run: pd.Series, runs: pd.DataFrame) -> dict[str, object]:
    folds = runs[runs["parent"] == run["run_id"]]
    told = folds.iloc[-1] if len(folds) else run  # the newest is first
    is_fit = run["kind"] == "fit"
    return {
        "name": _name(run, runs),
        "mean": _metric(run, "held_out.score" if is_fit else "mean_test_score"),
        "std": _metric(run, "std_test_score"),
        "seconds": _metric(run, "fit_seconds" if is_fit else "mean_fit_time"),
        "n_parameters": _metric(told, "n_parameters"),
        "curve_of": told["run_id"],
    }


def _name(run: pd.Series, runs: pd.DataFrame) -> str:
    """Return a run's name, with the number of the search or fit it belongs to where there are several."""
    outermost = runs.loc[runs["kind"].isin(["search", "fit"]), "run_id"].tolist()[::-1]
    if len(outermost) < 2:
        return str(run["name"])
    belongs_to = run["run_id"] if run["kind"] == "fit" else run["parent"]
    return f"{outermost.index(belongs_to) + 1}: {run['name']}"


def _metric(run: pd.Series, name: str) -> float:
    return float(run.get(f"metrics.{name}", np.nan))


def _curves(best: pd.DataFrame, tracking_uri: str | None) -> dict[str, list[dict[str, float]]]:
    points = read_curves(best["curve_of"], tracking_uri)
    points = points[(points["step"] > 0) & points["key"].str.endswith("_loss")]
    curves = {}
    for name, run_id in zip(best["name"], best["curve_of"]):
        epochs = points[points["run_id"] == run_id].pivot_table("value", "step", "key")
        if len(epochs):
            curves[name] = epochs.rename_axis("epoch").reset_index().to_dict("records")
    return curves
