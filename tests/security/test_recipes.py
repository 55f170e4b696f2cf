"""Recipes by others: ``seqpipe run --untrusted`` keeps them in their folder, without plug-ins, within limits.

The name of each payload is the sentence that it proves. Tags, alias bombs, deep nesting, duplicate keys and dotted paths
to Python objects are refused with and without the option; `tests/pipeline/test_document.py` and
`tests/pipeline/test_model.py` test them.
"""

from __future__ import annotations

import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from seqpipe.exceptions import CheckpointWarning, RecipeError
from seqpipe.pipeline import run_recipe
from seqpipe.pipeline._load import load_recipe
from seqpipe.pipeline._resuming import kept_run
from seqpipe.plugins import ENTRY_POINT_GROUP
from seqpipe.plugins._host import host_for

LONG = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")
TASK = {"classify": {"hidden_size": 2, "max_epochs": 1}}
DIGITS: dict[str, Any] = {"data": {"dataset": "digits"}, "task": TASK, "evaluate": {"test_size": 0.5}}
ROWS = "id,x,y\n" + "".join(f"{i},{i % 7}.5,{'ab'[i % 2]}\n" for i in range(20))

PAYLOADS: dict[str, tuple[str, Callable[[Path, Path], dict[str, Any]]]] = {}


def payload(said: str) -> Callable[[Callable[[Path, Path], dict[str, Any]]], object]:
    """Register what makes a recipe in its folder, given a folder outside, of which the error must say this."""

    def register(make: Callable[[Path, Path], dict[str, Any]]) -> object:
        PAYLOADS[make.__name__] = (said, make)
        return make

    return register


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the recipe, in which the command is run; the usual tracking store is in it."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "secret.csv").write_text(ROWS)
    monkeypatch.chdir(tmp_path / "theirs")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "theirs"


def data(path: object) -> dict[str, Any]:
    return {**DIGITS, "data": {"path": str(path), "id": "id", "target": "y"}}


def with_task(**params: object) -> dict[str, Any]:
    return {**DIGITS, "task": {"classify": {**TASK["classify"], **params}}}


def tracked(uri: str) -> dict[str, Any]:
    return {**DIGITS, "tracking": {"uri": uri}}


# ---- data


@payload("data.path: .*it reads '.*/mine/secret.csv'")
def data_by_an_absolute_path_is_not_read(theirs: Path, mine: Path) -> dict[str, Any]:
    return data(mine / "secret.csv")


@payload("data.path: .*it reads '.*/mine/secret.csv'")
def data_above_the_folder_is_not_read(theirs: Path, mine: Path) -> dict[str, Any]:
    return data("../mine/secret.csv")


@payload("data.path: .*it reads '.*/mine/none.csv'")
def a_path_above_the_folder_does_not_tell_whether_it_exists(theirs: Path, mine: Path) -> dict[str, Any]:
    return data("../mine/none.csv")


@payload("data.path: .*it reads '.*/mine/secret.csv'")
def data_behind_a_link_is_not_read(theirs: Path, mine: Path) -> dict[str, Any]:
    (theirs / "rows.csv").symlink_to(mine / "secret.csv")
    return data("rows.csv")


@payload("data.path: .*it reads '.*/mine/secret.csv'")
def data_in_a_folder_behind_a_link_is_not_read(theirs: Path, mine: Path) -> dict[str, Any]:
    (theirs / "data").symlink_to(mine)
    return data("data/secret.csv")


@payload("data.path: .*it reads '.*/mine/secret.csv'")
def a_link_in_a_folder_of_data_is_not_read(theirs: Path, mine: Path) -> dict[str, Any]:
    (theirs / "data" / "day=1").mkdir(parents=True)
    (theirs / "data" / "day=1" / "a.parquet").symlink_to(mine / "secret.csv")
    return data("data")


@payload("data.path: .*it reads '/dev/zero'")
def a_text_file_that_is_a_device_is_not_read(theirs: Path, mine: Path) -> dict[str, Any]:
    (theirs / "texts.txt").symlink_to("/dev/zero")
    return {"data": {"path": "texts.txt"}, "task": "language_model"}


@payload("there is no file")
def a_path_with_a_nul_byte_is_no_file(theirs: Path, mine: Path) -> dict[str, Any]:
    return data("a\0.csv")


