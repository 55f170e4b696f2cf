"""Progress in a terminal, a notebook and a log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from io import StringIO
from pathlib import Path

import joblib
import numpy as np
import pytest
from rich.console import Console
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from seqpipe import SearchProgress, reported
from seqpipe.callbacks import fit_with_callbacks

sys.path.insert(0, str(Path(__file__).parent))
from epochs import Epochs

X, y = np.ones((12, 2)), np.arange(12) % 2
HERE = str(Path(__file__).parent)
GRID = {"cell": ["gru", "lstm"]}

#: Run by a process of its own, with two workers.
SCRIPT = f"""
import numpy as np
from epochs import Epochs
from sklearn.model_selection import GridSearchCV
from seqpipe import SearchProgress, reported
search = GridSearchCV(Epochs(seconds=0.3), {GRID!r}, cv=2, n_jobs=2, scoring=reported("accuracy"))
search.set_callbacks(SearchProgress()).fit(np.ones((12, 2)), np.arange(12) % 2)
"""


def lines(search, every=60.0, **options):
    """Fit with progress in a file and return its lines."""
    file = StringIO()
    progress = SearchProgress(Console(file=file, width=200), every=every)
    fit_with_callbacks(search, [progress], X, y, **options)
    return file.getvalue().splitlines()


@pytest.mark.live_tree
def test_a_log_has_a_line_from_time_to_time_and_the_last():
    *present, last = lines(GridSearchCV(Epochs(seconds=0.05), GRID, cv=2), every=0.02)
    assert re.fullmatch(r"5 fits in \d s \| lowest train_loss 0.3333 \(gru · fold 1\)", last)
    assert any(
        re.search(r"^fits 1/5, 4 left \| .* left \| lowest .* \| gru · fold 2: epoch [0-3]", line) for line in present
    )


@pytest.mark.live_tree
@pytest.mark.parametrize("scoring", [reported("accuracy"), reported({"accuracy": "accuracy", "f1": "f1"})])
def test_the_best_candidate_is_shown_once_its_folds_are_scored(scoring):
    refit, name = (True, "score") if callable(scoring) else ("accuracy", "accuracy")
    search = GridSearchCV(Epochs(seconds=0.05), GRID, cv=2, scoring=scoring, refit=refit)
    *present, last = lines(search, every=0.02)
    assert any(re.search(r"^fits 1/5, .* \| lowest train_loss 0.3333 \(gru · fold 1\) \|", line) for line in present)
    assert any(re.search(rf"^fits [23]/5, .* \| best {name} 0.5 \(gru\) \|", line) for line in present)
    assert last.endswith(f"| best {name} 0.5 (gru)")


@pytest.mark.live_tree
def test_fits_of_threads_are_shown_at_the_same_time():
    with joblib.parallel_config(backend="threading", n_jobs=2):
        *present, _ = lines(GridSearchCV(Epochs(seconds=0.1), GRID, cv=2), every=0.02)
    assert any(re.search(r"gru · fold 1: epoch \d/3; gru · fold 2: epoch \d/3$", line) for line in present)


@pytest.mark.live_tree
def test_a_short_search_is_one_line_of_a_log():
    assert len(lines(RandomizedSearchCV(Epochs(), GRID, n_iter=2, cv=2))) == 1


def test_a_single_fit_tells_its_epochs():
    (last,) = lines(Epochs())
    assert re.fullmatch(r"3 epochs in \d s \| lowest train_loss 0.3333", last)


@pytest.mark.live_tree
def test_fits_that_fail_are_counted_and_a_search_that_stops_says_where():
    file = StringIO()
    progress = SearchProgress(Console(file=file, width=200))
    search = GridSearchCV(Epochs(fail=ValueError("no")), GRID, cv=2, error_score="raise")
    with pytest.raises(ValueError, match="no"):
        search.set_callbacks(progress).fit(X, y)
    assert re.match(r"1 of 5 fits in \d s, 1 failed", file.getvalue())


def test_a_callback_shows_one_fit_after_another():
    file = StringIO()
    progress = SearchProgress(Console(file=file, width=200))
    for _ in range(2):
        Epochs().set_callbacks(progress).fit(X, y)
    assert file.getvalue().count("3 epochs in") == 2


def test_a_notebook_has_one_output_that_changes(monkeypatch):
    shown = []

    class Handle:
        def update(self, data, *, raw):
            shown.append(data["text/plain"])

    def display(data, *, raw, display_id):
        shown.append(data["text/plain"])
        return Handle()

    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    there = types.ModuleType("IPython.display")
    there.display = display
    monkeypatch.setitem(sys.modules, "IPython.display", there)
    Epochs().set_callbacks(SearchProgress(Console(force_jupyter=True))).fit(X, y)
    assert shown[0].endswith("epoch 0")
    assert re.fullmatch(r"3 epochs in \d s \| lowest train_loss 0.3333", shown[-1])


@pytest.mark.live_tree
@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")
def test_a_terminal_shows_the_fits_of_two_processes_and_ends_with_one_line():
    import pty

    ours, theirs = pty.openpty()
    chosen = {
        "COLUMNS": "120",
        "LINES": "24",
        "TERM": "xterm-256color",
        "PYTHONPATH": os.pathsep.join([HERE, *sys.path]),
    }
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(
        command, env={**os.environ, **chosen}, stdout=theirs, stderr=theirs, close_fds=True
    ) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux ends a terminal so
                break
            if not part:
                break
            text += part
    os.close(ours)
    assert process.returncode == 0, text.decode()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode())
    assert re.search(r"fits 0/5, 5 left \|", plain)
    assert "gru · fold 1: epoch" in plain
    assert "gru · fold 2: epoch" in plain
    assert re.search(r"5 fits in \d+ s \| best score 0.5 \((gru|lstm)\)$", plain.splitlines()[-1])
