from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable
from io import StringIO
from multiprocessing.dummy import DummyProcess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from rich.console import Console
from sklearn.base import clone

from seqpipe.datasets import load_stocks
from seqpipe.exceptions import FitFailedError, InvalidSequencesError, RecipeError, TrackingError, TrackingWarning
from seqpipe.pipeline import RunResult, local_path, run_recipe
from seqpipe.tracking import load_model, read_runs

TINY = {
    "data": {"dataset": "digits"},
    "task": {"classify": {"max_epochs": 1, "hidden_size": 4}},
    "evaluate": {"test_size": 0.5},
}
SEARCH = {
    **TINY,
    "search": {"grid": {"cell": ["rnn", "gru"], "hidden_size": [4, 5]}, "cv": 2, "scoring": "accuracy"},
}
FAILING = {"class_weight": [{"no such label": 2.0}]}
UNTRACKED = {"tracking": {"enabled": False}}
#: Columns of what no run repeats.
SECONDS = ["seconds", "compile_seconds"]


@pytest.fixture(scope="module")
def console() -> Console:
    return Console(record=True, width=120, force_terminal=False, quiet=False, file=StringIO())


@pytest.fixture(scope="module")
def searched(store: str, console: Console) -> RunResult:
    return run_recipe({**SEARCH, "name": "searched", "tracking": {"uri": store}}, console=console)


@pytest.fixture
def printed(searched: RunResult, console: Console) -> str:
    return console.export_text(clear=False)


@pytest.mark.live_tree
def test_the_best_candidate_comes_first(searched: RunResult):
    table = searched.table
    assert table["rank"].is_monotonic_increasing
    assert table["mean"].iloc[0] == table["mean"].max() == searched.best_score
    assert set(table.columns) == {
        "rank", "name", "cell", "hidden_size", "mean", "std", "seconds", "compile_seconds", "n_parameters", "error",
    }  # fmt: skip
    assert searched.best_params == {key: table[key].iloc[0] for key in ("cell", "hidden_size")}
    assert searched.estimator.n_parameters_ == table["n_parameters"].iloc[0]


def test_the_held_out_scores_stand_beside_the_baselines(searched: RunResult):
    assert set(searched.baselines) == {"most frequent class", "logistic regression"}
    for metrics in searched.baselines.values():
        assert metrics.keys() == searched.metrics.keys()
    assert searched.metrics["accuracy"] > searched.baselines["most frequent class"]["accuracy"]


@pytest.mark.live_tree
def test_a_search_leaves_its_tree_of_runs(searched: RunResult, store: str):
    runs = read_runs("searched", store, kinds=("search", "candidate", "fold", "refit"))
    assert runs["kind"].value_counts().to_dict() == {"fold": 8, "candidate": 4, "refit": 1, "search": 1}
    assert set(runs["status"]) == {"FINISHED"}
    assert set(runs.loc[runs["kind"] == "candidate", "name"]) == set(searched.table["name"])


def test_held_out_scores_are_recorded_on_the_search_the_refit_and_runs_of_baselines(searched: RunResult, store: str):
    runs = read_runs("searched", store, kinds=("search", "refit", "baseline"))
    baselines = runs[runs["kind"] == "baseline"].set_index("name")
    assert set(baselines.index) == {f"baseline: {name}" for name in searched.baselines}
    for name, metrics in searched.baselines.items():
        assert baselines.loc[f"baseline: {name}", "metrics.held_out.accuracy"] == metrics["accuracy"]
    runs = runs.set_index("kind")
    assert runs.loc["search", "metrics.held_out.accuracy"] == searched.metrics["accuracy"]
    assert runs.loc["refit", "metrics.held_out.accuracy"] == searched.metrics["accuracy"]
    assert set(runs.loc[["search"], "name"]) == {"searched: cell × hidden_size"}