@payload("there is no file")
def a_circle_of_links_is_no_file(theirs: Path, mine: Path) -> dict[str, Any]:
    (theirs / "a.csv").symlink_to("b.csv")
    (theirs / "b.csv").symlink_to("a.csv")
    return data("a.csv")


# ---- where runs are recorded


@payload(r"tracking.uri: .*it records runs in 'http://\*\*\*@127.0.0.1:9'")
def runs_are_not_sent_to_a_server(theirs: Path, mine: Path) -> dict[str, Any]:
    return tracked("http://user:password@127.0.0.1:9")


@payload("tracking.uri: .*it records runs in 'postgresql:")
def runs_are_not_sent_to_a_database(theirs: Path, mine: Path) -> dict[str, Any]:
    return tracked("postgresql://127.0.0.1:9/runs")


@payload("tracking.uri: .*it records runs in 'databricks'")
def runs_are_not_sent_to_a_store_of_a_plugin(theirs: Path, mine: Path) -> dict[str, Any]:
    return tracked("databricks")


@payload("tracking.uri: .*it records runs in 'sqlite:")
def runs_are_not_recorded_above_the_folder(theirs: Path, mine: Path) -> dict[str, Any]:
    return tracked("sqlite:///../mine/runs.db")


@payload("tracking.uri: .*it records runs in 'sqlite:")
def a_database_named_by_options_is_not_opened(theirs: Path, mine: Path) -> dict[str, Any]:
    return tracked(f"sqlite:///file:{mine}/runs.db?uri=true")


@payload("tracking.uri: .*it records runs in 'file:")
def runs_are_not_recorded_in_a_folder_elsewhere(theirs: Path, mine: Path) -> dict[str, Any]:
    return tracked(f"file://{mine}")


@payload("tracking store '.*/theirs/mlruns/mlflow.db' is in the folder .*it leads to '.*/mine/mlflow.db'")
def runs_are_not_recorded_behind_a_link(theirs: Path, mine: Path) -> dict[str, Any]:
    (theirs / "mlruns").symlink_to(mine)
    return DIGITS


@payload("is in the folder of an untrusted recipe, and the link '.*/artifacts' leads to '.*/mine'")
def files_of_runs_are_not_written_behind_a_link(theirs: Path, mine: Path) -> dict[str, Any]:
    (theirs / "mlruns").mkdir()
    (theirs / "mlruns" / "artifacts").symlink_to(mine)
    return DIGITS


def their_store(theirs: Path, *statements: str) -> dict[str, Any]:
    """Make a database of runs as an attacker may ship it beside the recipe."""
    (theirs / "mlruns").mkdir()
    with closing(sqlite3.connect(theirs / "mlruns" / "mlflow.db")) as connection, connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT, artifact_location TEXT)")
        connection.execute("CREATE TABLE runs (run_uuid TEXT, artifact_uri TEXT)")
        for statement in statements:
            connection.execute(statement)
    return DIGITS


@payload("it records files in 'file:///home/you/.config'")
def a_shipped_store_does_not_write_files_elsewhere(theirs: Path, mine: Path) -> dict[str, Any]:
    return their_store(theirs, "INSERT INTO experiments VALUES (1, 'recipe', 'file:///home/you/.config')")


@payload("it records files in 's3://theirs/files'")
def a_shipped_store_does_not_send_files_away(theirs: Path, mine: Path) -> dict[str, Any]:
    return their_store(theirs, "INSERT INTO experiments VALUES (1, 'recipe', 's3://theirs/files')")


@payload("its trigger 'evil' runs statements that MLflow does not have")
def a_shipped_store_does_not_change_where_files_go(theirs: Path, mine: Path) -> dict[str, Any]:
    moves = "UPDATE runs SET artifact_uri = 'file:///home/you'"
    return their_store(theirs, f"CREATE TRIGGER evil AFTER INSERT ON runs BEGIN {moves}; END")


@payload("its view 'experiments_2' runs statements that MLflow does not have")
def a_shipped_store_has_no_views(theirs: Path, mine: Path) -> dict[str, Any]:
    return their_store(theirs, "CREATE VIEW experiments_2 AS SELECT * FROM experiments")


@payload("cannot be read .*not a database")
def a_shipped_store_that_is_no_database_is_not_used(theirs: Path, mine: Path) -> dict[str, Any]:
    (theirs / "mlruns").mkdir()
    (theirs / "mlruns" / "mlflow.db").write_text("evil" * 1000)
    return DIGITS


