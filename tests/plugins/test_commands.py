"""The commands ``seqpipe plugins …``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from seqpipe.cli import app
from seqpipe.testing import targets_named

HEAD = "import seqpipe\nfrom seqpipe.specs import CellSpec, TaskSpec\n"
CELLS = HEAD + "@seqpipe.hookimpl\ndef seqpipe_cells():\n    return [{}]\n"


def seqpipe(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def listed(*options: str) -> list[dict[str, Any]]:
    ran = seqpipe("plugins", "list", "--json", *options)
    assert ran.exit_code == 0, ran.output
    return list(json.loads(ran.stdout))


@pytest.mark.usefixtures("fresh_host")
def test_the_list_has_every_name_and_every_plugin(site, monkeypatch: pytest.MonkeyPatch):
    site.install("acme-cells", CELLS.format("CellSpec('tiny', dict, summary='a small cell'), CellSpec('gru', dict)"))
    site.install("other-cells", CELLS.format("CellSpec(name, dict) for name in 'xy'"))
    site.install("broken", "def (")
    rows = {(row["name"], row["distribution"]): row for row in listed()}
    assert rows["tiny", "acme-cells"]["status"] == "installed"
    assert rows["tiny", "acme-cells"]["reason"] == "a small cell"
    assert rows["gru", "seqpipe"]["status"] == "built-in"
    assert rows["gru", "acme-cells"]["status"] == "shadowed"
    assert rows["gru", "acme-cells"]["reason"] == "use it as acme-cells:gru"
    assert rows["forecast", "seqpipe"]["kind"] == "task"
    assert rows["main", "other-cells"]["reason"] == "more cell names are known once it is imported"
    assert rows["main", "broken"]["status"] == "failed"
    monkeypatch.setenv("COLUMNS", "200")
    shown = seqpipe("plugins").stdout
    assert all(column in shown for column in ("name", "kind", "distribution", "version", "status", "reason"))
    assert any("│ tiny" in line and "a small cell" in line for line in shown.splitlines())


@pytest.mark.usefixtures("fresh_host")
def test_a_name_of_two_distributions_is_ambiguous(site):
    site.install("acme-cells", CELLS.format("CellSpec('tiny', dict)"))
    site.install("other-cells", CELLS.format("CellSpec('tiny', dict)"))
    rows = [row for row in listed() if row["name"] == "tiny"]
    assert [row["status"] for row in rows] == ["ambiguous", "ambiguous"]
    assert rows[0]["reason"] == "use it as acme-cells:tiny"


@pytest.mark.usefixtures("fresh_host")
def test_times_imports_every_plugin(site):
    site.install("slow", "import time\ntime.sleep(0.05)\n" + CELLS.format("CellSpec('tiny', dict)"))
    site.install("broken", "raise RuntimeError('half a licence')")
    before = {row["distribution"]: row for row in listed()}
    after = {row["distribution"]: row for row in listed("--times") if row["kind"] == "plug-in"}
    assert before["slow"]["status"] == "installed"
    assert after["slow"]["status"] == "loaded"
    assert after["slow"]["seconds"] >= 0.05
    assert (after["broken"]["status"], after["broken"]["reason"]) == ("failed", "RuntimeError: half a licence")


@pytest.mark.usefixtures("fresh_host")
def test_hooks_lists_what_each_is_for_and_who_implements_it(site):
    site.install("acme-cells", CELLS.format("CellSpec('tiny', dict)"))
    rows = {row["hook"]: row for row in listed("--hooks")}
    assert rows["seqpipe_cells"]["record"] == "CellSpec"
    assert {"seqpipe", "acme-cells"} <= set(rows["seqpipe_cells"]["implemented by"].split(", "))
    assert rows["seqpipe_readers"]["purpose"].startswith("Offer readers: ")


@pytest.mark.usefixtures("fresh_host")
def test_a_listed_distribution_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SEQPIPE_PLUGINS", "no-such-plugin")
    with pytest.warns(UserWarning, match="SEQPIPE_PLUGINS names 'no-such-plugin', which is not installed"):
        listed()


SOUND = """
import torch
from seqpipe import Cell