def test_pictures_and_tables_lie_where_the_report_says(searched: RunResult, printed: str):
    assert searched.record is not None
    folder = Path(local_path(searched.record.artifact_uri))
    assert {path.name for path in folder.iterdir()} == {
        "candidates.csv",
        "held_out.csv",
        "parameters.json",
        "pictures",
        "recipe.yaml",
    }
    assert {path.name for path in (folder / "pictures").iterdir()} == {
        "confusion_matrix.png",
        "learning_curves.png",
    }
    assert f"pictures: {folder}/pictures (confusion_matrix.png, learning_curves.png)" in printed
    assert len(pd.read_csv(folder / "candidates.csv")) == 4


def test_the_report_ends_with_how_to_go_on(searched: RunResult, printed: str):
    assert searched.record is not None
    links = [f"        {name}: {address}" for name, address in searched.record.links.items()]
    assert {"Candidates by score", "Best five compared", "Learning curves"} <= set(searched.record.links)
    assert printed.rstrip().endswith("\n".join(["next: seqpipe compare searched", "      seqpipe ui", *links]))
    assert f"model: {searched.record.model_uri}" in printed


@pytest.mark.live_tree
def test_progress_is_plain_lines_where_there_is_no_terminal(printed: str):
    (line,) = [line for line in printed.splitlines() if line.startswith("9 fits in ")]
    assert re.search(r" s \| best score \d\.\d+ \((rnn|gru) · \d\)$", line)


def test_the_recipe_that_was_run_runs_again(searched: RunResult):
    assert searched.record is not None
    again = run_recipe(
        Path(local_path(searched.record.artifact_uri)) / "recipe.yaml", overrides=["tracking.enabled=false"]
    )
    pd.testing.assert_frame_equal(again.table.drop(columns="seconds"), searched.table.drop(columns="seconds"))
    assert again.metrics == searched.metrics


@pytest.mark.live_tree
def test_two_processes_find_what_one_finds(searched: RunResult, store: str):
    recipe = {**SEARCH, "name": "two processes", "steps": ["scale"], "tracking": {"uri": store}}
    one, two = run_recipe({**recipe, **UNTRACKED}), run_recipe(recipe, jobs=2)
    pd.testing.assert_frame_equal(one.table.drop(columns=SECONDS), two.table.drop(columns=SECONDS))
    assert read_runs("two processes", store)["kind"].tolist().count("candidate") == 4


@pytest.mark.live_tree
def test_two_threads_find_what_one_finds(store: str):
    recipe = {**SEARCH, "name": "threads", "tracking": {"uri": store}}
    recipe["search"] = {**SEARCH["search"], "jobs": 2, "backend": "threading"}
    one, two = run_recipe({**SEARCH, **UNTRACKED}), run_recipe(recipe)
    pd.testing.assert_frame_equal(one.table.drop(columns=SECONDS), two.table.drop(columns=SECONDS))
    runs = read_runs("threads", store, kinds=("search", "candidate", "fold", "refit"))
    assert runs["kind"].value_counts().to_dict() == {"fold": 8, "candidate": 4, "refit": 1, "search": 1}
    assert set(runs["status"]) == {"FINISHED"}


def test_candidates_that_fail_in_threads_are_shown_with_the_reason():
    grid = {"class_weight": [None, *FAILING["class_weight"]]}
    search = {"grid": grid, "cv": 2, "jobs": 2, "backend": "threading"}
    table = run_recipe({**TINY, **UNTRACKED, "search": search}).table
    assert table["error"].str.startswith("ValueError: The classes").tolist() == [False, True]


