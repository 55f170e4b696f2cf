from __future__ import annotations

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner, Result

from seqpipe.callbacks import fit_with_callbacks
from seqpipe.cli import app
from seqpipe.cli._commands import generate
from seqpipe.cli._limits import limited
from seqpipe.exceptions import InvalidSequencesError, SeqpipeError, TrackingError
from seqpipe.pipeline import generate_text, run_recipe, shipped_recipes
from seqpipe.pipeline._load import load_recipe
from seqpipe.plugins import host
from seqpipe.tables import read_table
from seqpipe.tracking import MLflowTracker, read_runs, serve
from seqpipe.tracking._events import FitBegan
from seqpipe.tracking._experiment_id import experiment_id
from seqpipe.tracking._journal import Journal
from seqpipe.tracking._place import journal_prefix
from seqpipe.tracking._process import process_tags
from seqpipe.tracking._store import open_client

RECIPE = """\
name: tiny
data: {dataset: digits}
task:
  classify: {hidden_size: 3, max_epochs: 1}
search:
  grid: {cell: [rnn, gru]}
  cv: 2
evaluate: {test_size: 0.5}
"""

#: What makes each shipped recipe small, and a score that it must report.
TINY = {
    "captions": (["task.caption.hidden_size=4", "task.caption.max_epochs=1"], "exact_match"),
    "cells": (
        ["task.classify.hidden_size=4", "task.classify.num_layers=1", "task.classify.max_epochs=1"],
        "accuracy",
    ),
    "dates": (
        ["task.translate.hidden_size=4", "task.translate.max_epochs=1", "evaluate.test_size=100"],
        "exact_match",
    ),
    "digits": (["search.grid.hidden_size=[4]", "task.classify.max_epochs=1"], "accuracy"),
    "manual": (
        [
            "task.language_model.hidden_size=4",
            "task.language_model.max_epochs=1",
            "task.language_model.batch_size=256",
            "evaluate.test_size=4",
        ],
        "bits_per_token",
    ),
    "place-names": (["task.language_model.hidden_size=4", "task.language_model.max_epochs=1"], "Africa: "),
    "places": (["task.classify.hidden_size=4", "task.classify.max_epochs=1"], "f1_macro"),
    "recall": (["task.regress.hidden_size=4", "task.regress.max_epochs=1"], "rmse"),
    "sentiment": (["task.classify.hidden_size=4", "task.classify.max_epochs=1"], "2 classes"),
    "stocks": (["task.forecast.hidden_size=4", "task.forecast.max_epochs=1"], "seasonal naive"),
    "tunes": (["task.language_model.hidden_size=4", "task.language_model.max_epochs=1"], "samples:"),
    "zoo": (["search.grid=[{cell: [gru], hidden_size: [4]}, {cell: [rnn]}]", "task.classify.max_epochs=1"], "accuracy"),
    "waves": (["task.step_regress.hidden_size=4", "task.step_regress.max_epochs=1"], "ridge regression"),
}
#: Data sets of which these recipes take a part, for the baselines read all there is.
CUT = ("adding", "moving_digits", "wave_windows")
FRAMES = Path(__file__).parents[1] / "plugins" / "seqpipe-conv" / "frames.yaml"