# ---- parameters


@payload("checkpoint: .*has the parameter 'checkpoint', '.*/mine/checkpoint'")
def a_checkpoint_is_not_written_elsewhere(theirs: Path, mine: Path) -> dict[str, Any]:
    return with_task(checkpoint=str(mine / "checkpoint"))


@payload("checkpoint: .*has the parameter 'checkpoint', '../mine'")
def a_checkpoint_is_not_written_above_the_folder(theirs: Path, mine: Path) -> dict[str, Any]:
    return with_task(checkpoint="../mine")


@payload("checkpoint: .*has the parameter 'checkpoint', 'here'")
def a_checkpoint_is_not_written_behind_a_link(theirs: Path, mine: Path) -> dict[str, Any]:
    (theirs / "here").symlink_to(mine)
    return with_task(checkpoint="here")


@payload(r"steps\[0\].scale.method: .*has the parameter 'method', '~/.ssh/id'")
def no_parameter_is_a_path_in_the_home_folder(theirs: Path, mine: Path) -> dict[str, Any]:
    return {**DIGITS, "steps": [{"scale": {"method": "~/.ssh/id"}}]}


@payload(r"search.grid.cell\[1\]: .*has the parameter 'cell', 'https://")
def no_candidate_is_an_address(theirs: Path, mine: Path) -> dict[str, Any]:
    return {**DIGITS, "search": {"grid": {"cell": ["gru", "https://example.org/cell"]}}}


@payload("net_params.callbacks.* has the parameter 'dirname', '/home/you'")
def no_parameter_within_parameters_is_a_path(theirs: Path, mine: Path) -> dict[str, Any]:
    return with_task(net_params={"callbacks": [{"checkpoint": {"dirname": "/home/you"}}]})


# ---- work


@payload("search: asks for 3,000,000,000,000 fits")
def a_grid_of_very_many_candidates_is_not_written_out(theirs: Path, mine: Path) -> dict[str, Any]:
    names = ["hidden_size", "num_layers", "lr", "dropout", "max_epochs", "batch_size"]
    return {**DIGITS, "search": {"grid": {name: list(range(1, 101)) for name in names}}}


@payload("search: asks for 2,000 fits")
def a_search_of_very_many_folds_is_refused(theirs: Path, mine: Path) -> dict[str, Any]:
    return {**DIGITS, "search": {"random": {"lr": [0.1] * 100}, "n_iter": 10, "cv": 200}}


@pytest.mark.parametrize("case", PAYLOADS)
def test_a_payload_is_refused_before_anything_is_read_or_written(case: str, folder: Path) -> None:
    said, make = PAYLOADS[case]
    mine = folder.parent / "mine"
    recipe = write(folder, make(folder, mine))
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(RecipeError, match=said):
        run_recipe(recipe, untrusted=True)
    assert sorted(folder.parent.rglob("*")) == before


def write(folder: Path, recipe: dict[str, Any]) -> Path:
    """Write a recipe; JSON is YAML."""
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe))
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Stop before data are read; the numbers of jobs of the runs that came so far."""
    asked: list[int | None] = []

    def prepare(loaded: object, *, jobs: int | None, device: str | None) -> object:
        asked.append(jobs)
        raise KeyboardInterrupt

    monkeypatch.setattr("seqpipe.pipeline._runner.prepare_job", prepare)
    return asked


# ---- what it may do


def test_the_working_folder_is_outside_unless_it_is_that_of_the_recipe(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent / "mine")
    with pytest.raises(RecipeError, match="it reads '.*/mine/secret.csv'"):
        run_recipe(write(folder, data("secret.csv")), untrusted=True)


def test_a_remote_store_of_the_user_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(RecipeError, match="MLFLOW_TRACKING_URI names a remote store.* Unset it"):
        run_recipe(write(folder, DIGITS), untrusted=True)


def test_a_recipe_that_stays_in_its_folder_runs(folder: Path) -> None:
    (folder / "rows.csv").write_text(ROWS)
    result = run_recipe(write(folder, {**data("rows.csv"), "tracking": {"enabled": False}}), untrusted=True)
    assert "accuracy" in result.metrics


def test_a_local_store_of_the_user_is_used_wherever_it_is(
    folder: Path, asked: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder.parent}/mine/runs.db")
    with pytest.raises(KeyboardInterrupt):
        run_recipe(write(folder, DIGITS), untrusted=True)
    assert asked == [1]


@pytest.mark.skipif(not LONG, reason="creates a database, in seconds")
def test_a_store_that_mlflow_made_in_the_folder_serves_again(folder: Path) -> None:
    for _ in range(2):
        run_recipe(write(folder, {**DIGITS, "tracking": {"log_model": False}}), untrusted=True)
    assert (folder / "mlruns" / "mlflow.db").exists()


def test_fits_run_one_at_a_time_unless_the_command_line_says_otherwise(folder: Path, asked: list[int | None]) -> None:
    recipe = write(
        folder, {**DIGITS, "search": {"grid": {"cell": ["gru"]}, "jobs": -1}, "tracking": {"enabled": False}}
    )
    for jobs in (None, 4):
        with pytest.raises(KeyboardInterrupt):
            run_recipe(recipe, untrusted=True, jobs=jobs)
    assert asked == [1, 4]


# ---- plug-ins

EVIL = """
from pathlib import Path
Path({marker!r}).touch()
import seqpipe
from seqpipe.cells import GRUCell