class Leaky(Cell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = torch.nn.Linear(input_size, hidden_size)

    def step(self, x_t, h):
        h = KEPT * h + torch.tanh(self.input(x_t))
        return h, h
"""


@pytest.mark.parametrize(
    ("kept", "failed"), [("0.9", []), ("0", ["states_may_be_learned", "gradients_reach_earlier_steps"])]
)
def test_plugins_check_reports_each_check_and_fails_with_one(
    kept: str, failed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    module = f"cells_{len(failed)}"
    (tmp_path / f"{module}.py").write_text(SOUND.replace("KEPT", kept))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", sys.path.copy())
    ran = seqpipe("plugins", "check", f"{module}:Leaky", "--json")
    assert ran.exit_code == (1 if failed else 0)
    [report] = json.loads(ran.stdout)
    assert report["subject"] == "Leaky"
    assert [each["name"] for each in report["checks"] if each["status"] == "failed"] == failed
    shown = seqpipe("plugins", "check", module).stdout
    assert f"{len(failed)} failed" in shown.splitlines()[0]


MIXED = """
import torch
import seqpipe
from seqpipe.recurrence import LoopEngine
from seqpipe.recurrence.wrappers import Wrapper
from seqpipe.specs import EngineSpec, HeadSpec, ReaderSpec, TaskSpec, WrapperSpec
from seqpipe.tasks import SampleTask, TranslateTask

class Warp(LoopEngine):
    name = "warp"

class Elsewhere(Warp):
    name = "elsewhere"

    def refuses(self, cell):
        return "no such device"

class Halved(Wrapper):
    def step(self, x_t, state):
        output, state = self.cell.step(x_t, state)
        return output / 2, state

class Times(Wrapper):
    def __init__(self, cell, factor):
        super().__init__(cell)

class Load(SampleTask):
    target_type = "numbers"

    def estimator(self, params):
        return seqpipe.SequenceRegressor(**params)

    def metrics(self, estimator, data):
        return METRICS

class Base(SampleTask):
    pass

class Mirror(TranslateTask):
    pass

def unmade():
    raise OSError("no licence")

@seqpipe.hookimpl
def seqpipe_engines():
    return [EngineSpec("warp", Warp), EngineSpec("elsewhere", Elsewhere)]

@seqpipe.hookimpl
def seqpipe_heads():
    return [HeadSpec("flat", torch.nn.Linear)]

@seqpipe.hookimpl
def seqpipe_readers():
    return [ReaderSpec("waves", open, suffixes=(".waves",))]

@seqpipe.hookimpl
def seqpipe_tasks():
    return [TaskSpec("load", Load), TaskSpec("mirror", Mirror), TaskSpec("unmade", unmade)]

@seqpipe.hookimpl
def seqpipe_wrappers():
    return [WrapperSpec("halved", Halved), WrapperSpec("times", Times)]
"""


def mixed(metrics: str = '{"error": 1.0}') -> str:
    return MIXED.replace("METRICS", metrics)


def checked(target: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code, and by subject the status and message of every check."""
    ran = seqpipe("plugins", "check", target, "--json")
    reports = json.loads(ran.stdout)
    return ran.exit_code, {report["subject"]: {each["name"]: each for each in report["checks"]} for report in reports}


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let wrappers be checked by their own checks alone, which is faster."""
    from seqpipe.testing import WRAPPER_CHECKS, _wrappers

    monkeypatch.setattr(_wrappers, "WRAPPER_CHECKS", WRAPPER_CHECKS[:4])


@pytest.mark.usefixtures("fresh_host", "light")
def test_plugins_check_checks_all_that_a_distribution_offers(site, monkeypatch: pytest.MonkeyPatch):
    site.install("acme-mixed", mixed().replace('TaskSpec("unmade", unmade)', ""))
    monkeypatch.setattr("sys.path", sys.path.copy())
    code, found = checked("acme-mixed")
    assert code == 0
    assert found["Load"]["metrics_are_finite_numbers"]["status"] == "passed"
    assert found["warp"]["results_equal_the_loop"]["status"] == "passed"
    assert found["Halved"]["state_of_the_cell_comes_first"]["status"] == "passed"
    alone = {subject: next(iter(checks.values())) for subject, checks in found.items() if len(checks) == 1}
    skipped = {subject: check["message"] for subject, check in alone.items() if check["status"] == "skipped"}
    assert skipped == {
        "engine elsewhere": "takes none of seqpipe's cells here (no such device): use seqpipe.testing.check_engine with cells=",
        "head flat": "there are no checks of this kind",
        "reader waves": "needs a sample file: use seqpipe.testing.check_reader",
        "task mirror": "needs data: use seqpipe.testing.check_task with a table and its roles, or data",
        "wrapper times": "needs factor: use seqpipe.testing.check_wrapper with wrapper_params=",
    }


@pytest.mark.usefixtures("fresh_host")
def test_plugins_check_fails_with_one_object_and_tells_what_cannot_be_created(site, monkeypatch: pytest.MonkeyPatch):
    site.install("acme-mixed", mixed('{"error": float("nan")}'))
    monkeypatch.setattr("sys.path", sys.path.copy())
    code, found = checked("acme-mixed:load")
    assert (code, list(found)) == (1, ["Load"])
    assert found["Load"]["metrics_are_finite_numbers"]["status"] == "failed"
    code, found = checked("acme-mixed:unmade")
    assert code == 1
    assert found["task unmade"]["check_task"]["message"].startswith(
        "It fails before it is checked: OSError: no licence"
    )


@pytest.mark.usefixtures("light")
def test_plugins_check_checks_the_own_classes_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "mixed_module.py").write_text(mixed())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    found = [(target.kind, target.name) for target in targets_named("mixed_module")]
    expected = [
        ("engine", "Warp"),
        ("engine", "Elsewhere"),
        ("wrapper", "Halved"),
        ("wrapper", "Times"),
        ("task", "Load"),
        ("task", "Mirror"),
    ]
    assert found == expected
    assert targets_named("mixed_module:Halved")[0].kind == "wrapper"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module", "neither an installed distribution with plug-ins nor a module"),
        ("json:Missing", "has nothing to check: json defines no Missing"),
        ("json", "json defines no cell, wrapper, task or engine"),
    ],
)
def test_plugins_check_refuses_what_has_nothing_to_check(target: str, words: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.path", sys.path.copy())
    ran = seqpipe("plugins", "check", target)
    assert ran.exit_code == 1
    assert words in " ".join(ran.stderr.split())


def test_what_a_distribution_offers_is_found_by_its_name():
    found = {(target.kind, target.name) for target in targets_named("seqpipe")}
    assert {("cell", "gru"), ("wrapper", "residual"), ("task", "forecast"), ("engine", "loop")} <= found
    assert [target.name for target in targets_named("seqpipe:gru")] == ["gru"]


def test_plugins_are_listed_as_json_and_left_out_on_request():
    shown = subprocess.run(
        [sys.executable, "-m", "seqpipe", "--no-plugins", "plugins", "list", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = json.loads(shown.stdout)
    assert {row["distribution"] for row in rows if row["status"] in ("built-in", "installed")} == {"seqpipe"}
    assert all(row["reason"] == "SEQPIPE_PLUGINS does not list it" for row in rows if row["status"] == "disabled")