@pytest.fixture(autouse=True)
def tiny_recipe(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQPIPE_DEBUG", raising=False)
    (own_folder / "tiny.yaml").write_text(RECIPE)


def seqpipe(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.fixture
def start(own_folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``python -m seqpipe``, or code in its place, as a process of its own."""
    started = []

    def start(*arguments: str, code: str | None = None) -> subprocess.Popen[str]:
        command = [sys.executable, *(("-m", "seqpipe") if code is None else ("-c", code)), *arguments]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


# ---- help


@pytest.mark.parametrize("arguments", [["--help"], ["plugins", "--help"], ["run", "--help"], ["--version"]])
def test_help_imports_neither_torch_nor_mlflow(arguments: list[str]):
    code = (
        "import sys\nfrom seqpipe.cli import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted({'torch', 'mlflow', 'sklearn', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    ran = python(code)
    assert ran.stdout.endswith("[]\n"), ran.stdout + ran.stderr


def test_every_command_is_in_the_help():
    shown = seqpipe("--help").stdout
    assert all(
        command in shown for command in ("run", "compare", "predict", "promote", "generate", "plugins", "ui", "sync")
    )


def test_no_arguments_show_the_help_and_are_wrong_use():
    ran = seqpipe()
    assert (ran.exit_code, "Usage:" in ran.output) == (2, True)


def test_the_version_is_the_distributions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metadata, "version", lambda name: "1.2.3" if name == "seqpipe" else None)
    assert seqpipe("--version").stdout == "1.2.3\n"


# ---- run


@pytest.fixture
def without_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be installed but seqpipe."""
    monkeypatch.setenv("SEQPIPE_PLUGINS", "")


@pytest.fixture
def cut_datasets(replace_dataset: Callable[..., None]) -> None:
    for dataset in CUT:
        whole = host().find("dataset", dataset, parameter="").create()
        cut = replace(whole, X=whole.X[:120], y=whole.y[:120])
        replace_dataset(dataset, lambda cut=cut: cut)


@pytest.mark.parametrize("name", shipped_recipes())
@pytest.mark.usefixtures("without_plugins", "cut_datasets")
def test_every_shipped_recipe_runs_at_a_tiny_size(name: str, store: str):
    overrides, told = TINY[name]
    folds = [] if load_recipe(name).recipe.search is None else ["search.cv=2"]
    ran = seqpipe("run", name, *(part for each in [*folds, *overrides] for part in ("--set", each)))
    assert ran.exit_code == 0, ran.output
    assert told in ran.stdout
    assert f"next: seqpipe compare {name}" in ran.stdout
    assert "FINISHED" in set(read_runs(name, store)["status"])


@pytest.mark.usefixtures("cut_datasets")
def test_the_recipe_of_a_plugin_runs_at_a_tiny_size():
    ran = seqpipe("run", str(FRAMES), "--set", "task.classify.hidden_size=2", "--set", "task.classify.max_epochs=1")
    assert ran.exit_code == 0, ran.output
    assert "1 × 16 × 16 features" in ran.stdout


def test_quiet_prints_nothing():
    ran = seqpipe("run", "tiny.yaml", "--quiet", "--set", "tracking.enabled=false")
    assert (ran.exit_code, ran.output) == (0, "")


def test_jobs_and_device_reach_the_fit():
    ran = seqpipe("run", "tiny.yaml", "--jobs", "1", "--device", "cpu", "--set", "tracking.enabled=false")
    assert ran.exit_code == 0, ran.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "Missing argument"),
        (["rnu", "tiny.yaml"], "No such command"),
        (["run", "tiny.yaml", "--job", "2"], "No such option"),
        (["run", "tiny.yaml", "--jobs", "two"], "jobs"),
        (["run", "nothing.yaml"], "error: nothing.yaml: there is no such file"),
        (
            ["run", "tiny.yaml", "--set", "search.grid.cel=[rnn]"],
            "error: --set search.grid.cel: is not a parameter here.",
        ),
        (["run", "tiny.yaml", "--set", "seed=!!python/name:os.system x"], "error: --set seed:1: the tag"),
        (["run", "tiny.yaml", "--device", "cuda:99"], "error: --device: device='cuda:99'"),
        (
            ["run", "tiny.yaml", "--untrusted", "--set", "tracking.uri=http://127.0.0.1:9"],
            "error: --set tracking.uri: an untrusted recipe must stay in its folder",
        ),
        (["predict", "models:/m-1"], "give DATA, or for a forecast --steps, or both"),
        (["ui", "--port", "99999"], "65535"),
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], message: str):
    ran = seqpipe(*arguments)
    assert ran.exit_code == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "bad-data.yaml"], "error: bad.csv:3 (id x): column 'a' is empty."),
        (
            ["run", "tiny.yaml", "--set", 'task.classify.class_weight={"z": 1}'],
            "error: Every fit of the search failed",
        ),
        (["run", "tiny.yaml", "--set", "tracking.uri=http://127.0.0.1:9"], "error: The tracking store"),
        (["compare", "nothing"], "error: There is no experiment 'nothing'"),
        (["data", "fingerprint", "none.csv"], "error: none.csv: there is no such file"),
        (["predict", "models:/m-1", "bad.csv"], "error: There is no model 'models:/m-1'"),
        (["ui", "--uri", "sqlite:///none.db"], "error: There are no runs yet"),
        (["sync", "--uri", "sqlite:///none.db"], "error: There are no runs yet"),
    ],
)
def test_a_failure_is_one_clean_line_and_ends_with_1(arguments: list[str], message: str, own_folder: Path):
    (own_folder / "bad.csv").write_text("id,a,y\nx,1,u\nx,,u\n")
    (own_folder / "bad-data.yaml").write_text("data: {path: bad.csv, id: id, target: y}\ntask: classify\n")
    ran = seqpipe(*arguments)
    assert ran.exit_code == 1
    assert ran.stderr.startswith(message), ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("how", ["option", "variable"])