@seqpipe.hookimpl
def seqpipe_cells():
    return [seqpipe.CellSpec("evil", GRUCell)]
"""


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install a plug-in that touches a file when it is imported."""
    site, marker = tmp_path / "site", tmp_path / "executed"
    (site / "evil-1.0.dist-info").mkdir(parents=True)
    (site / "evil_plugin.py").write_text(EVIL.format(marker=str(marker)))
    (site / "evil-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (site / "evil-1.0.dist-info" / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nmain = evil_plugin\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delenv("SEQPIPE_PLUGINS", raising=False)
    monkeypatch.delitem(sys.modules, "evil_plugin", raising=False)
    host_for.cache_clear()
    yield marker
    host_for.cache_clear()


@pytest.mark.parametrize("cell", ["evil", "evil:evil"])
def test_a_plugin_is_not_imported(cell: str, folder: Path, marker: Path) -> None:
    recipe = write(folder, {**with_task(cell=cell), "tracking": {"enabled": False}})
    with pytest.raises(RecipeError, match=r"'evil' \(SEQPIPE_PLUGINS does not list it\)"):
        run_recipe(recipe, untrusted=True)
    assert not marker.exists()
    assert "SEQPIPE_PLUGINS" not in os.environ


def test_a_plugin_that_the_environment_allows_is_used(
    folder: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQPIPE_PLUGINS", "evil")
    recipe = write(folder, {**with_task(cell="evil"), "tracking": {"enabled": False}})
    assert "accuracy" in run_recipe(recipe, untrusted=True).metrics
    assert marker.exists()


# ---- checkpoints in the working folder


@pytest.mark.parametrize("link", [".seqpipe", ".seqpipe/checkpoints"])
def test_checkpoints_are_neither_written_nor_deleted_behind_a_link(link: str, folder: Path) -> None:
    mine = folder.parent / "mine"
    (mine / "checkpoints" / "old").mkdir(parents=True)
    for path in (mine / "checkpoints" / "old", mine / "checkpoints"):
        os.utime(path, (0, 0))
    (folder / link).parent.mkdir(exist_ok=True)
    (folder / link).symlink_to(mine)
    before = sorted(mine.rglob("*"))
    loaded = load_recipe(write(folder, DIGITS))
    with (
        pytest.warns(CheckpointWarning, match=f"cannot be: '{link}' is a link"),
        kept_run(loaded, fresh=False, console=Console(quiet=True)) as kept,
    ):
        assert kept is None
    assert sorted(mine.rglob("*")) == before


@pytest.mark.parametrize("name", ["../../../mine/run", "/tmp/run", ".."])
def test_the_name_of_a_recipe_does_not_lead_its_checkpoints_elsewhere(name: str, folder: Path) -> None:
    loaded = load_recipe(write(folder, {**DIGITS, "name": name}))
    with kept_run(loaded, fresh=False, console=Console(quiet=True)) as kept:
        assert kept is not None
        assert kept.resolve().parent == folder / ".seqpipe" / "checkpoints"


def test_a_link_among_checkpoints_is_removed_before_they_are_written(folder: Path) -> None:
    loaded = load_recipe(write(folder, DIGITS))
    with suppress(KeyboardInterrupt), kept_run(loaded, fresh=False, console=Console(quiet=True)) as kept:
        assert kept is not None
        (kept / "fit").symlink_to(folder.parent / "mine")
        raise KeyboardInterrupt
    with kept_run(loaded, fresh=False, console=Console(quiet=True)) as kept:
        assert kept is not None
        assert not (kept / "fit").exists()
    assert (folder.parent / "mine" / "secret.csv").exists()


# ---- the first line


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        (data("../mine/secret.csv"), r"reads '.*/mine/secret.csv' \(.*recipe.yaml:1\)"),
        (tracked("http://user:password@127.0.0.1:9"), r"records runs in 'http://\*\*\*@127.0.0.1:9'"),
        (with_task(checkpoint="../mine/c"), "has the parameter 'checkpoint'"),
    ],
    ids=["data", "store", "parameter"],
)
def test_what_a_recipe_asks_for_elsewhere_is_named_first(
    recipe: dict[str, Any], named: str, folder: Path, asked: list[int | None]
) -> None:
    shown = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        run_recipe(write(folder, recipe), console=Console(file=shown))
    assert re.match(f"note: outside of its folder, the recipe {named}", shown.getvalue())