@pytest.mark.live_tree
def test_ctrl_c_ends_a_search_on_threads_and_its_runs(store: str):
    endless = {"classify": {"hidden_size": 4, "max_epochs": 1_000_000}}
    search = {"grid": {"lr": [0.01, 0.02]}, "cv": 2, "jobs": 2, "backend": "threading"}
    recipe = {**TINY, "name": "broken off", "task": endless, "search": search, "tracking": {"uri": store}}
    threading.Thread(target=_press_ctrl_c_once_both_workers_train, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run_recipe(recipe)
    assert not any(isinstance(thread, DummyProcess) for thread in threading.enumerate())
    runs = read_runs("broken off", store, kinds=("search", "candidate", "fold"))
    assert set(runs["status"]) == {"KILLED"}


def _press_ctrl_c_once_both_workers_train() -> None:
    deadline = time.monotonic() + 60
    while sum(isinstance(thread, DummyProcess) for thread in threading.enumerate()) < 2:
        if time.monotonic() > deadline:  # the search never started
            return
        time.sleep(0.05)
    time.sleep(1)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def test_a_terminal_gets_one_line_that_moves():
    console = Console(record=True, width=120, force_terminal=True, file=StringIO())
    run_recipe({**SEARCH, **UNTRACKED}, console=console)
    text = console.export_text()
    assert "9 fits in" in text


def test_a_recipe_without_search_is_one_fit(store: str):
    console = Console(record=True, width=120, force_terminal=True, file=StringIO())
    result = run_recipe({**TINY, "name": "one fit", "tracking": {"uri": store}}, console=console)
    assert (len(result.table), result.best_score, result.best_params) == (0, None, {})
    assert result.record is not None
    assert result.record.refit_run_id is None
    [run] = read_runs("one fit", store).to_dict("records")
    assert (run["kind"], run["status"], run["metrics.held_out.accuracy"]) == (
        "fit",
        "FINISHED",
        result.metrics["accuracy"],
    )
    assert "next: seqpipe compare 'one fit'" in console.export_text()


def test_without_tracking_nothing_is_written(own_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    console = Console(record=True, width=120, file=StringIO())
    result = run_recipe({**TINY, **UNTRACKED}, console=console)
    assert result.record is None
    assert set(result.pictures) == {"confusion_matrix", "learning_curves"}
    assert "Nothing was recorded: 'tracking.enabled' is false." in console.export_text()
    assert not list(own_folder.iterdir())


def test_without_a_console_nothing_is_printed(capsys: pytest.CaptureFixture[str]):
    run_recipe({**SEARCH, **UNTRACKED})
    assert capsys.readouterr() == ("", "")


def test_the_seed_decides(store: str):
    one, same, other = (run_recipe({**TINY, **UNTRACKED, "seed": seed}).metrics for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_a_search_of_which_every_fit_fails_is_an_error_with_the_reason(store: str):
    recipe = {**TINY, "name": "all fail", "search": {"grid": FAILING, "cv": 2}, "tracking": {"uri": store}}
    with pytest.raises(
        FitFailedError, match=r"^Every fit of the search failed, the first with ValueError: The classes"
    ):
        run_recipe(recipe)
    runs = read_runs("all fail", store, kinds=("search", "candidate", "fold"))
    assert set(runs["status"]) == {"FAILED"}


def test_a_search_of_which_no_score_is_finite_is_an_error_with_the_reason():
    search = {"grid": {"hidden_size": [3, 4]}, "cv": 2, "scoring": "roc_auc"}
    with pytest.raises(FitFailedError, match=r"No candidate .* the first with ValueError: multi_class must be in"):
        run_recipe({**TINY, **UNTRACKED, "search": search})


@pytest.mark.live_tree
def test_candidates_that_fail_are_shown_with_the_reason():
    console = Console(record=True, width=200, file=StringIO())
    grid = {"class_weight": [None, *FAILING["class_weight"]]}
    result = run_recipe({**TINY, **UNTRACKED, "search": {"grid": grid, "cv": 2}}, console=console)
    assert result.table["error"].str.startswith("ValueError: The classes").tolist() == [False, True]
    text = console.export_text()
    assert "5 fits in " in text
    assert "2 failed" in text
    assert "class_weight {'no such label': 2.0}: ValueError: The classes" in text


def test_a_step_that_fails_is_an_error_with_the_reason(write: Callable[..., Path]):
    rows = "\n".join(f"{i},{t},{t % 3},{i % 2}" for i in range(12) for t in range(3))
    write(f"id,t,a,y\n{rows}\n", "rows.csv")
    recipe = {
        "data": {"path": "rows.csv", "id": "id", "time": "t", "target": "y"},
        "steps": [{"pad": {"pad_value": float("nan")}}],
        "task": TINY["task"],
        "search": {"grid": {"pad__length": [5]}, "cv": 2},
        **UNTRACKED,
    }
    with pytest.raises(FitFailedError, match=r"the first with .*NaN"):
        run_recipe(recipe)


def test_a_forecast_is_judged_beside_the_naive_ones():
    result = run_recipe(
        {
            "data": {"dataset": "stocks", "target": ["IBM", "MSFT"]},
            "task": {"forecast": {"window": 6, "hidden_size": 3, "max_epochs": 1, "difference": True}},
            "evaluate": {"test_size": 12},
            "search": {"grid": {"window": [6, 12]}, "cv": 2, "scoring": "mae"},
            **UNTRACKED,
        }
    )
    assert {"last value", "drift"} <= set(result.baselines)
    assert all(np.isfinite(list(metrics.values())).all() for metrics in [result.metrics, *result.baselines.values()])
    assert "forecast" in result.pictures


FORECAST = {
    "data": {"dataset": "stocks", "target": ["IBM"]},
    "task": {"forecast": {"window": 6, "hidden_size": 3, "max_epochs": 1}},
    "evaluate": {"test_size": 12},
}


def test_a_forecaster_is_fitted_again_to_all_rows_after_its_evaluation():
    result = run_recipe({**FORECAST, **UNTRACKED})
    every_row = load_stocks().frame["IBM"].to_numpy()[:, None]
    np.testing.assert_allclose(result.final.predict(3), clone(result.estimator).fit(every_row).predict(3))
    assert not np.allclose(result.final.predict(3), result.estimator.predict(3))


def test_a_recipe_decides_whether_the_model_is_fitted_again():
    kept = run_recipe({**FORECAST, "evaluate": {"test_size": 12, "refit": False}, **UNTRACKED})
    assert kept.final is kept.estimator
    assert run_recipe({**TINY, **UNTRACKED}).final is not None
    again = run_recipe({**TINY, "evaluate": {"refit": True}, **UNTRACKED})
    assert again.final is not again.estimator
    assert again.final.n_features_in_ == again.estimator.n_features_in_


def test_a_run_tells_the_evaluated_model_from_the_logged_one(store: str):
    result = run_recipe({**FORECAST, "name": "twice fitted", "tracking": {"uri": store}})
    assert result.record is not None
    logged, _ = load_model(result.record.model_uri, store)
    np.testing.assert_array_equal(logged.predict(3), result.final.predict(3))
    tags = MlflowClient(store).get_run(result.record.run_id).data.tags
    n_rows = len(load_stocks().frame)
    assert tags["seqpipe.fitted_to.evaluated"] == f"{n_rows - 12:,}; scored on 12 held out"
    assert tags["seqpipe.fitted_to.logged"] == f"all {n_rows:,}, after the evaluation"


def test_a_final_model_that_cannot_be_logged_is_told(store: str, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> str:
        raise TrackingError("the disk is full")

    monkeypatch.setattr("seqpipe.tracking.MLflowTracker.log_model", fail)
    with pytest.warns(TrackingWarning, match="The model was not logged. the disk is full"):
        result = run_recipe({**FORECAST, "name": "full disk", "tracking": {"uri": store}})
    assert result.record is not None
    assert result.record.model_uri is None


def test_a_store_that_goes_away_in_a_run_takes_nothing_from_its_result(store: str, monkeypatch: pytest.MonkeyPatch):
    there = iter([None])  # when the parent run is created

    def check_reachable(uri: str) -> None:
        if next(there, "away") is not None:
            raise ConnectionRefusedError("away")

    with monkeypatch.context() as away:
        away.setattr("seqpipe.tracking._writer.check_reachable", check_reachable)
        away.setattr("seqpipe.tracking._writer._TIMEOUT", 0.5)
        with pytest.warns(TrackingWarning, match="not written.*seqpipe sync|kept and written again"):
            result = run_recipe({**SEARCH, "name": "away", "tracking": {"uri": store}})
    assert set(result.metrics) >= {"accuracy"}
    assert result.record is not None
    assert result.record.model_uri is None
    for _ in range(240):  # its writer goes on
        runs = read_runs("away", store, kinds=["search", "candidate", "fold", "refit"])
        if set(runs["status"]) == {"FINISHED"} and len(runs) == 14:
            break
        time.sleep(0.25)
    assert set(runs["status"]) == {"FINISHED"}


def test_the_second_fit_is_announced():
    console = Console(record=True, width=120, file=StringIO())
    run_recipe({**FORECAST, **UNTRACKED}, console=console)
    assert "fitting again to all 390, the 12 held out included" in console.export_text()


def test_a_regression_is_judged_beside_the_mean(write: Callable[..., Path]):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.repeat(np.arange(40), 5), "t": np.tile(np.arange(5), 40), "a": rng.normal(size=200)})
    frame["y"] = frame.groupby("id")["a"].transform("mean")
    frame.to_parquet("rows.parquet")
    result = run_recipe(
        {
            "data": {"path": "rows.parquet", "id": "id", "time": "t", "target": "y"},
            "task": {"regress": {"hidden_size": 4, "max_epochs": 2}},
            **UNTRACKED,
        }
    )
    assert {"r2", "mae", "rmse"} <= set(result.metrics)
    assert "mean" in result.baselines


def test_wrong_recipes_and_data_leave_no_run(store: str, write: Callable[..., Path]):
    write("id,a,y\nx,,u\n", "rows.csv")
    with pytest.raises(InvalidSequencesError, match=r"rows\.csv:2"):
        run_recipe({**TINY, "name": "bad", "data": {"path": "rows.csv", "id": "id", "target": "y"}})
    with pytest.raises(RecipeError, match="dta: is not a field here"):
        run_recipe({**TINY, "name": "bad", "dta": 1})
    with pytest.raises(TrackingError, match="There is no experiment 'bad'|There are no runs yet"):
        read_runs("bad", store)


def test_a_recipe_may_ask_for_diagnostics(store: str):
    tracking = {"uri": store, "log_model": False, "diagnostics": ["gradient_flow", "hidden_states"]}
    recipe = {
        **TINY,
        "name": "looked into",
        "steps": [{"scale": {"method": "standard"}}],
        "search": {"grid": {"cell": ["rnn", "gru"]}, "cv": 2},
        "tracking": tracking,
    }
    console = Console(record=True, width=200, file=StringIO())
    result = run_recipe(recipe, console=console)
    assert list(result.pictures) == ["confusion_matrix", "learning_curves", "gradient_flow", "hidden_states"]
    assert "learning_curves.png, gradient_flow.png, hidden_states.png" in console.export_text()
    assert result.record is not None
    folder = Path(local_path(result.record.artifact_uri)) / "pictures"
    assert {path.stem for path in folder.iterdir()} == set(result.pictures)
    runs = read_runs("looked into", store, kinds=("search", "refit"))
    assert runs["metrics.gradient_growth"].notna().all()


def test_a_forecast_is_looked_into_at_its_windows(store: str):
    recipe = {
        "name": "windows",
        "data": {"dataset": "stocks", "target": ["IBM"]},
        "task": {"forecast": {"window": 6, "hidden_size": 3, "max_epochs": 1}},
        "evaluate": {"test_size": 12},
        "tracking": {"uri": store, "log_model": False, "diagnostics": "gradient_flow"},
    }
    assert run_recipe(recipe).pictures["gradient_flow"].axes[0].get_xlabel() == "time step"


def test_a_single_fit_tells_its_epochs():
    console = Console(record=True, width=120, file=StringIO())
    run_recipe({**TINY, **UNTRACKED}, console=console)
    assert "1 epoch in " in console.export_text()


def test_no_processes_at_all_are_refused():
    with pytest.raises(RecipeError, match=r"^--jobs: must be a number of parallel fits"):
        run_recipe({**SEARCH, **UNTRACKED}, jobs=0)