def test_debug_shows_where_an_error_was_raised(how: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SEQPIPE_DEBUG", "1" if how == "variable" else "0")
    ran = seqpipe(*(["--debug"] if how == "option" else []), "run", "nothing.yaml")
    assert ran.exit_code == 2
    assert "Traceback (most recent call last)" in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("error: nothing.yaml")


def test_an_error_that_nobody_foresaw_is_told_with_its_type(monkeypatch: pytest.MonkeyPatch):
    def explode(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("all\ngone")

    monkeypatch.setattr("seqpipe.pipeline.run_recipe", explode)
    ran = seqpipe("run", "tiny.yaml")
    assert (ran.exit_code, ran.stderr) == (
        1,
        "error: ZeroDivisionError: all gone (set SEQPIPE_DEBUG=1 for the traceback)\n",
    )


# ---- limits and plug-ins


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (MemoryError(), r"needs more than 1000\.0 GB of memory: raise the limit with --max-memory"),
        (RuntimeError("can't allocate memory: you tried"), "raise the limit with --max-memory.* What failed: can't"),
        (TimeoutError("late"), "took more than 60 minutes: raise the limit with --max-minutes"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_limit_that_was_reached_names_its_option(raised: Exception, message: str):
    with pytest.raises(SeqpipeError, match=message), limited(n_bytes=10**12, minutes=60):
        raise raised


def test_a_limit_of_memory_that_no_run_keeps_is_refused():
    ran = seqpipe("run", "tiny.yaml", "--max-memory", "0.001")
    assert ran.exit_code == 2
    assert "'--max-memory'" in ran.stderr
    assert "0.1" in ran.stderr


def test_other_errors_pass_the_limits():
    with pytest.raises(ZeroDivisionError, match="all gone"), limited(n_bytes=10**12, minutes=60):
        raise ZeroDivisionError("all gone")


def test_plugins_that_are_named_are_loaded_and_no_others():
    ran = seqpipe("run", "tiny.yaml", "--plugins", "", "--set", "search.grid.cell=[conv_lstm]")
    assert ran.exit_code == 2
    assert "Got 'conv_lstm' instead" in ran.stderr
    assert "SEQPIPE_PLUGINS" not in os.environ


# ---- data


def test_a_fingerprint_is_written_beside_each_data_set(own_folder: Path):
    for name in ("a.csv", "b.csv"):
        (own_folder / name).write_text("x\n1\n")
    ran = seqpipe("data", "fingerprint", "a.csv", "b.csv")
    assert ran.stdout == "fingerprint: a.csv.fingerprint\nfingerprint: b.csv.fingerprint\n"
    (own_folder / "a.csv").write_text("x\n2\n")
    with pytest.raises(InvalidSequencesError, match=r"a\.csv: the file is not the one whose fingerprint is in"):
        read_table("a.csv")
    assert len(read_table("b.csv")) == 1


# ---- signals


@pytest.mark.live_tree
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_as_killed(
    number: signal.Signals, code: int, start: Callable[..., subprocess.Popen[str]], store: str
):
    name = f"stopped by {number.name}"
    process = start("run", "tiny.yaml", "--set", f"name={name}", "--set", "task.classify.max_epochs=10000")
    wait_for_fold(name, store)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    # Python ends by the signal itself, which a shell tells as the same code, where it struck in code made from text.
    assert process.returncode in (code, -number), errors
    assert "Traceback" not in errors
    assert set(read_runs(name, store, kinds=("search", "candidate", "fold"))["status"]) == {"KILLED"}


def wait_for_fold(experiment: str, store: str) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with suppress(TrackingError):
            if len(read_runs(experiment, store, kinds=("fold",))):
                return
        time.sleep(0.1)
    raise TimeoutError(experiment)


# ---- the other commands


@pytest.mark.live_tree
def test_compare_shows_a_table_and_writes_a_picture(own_folder: Path):
    seqpipe("run", "tiny.yaml", "--quiet")
    ran = seqpipe("compare", "tiny", "-o", "picture.png")
    assert ran.exit_code == 0, ran.output
    assert "gru" in ran.stdout
    assert ran.stdout.endswith("picture: picture.png\n")
    assert (own_folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert seqpipe("compare").stdout.endswith("picture: tiny-compared.png\n")


@pytest.mark.live_tree
def test_compare_explains_its_columns_and_names_what_it_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    seqpipe("run", "tiny.yaml", "--quiet", "--set", "name=two")
    seqpipe(
        "run", "tiny.yaml", "--quiet", "--set", "name=two", "--set", "evaluate.test_size=0.4", "--set", "search=null"
    )
    shown = seqpipe("compare", "two").stdout
    assert "2: two" in shown
    assert "1: gru" not in shown
    assert all(explained in shown for explained in ("mean, std: ", "seconds per fit: training (fit s)", "run: "))
    run = shown.split("Not compared")[1].split("digits, ")[1][:8]
    assert "1: gru" in seqpipe("compare", "two", "--run", run).stdout
    assert "1: gru" in seqpipe("compare", "two", "--all-data").stdout


def test_predict_prints_a_table_where_no_file_is_asked_for(own_folder: Path):
    rows = [(i, t, i % 2 + t / 10, "ab"[i % 2]) for i in range(20) for t in range(4)]
    pd.DataFrame(rows, columns=["id", "t", "x", "y"]).to_csv("rows.csv", index=False)
    (own_folder / "rows.yaml").write_text(
        "data: {path: rows.csv, id: id, time: t, target: y}\ntask: {classify: {hidden_size: 3, max_epochs: 1}}\n"
    )
    ran = seqpipe("run", "rows.yaml")
    model = next(line for line in ran.stdout.splitlines() if line.startswith("model: ")).split()[1].rstrip(",")
    shown = seqpipe("predict", model, "rows.csv")
    assert shown.exit_code == 0, shown.output
    assert all(column in shown.stdout for column in ("id", "prediction", "p_a", "p_b"))


@pytest.fixture(scope="module")
def writer(store: str) -> str:
    """The URI of a language model that knows classes."""
    task = {"language_model": {"hidden_size": 4, "max_epochs": 1}}
    record = run_recipe({"data": {"dataset": "places"}, "task": task, "tracking": {"uri": store}}).record
    assert record is not None
    assert record.model_uri is not None
    return record.model_uri


def test_generate_writes_a_text_that_a_seed_repeats(writer: str):
    options = ("--prompt", "San ", "--label", "America", "--length", "7", "--temperature", "0.8", "--top-k", "5")
    texts = [seqpipe("generate", writer, *options, "--seed", seed).stdout for seed in ("1", "1", "2")]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("San ")
    assert texts[0].endswith("\n")
    assert len(texts[0]) <= 12


def test_generate_shows_each_token_at_once(writer: str, monkeypatch: pytest.MonkeyPatch):
    class Terminal(io.StringIO):
        def flush(self) -> None:
            shown.append(self.getvalue())

    shown: list[str] = []
    tokens = list(generate_text(writer, random_state=2, length=5))
    assert len(tokens) > 2
    monkeypatch.setattr(sys, "stdout", Terminal())
    generate(writer, seed=2, length=5)
    assert [text for text in shown if text][: len(tokens)] == ["".join(tokens[: i + 1]) for i in range(len(tokens))]


def test_generate_ends_without_a_word_when_its_reader_leaves(writer: str, start: Callable[..., subprocess.Popen[str]]):
    process = start("generate", writer, "--prompt", "San ")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert (process.stderr.read(), process.wait(60)) == ("", 141)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", "Atlantis"], "error: 'Atlantis' is not among the classes of LanguageModel"),
        (["--prompt", "中"], "error: prompt: The character '中' (U+4E2D CJK UNIFIED IDEOGRAPH-4E2D) at step 0"),
        (["--top-p", "3"], "error: The 'top_p' parameter of generate must be"),
    ],
)
def test_generate_tells_what_it_cannot_write(writer: str, options: list[str], message: str):
    ran = seqpipe("generate", writer, *options)
    assert ran.exit_code == 1
    assert message in ran.output


def left_journal(store: str, *, experiment: str, damaged: bool = False) -> Journal:
    """Return a journal as a killed process leaves it, with one fit."""
    journal = Journal(journal_prefix(store), {"experiment": experiment, "process": process_tags()})
    began = {"tree": uuid4(), "time": 1, "name": "fit", "is_search": False, "logs_model": False}
    journal.append(FitBegan(**began, params={"a": "1"}, tags={}))
    if damaged:
        with (journal.folder / "events").open("ab") as file:
            file.write(b"00000000 {}\n")
    journal.close()
    return journal


def test_promote_says_what_it_did_and_refuses_what_is_worse(own_folder: Path, store: str):
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    for score in (0.9, 0.8):
        with MLflowTracker("promoted", tracking_uri=store) as tracker:
            fit_with_callbacks(LogisticRegression(), [tracker], X, y)
            tracker.log_held_out({"accuracy": score}, X, y, primary="accuracy")
        if score == 0.9:
            ran = seqpipe("promote", tracker.run_id_, "--alias", "best")
            assert ran.output.startswith(
                "promoted version 1 is now 'best': held_out.accuracy 0.9\nmodel: models:/promoted@best "
            )
    refused = seqpipe("promote", "promoted", "--alias", "best")
    assert (refused.exit_code, "is worse than 'best', version 1 of 'promoted'" in refused.stderr) == (1, True)
    forced = seqpipe("promote", "promoted", "--alias", "best", "--force")
    assert (forced.exit_code, "\nbefore: version 1\n" in forced.output) == (0, True)
    assert "promoted version 2 is already 'best'" in seqpipe("promote", "promoted", "--alias", "best").output


def test_sync_says_what_it_replayed(own_folder: Path, store: str):
    seqpipe("sync")
    journal = left_journal(store, experiment="left behind")
    ran = seqpipe("sync")
    assert ran.exit_code == 0
    assert "1 journal replayed: 5 changes of 1 run." in ran.output
    assert not journal.folder.exists()
    assert read_runs("left behind", store)["status"].tolist() == ["KILLED"]
    assert "replayed" not in seqpipe("sync", "--tracking-uri", store).output


def test_sync_fails_if_a_journal_is_damaged_or_cannot_be_replayed(own_folder: Path, store: str):
    seqpipe("sync")
    left_journal(store, experiment="left behind", damaged=True)
    ran = seqpipe("sync")
    assert (ran.exit_code, "error: 1 line of journals are damaged" in ran.stderr) == (1, True)

    client = open_client(store)
    client.delete_experiment(experiment_id(client, "deleted"))
    journal = left_journal(store, experiment="deleted")
    ran = seqpipe("sync")
    assert ran.exit_code == 1
    assert re.search("error: The journal .* could not be replayed .*'deleted' .* was deleted.*It is kept", ran.stderr)
    shutil.rmtree(journal.folder)


def test_ui_serves_mlflow_on_loopback(monkeypatch: pytest.MonkeyPatch, store: str):
    seqpipe("run", "tiny.yaml", "--quiet", "--set", "search=null")
    ran_with: list[list[str]] = []

    def remember(command: list[str], environment: object) -> int:
        ran_with.append(command)
        return 3

    monkeypatch.setattr("seqpipe.tracking.serve", remember)
    ran = seqpipe("ui", "--port", "5123")
    assert ran.exit_code == 3
    assert "  Runs: http://127.0.0.1:5123/#/experiments/" in ran.stdout
    assert "http://127.0.0.1:5123 (press Ctrl-C to stop)" in ran.stdout
    [command] = ran_with
    assert command[1:4] == ["-m", "mlflow", "server"]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--backend-store-uri") + 1] == store


#: The command line with a stand-in for MLflow's server: one process starts another, which listens, and ends without it.
WITH_STAND_IN = """\
import os, sys
import seqpipe.tracking as tracking
import seqpipe.tracking._ui as ui
from seqpipe.cli import main
server = "import subprocess, sys, time; subprocess.Popen([sys.executable, *sys.argv[1:]]); time.sleep(60)"
port = sys.argv[sys.argv.index("--port") + 1]
command = [sys.executable, "-c", server, "-m", "http.server", port, "--bind", "127.0.0.1"]
ui.ui_command = lambda **_: (command, dict(os.environ))
tracking.interface_links = lambda *_, **__: {}
main()
"""


@pytest.mark.usefixtures("heeded_hangup")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda given: str(given),
)
def test_a_signal_ends_the_interface_and_all_that_it_started(
    number: signal.Signals, code: int, start: Callable[..., Any]
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start("ui", "--port", str(port), code=WITH_STAND_IN)
    wait_until(lambda: listens(port))
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert not listens(port)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def listens(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    return False


def test_a_signal_while_the_server_starts_ends_it(monkeypatch: pytest.MonkeyPatch):
    started: list[subprocess.Popen[Any]] = []

    class Started(subprocess.Popen[Any]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Started)
    with pytest.raises(KeyboardInterrupt):
        serve([sys.executable, "-c", "import time; time.sleep(60)"], {**os.environ})
    [server] = started
    assert server.returncode == -signal.SIGTERM


def test_the_interface_ends_with_its_servers_exit_code():
    assert serve([sys.executable, "-c", "import sys; sys.exit(7)"], {**os.environ}) == 7
    assert serve([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], {**os.environ}) == 128 + 9


def test_a_warning_is_one_clean_line(own_folder: Path):
    hook = "import seqpipe\n@seqpipe.hookimpl\ndef seqpipe_engines():\n    return []\n"
    (own_folder / "broken.py").write_text(f"{hook}raise OSError('no such library')\n")
    information = own_folder / "broken-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[seqpipe]\nbroken = broken\n")
    code = (
        "import os, sys; del os.environ['SEQPIPE_ENGINE']; sys.path.insert(0, '.'); "
        "sys.argv[1:] = ['run', 'tiny.yaml', '--quiet', '--set', 'search=null', '--set', "
    )
    ran = python(f"{code}'tracking.enabled=false']; from seqpipe.cli import main; main()")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == "warning: The plug-in 'broken' was skipped: OSError: no such library\n"


def test_the_module_is_the_command(start: Callable[..., subprocess.Popen[str]]):
    output, _ = start("--help").communicate(timeout=60)
    assert "Train, tune, track and compare recurrent models." in output


def test_every_shipped_recipe_has_a_tiny_size():
    assert set(shipped_recipes()) == set(TINY)