def test_what_the_command_line_asks_for_is_not_named(folder: Path, asked: list[int | None]) -> None:
    shown = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        run_recipe(write(folder, DIGITS), overrides=["tracking.uri=http://127.0.0.1:9"], console=Console(file=shown))
    assert shown.getvalue() == ""


# ---- limits, and files of the working folder

SHORT = {
    "seqpipe.process.time_limit(0.2)": ("time.sleep(60)", "TimeoutError: it did not end within 0.2 seconds"),
    "seqpipe.process.time_limit(0.2, grace=0.2)": (
        "signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)",
        "error: the command did not end within 0.2 seconds, nor when interrupted",
    ),
    "seqpipe.process.memory_limit(50_000_000)": ("bytearray(200_000_000)", "MemoryError"),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory")
@pytest.mark.parametrize("limit", SHORT)
def test_a_limit_ends_what_exceeds_it(limit: str) -> None:
    code, said = SHORT[limit]
    script = f"import signal, time, seqpipe.process\nwith {limit}:\n    {code}\n"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert ran.stderr.strip().splitlines()[-1].startswith(said)


def test_a_limit_ends_with_its_context() -> None:
    script = (
        "import seqpipe.process as p\n"
        "with p.memory_limit(50_000_000), p.time_limit(1000): bytearray(1000)\n"
        "bytearray(200_000_000)\n"
    )
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True)


def test_processes_of_a_command_do_not_import_files_of_the_working_folder(folder: Path) -> None:
    (folder / "joblib.py").write_text("open('executed', 'w')")
    script = (
        "import subprocess, sys; from seqpipe.process import command_line\n"
        "with command_line(print): subprocess.run([sys.executable, '-m', 'joblib'], stderr=subprocess.DEVNULL)\n"
    )
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True)
    assert not (folder / "executed").exists()


COMMAND = "import sys; sys.path[:] = [p for p in sys.path if p]; from seqpipe.cli import main; main()"


@pytest.mark.skipif(not LONG, reason="starts processes that import torch")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--max-minutes", "0.2", "--set", "task.classify.max_epochs=1000000"], "The run took more than 0.2 minutes"),
        (["--max-memory", "2", "--set", "task.classify.hidden_size=30000"], "The run needs more than 2.0 GB of memory"),
        (["--set", "search={grid: {cell: [gru, rnn]}, cv: 2}", "--jobs", "2"], None),
    ],
    ids=["time", "memory", "workers"],
)
def test_the_command_keeps_limits_and_starts_workers_without_files_of_the_folder(
    options: list[str], said: str | None, folder: Path
) -> None:
    (folder / "joblib.py").write_text(f"open({str(folder / 'executed')!r}, 'w')")
    write(folder, {**DIGITS, "tracking": {"enabled": False}})
    command = [sys.executable, "-c", COMMAND, "run", "--untrusted", "recipe.yaml", *options]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (ran.returncode, said or "") == (0 if said is None else 1, said or "")
    assert (said or "") in ran.stderr
    assert not (folder / "executed").exists()
