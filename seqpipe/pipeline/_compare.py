"""Comparison of the candidates and fits of an experiment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from seqpipe.diagnostics import plot_candidates
from seqpipe.exceptions import TrackingError
from seqpipe.tracking import newest_experiment, read_curves, read_runs

__all__ = ["COLUMNS_EXPLAINED", "Comparison", "compare_experiment"]

#: Number of best candidates whose learning curves are plotted.
_MOST_CURVES = 12
#: Number of characters of a run id that are shown.
_SHORT = 8
COLUMNS_EXPLAINED = (
    "mean, std: score over the folds of a search; for a single fit, its score on held-out data\n"
    "seconds per fit: training (fit s), and compilation of the cell before it (compile s)\n"
    "run: the id of the search or fit, for --run"
)


@dataclass(frozen=True)
class Comparison:
    """The candidates and fits of an experiment.

    Attributes
    ----------
    experiment : str
        Name of the experiment.
    table : DataFrame
        One row per candidate or single fit, the best first: ``name``, ``mean`` and ``std`` of its score over folds (for
        a single fit its score on held-out data), ``seconds`` of training and ``compile_seconds`` of compilation per
        fit, ``n_parameters``, ``data`` if it differs, and ``run``, the first characters of the id of its search or fit.
    figure : matplotlib.figure.Figure
        A plot of the table, with the learning curves of the best candidates on their first fold.
    left_out : str
        Message that lists searches and fits left out, with the reason; empty if there are none.
    """

    experiment: str
    table: pd.DataFrame
    figure: Figure
    left_out: str = ""


def compare_experiment(
    experiment: str | None = None,
    tracking_uri: str | None = None,
    *,
    runs: Iterable[str] = (),
    all_data: bool = False,
) -> Comparison:
    """Return the candidates and fits of an experiment.

    Scores are comparable only for the same data and scoring: without ``runs`` and ``all_data``, the searches and fits
    with the same data and scoring as the newest are compared.

    Parameters
    ----------
    experiment : str, optional
        Name of the experiment; by default the one that changed last.
    tracking_uri : str, optional
        The tracking store; by default MLFLOW_TRACKING_URI, else the embedded store in the working folder.
    runs : iterable of str
        The searches and fits to compare, even on different data: ids of their runs or of nested runs, or prefixes of
        ids.
    all_data : bool, default=False
        Whether to compare all searches and fits.

    Raises
    ------
    TrackingError
        If the store cannot be used, has no such experiment or run, or the experiment is empty.
    """
    experiment = newest_experiment(tracking_uri) if experiment is None else experiment
    every = read_runs(experiment, tracking_uri, kinds=("search", "rung", "candidate", "fold", "refit", "fit"))
    every["of"] = _searches_and_fits(every)
    if every["of"].isna().all():
        raise TrackingError(_nothing(every, experiment))
    wanted = _chosen(every, list(runs), experiment) if runs else _comparable(every, all_data=all_data)
    compared = every[every["of"].isin(wanted)]
    table = pd.DataFrame([_row(run, every) for _, run in compared.iterrows()])
    table = table.sort_values("mean", ascending=False, kind="stable", ignore_index=True)
    figure = plot_candidates(table, _curves(table.head(_MOST_CURVES), tracking_uri))
    same = ["data"] if table["data"].nunique(dropna=False) == 1 else []
    shown = table.drop(columns=["curve_of", *same]).astype({"n_parameters": "Int64"})
    return Comparison(experiment, shown, figure, "" if runs else _left_out(every, wanted))


def _searches_and_fits(every: pd.DataFrame) -> pd.Series:
    """Return the id of the search of each candidate, and of each fit; NaN for other runs, and where a parent was deleted.

    Of a search with rungs only the candidates of the last rung count, which were trained to the end.
    """
    rungs = every[every["kind"] == "rung"].drop_duplicates("parent")  # the newest is the first
    above = dict(zip(rungs["run_id"], rungs["parent"]))
    search = every["parent"].map(lambda parent: above.get(parent, parent))
    is_fit = every["kind"] == "fit"
    is_candidate = (every["kind"] == "candidate") & search.isin(every.loc[every["kind"] != "rung", "run_id"])
    return every["run_id"].where(is_fit, search).where(is_fit | is_candidate)


def _nothing(every: pd.DataFrame, experiment: str) -> str:
    """Return why there is nothing to compare."""
    if "search" in set(every["kind"]):
        return (
            f"The searches of the experiment {experiment!r} have no candidates: they were recorded with scikit-learn before "
            "1.9, which does not report the fits inside a search, or have just begun. Run "
            "\"pip install -U 'scikit-learn>=1.9'\" and search again."
        )
    return f"The experiment {experiment!r} has no candidates or fits yet: run a recipe first."


def _outermost(every: pd.DataFrame) -> pd.DataFrame:
    """Return the searches and fits that can be compared, the newest first, with the data and scoring of each."""
    found = every[every["run_id"].isin(every["of"].dropna())].copy()
    scoring = found["params.scoring"] if "params.scoring" in found else pd.Series("None", index=found.index)
    found["basis"] = found["data_digest"].fillna("").astype(str) + " " + scoring.fillna("None").astype(str)
    return found


def _comparable(every: pd.DataFrame, *, all_data: bool) -> set[str]:
    found = _outermost(every)
    comparable = found if all_data else found[found["basis"] == found["basis"].iloc[0]]
    return set(comparable["run_id"])


def _chosen(every: pd.DataFrame, names: list[str], experiment: str) -> set[str]:
    """Return the searches and fits that ids, or prefixes of ids, belong to."""
    parents = dict(zip(every["run_id"], every["parent"]))
    known = set(_outermost(every)["run_id"])
    chosen = set()
    for name in names:
        found = {_root(run_id, parents) for run_id in every["run_id"] if run_id.startswith(name)} & known
        if len(found) != 1:
            what = "no run" if not found else "several runs"
            ids = ", ".join(sorted(run_id[:_SHORT] for run_id in known))
            raise TrackingError(
                f"The experiment {experiment!r} has {what} whose id starts with {name!r}. Its searches and fits "
                f"are {ids}."
            )
        chosen |= found
    return chosen


def _root(run_id: str, parents: dict[str, str | None]) -> str:
    while (parent := parents.get(run_id)) in parents and parent is not None:
        run_id = parent
    return run_id


def _left_out(every: pd.DataFrame, wanted: set[str]) -> str:
    others = _outermost(every)
    others = others[~others["run_id"].isin(wanted)]
    if others.empty:
        return ""
    listed = ", ".join(f"{run['name']} ({run['data']}, {run['run_id'][:_SHORT]})" for _, run in others.iterrows())
    return (
        f"Not compared because their data or scoring differs: {listed}. Use --run ID to select runs, or --all-data "
        "to show all."
    )


def _row(run: pd.Series, every: pd.DataFrame) -> dict[str, object]:
    folds = every[every["parent"] == run["run_id"]]
    is_fit = run["kind"] == "fit"
    fits = run.to_frame().T if is_fit or folds.empty else folds
    newest = fits.iloc[-1]
    seconds = _mean(fits, "fit_seconds")
    [of] = every.loc[every["run_id"] == run["of"], "data"]
    return {
        "name": _name(run, every),
        "mean": _metric(run, "held_out.score" if is_fit else "mean_test_score"),
        "std": _metric(run, "std_test_score"),
        "seconds": _metric(run, "mean_fit_time") if np.isnan(seconds) else seconds,
        "compile_seconds": _mean(fits, "compile_seconds"),
        "n_parameters": _metric(newest, "n_parameters"),
        "data": of,
        "run": run["of"][:_SHORT],
        "curve_of": newest["run_id"],
    }


def _name(run: pd.Series, every: pd.DataFrame) -> str:
    """Return the name of a run, with the number of its search or fit if there are several."""
    outermost = every.loc[every["kind"].isin(["search", "fit"]), "run_id"].tolist()[::-1]
    return str(run["name"]) if len(outermost) < 2 else f"{outermost.index(run['of']) + 1}: {run['name']}"


def _metric(run: pd.Series, name: str) -> float:
    return float(run.get(f"metrics.{name}", np.nan))


def _mean(fits: pd.DataFrame, name: str) -> float:
    column = f"metrics.{name}"
    return float(fits[column].astype(float).mean()) if column in fits else float("nan")


def _curves(best: pd.DataFrame, tracking_uri: str | None) -> dict[str, list[dict[str, float]]]:
    points = read_curves(best["curve_of"], tracking_uri)
    points = points[(points["step"] > 0) & points["key"].str.endswith("_loss")]
    curves = {}
    for name, run_id in zip(best["name"], best["curve_of"]):
        epochs = points[points["run_id"] == run_id].pivot_table("value", "step", "key")
        if len(epochs):
            curves[name] = epochs.rename_axis("epoch").reset_index().to_dict("records")
    return curves
