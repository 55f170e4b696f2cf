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
from seqpipe.testing import cells_named

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


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module", "neither a distribution that offers cells nor a module"),
        ("json:Missing", "has no cells: json defines no Missing"),
        ("json", "json defines no subclass of seqpipe.Cell"),
    ],
)
def test_plugins_check_refuses_what_has_no_cells(target: str, words: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.path", sys.path.copy())
    ran = seqpipe("plugins", "check", target)
    assert ran.exit_code == 1
    assert words in " ".join(ran.stderr.split())


def test_cells_of_a_distribution_are_found_by_its_name():
    assert {"gru", "lstm"} <= set(cells_named("seqpipe"))


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
