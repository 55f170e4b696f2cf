"""Both sides of each claim about engines agree, at tiny sizes."""

import copy
from typing import Any

import _torch_claims
import engines
import pytest
import torch
from _claims import Options, batch_of
from _sides import Disagreement, calls, check_agreement, forced, loop_side, recurrent_side, step_flops, torch_side
from cells import PLUGINS, TINY, ProjectedMinGRU
from torch import nn

from seqpipe import Cell, Recurrent
from seqpipe.testing import check_cell

QUICK = Options(problems=("D",), threads=(1,), rounds=1, tiny=True)


#: Claims and cells that always run; `make fuzz` runs the others too.
QUICK_ONES = ("gru", "ProjectedMinGRU")


def each(values: dict[str, Any]) -> list[Any]:
    """Return parameters by their names; those that are not among the quick ones are slow."""
    return [
        pytest.param(value, id=name, marks=() if name in QUICK_ONES else pytest.mark.slow)
        for name, value in values.items()
    ]


@pytest.mark.parametrize(
    "name", each({name: name for name in sorted(set(engines.CLAIMS) - {"busy", "memory", "plugins"})})
)
def test_both_sides_agree_and_are_timed(name: str) -> None:
    rows = list(engines.CLAIMS[name](QUICK))
    assert rows
    assert all(row.family == name for row in rows)
    assert [row.note for row in rows if row.reached is None] == []


@pytest.mark.parametrize("name", each({name: name for name in PLUGINS}))
def test_the_engines_agree_with_the_loop_over_a_plug_in_cell(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_loop_claims.PLUGINS", {name: PLUGINS[name]})
    rows = list(engines.CLAIMS["plugins"](Options(problems=("A",), threads=(2,), rounds=1, tiny=True)))
    assert len(rows) == 4
    assert [row.note for row in rows if row.reached is None and "SEQPIPE_ENGINE" not in row.note] == []


@pytest.mark.parametrize("name", each({"busy": "busy", "memory": "memory"}))
def test_what_starts_processes_is_measured(name: str) -> None:
    (row,) = engines.CLAIMS[name](QUICK)
    assert row.reached is not None, row.note


@pytest.mark.parametrize("cell", each({**PLUGINS, "ProjectedMinGRU": ProjectedMinGRU}))
def test_the_cells_of_the_benchmark_pass_seqpipes_checks(cell: type[Cell]) -> None:
    check_cell(cell, exclude=["speed_is_graded"])


def test_sides_that_differ_are_told_apart() -> None:
    torch.manual_seed(0)
    module = nn.GRU(2, 4)
    x, w = batch_of(TINY["A"])
    check_agreement(recurrent_side(Recurrent.from_torch(module)), torch_side(module), x, w)
    with pytest.raises(Disagreement, match="outputs differ by"):
        check_agreement(recurrent_side(Recurrent.from_torch(nn.GRU(2, 4))), torch_side(module), x, w)


def test_where_sides_differ_ours_has_to_be_as_near_to_the_exact_one_as_theirs() -> None:
    recurrent = Recurrent(PLUGINS["MLP"](2, 4))
    exact, off = copy.deepcopy(recurrent), copy.deepcopy(recurrent)
    with torch.no_grad():
        for parameter in off.parameters():
            parameter.mul_(1.001)
    x, w = batch_of(TINY["A"])

    def compare(ours: Recurrent, theirs: Recurrent) -> None:
        check_agreement(loop_side(ours), loop_side(theirs), x, w, lambda: loop_side(exact.double()))

    compare(recurrent, off)
    with pytest.raises(Disagreement, match="differ by"):
        compare(off, recurrent)


def test_a_side_that_fails_is_told_too() -> None:
    recurrent = Recurrent(ProjectedMinGRU(2, 4))
    with pytest.raises(Disagreement, match="a side fails: UnknownNameError: .*SEQPIPE_ENGINE"):
        check_agreement(recurrent_side(recurrent, "none-such"), loop_side(recurrent), *batch_of(TINY["A"]))


def test_a_side_without_gradients_leaves_none() -> None:
    recurrent = Recurrent(ProjectedMinGRU(2, 4))
    assert not calls(loop_side(recurrent), "inference", *batch_of(TINY["A"]))().requires_grad


def test_a_row_whose_sides_differ_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def differ(*_: object) -> None:
        raise Disagreement("outputs differ by 1.0e+00 of their norm")

    monkeypatch.setattr(_torch_claims, "check_agreement", differ)
    rows = list(engines.CLAIMS["gru"](Options(problems=("A",), threads=(2,), rounds=1, tiny=True)))
    assert {row.note for row in rows} == {"not measured: outputs differ by 1.0e+00 of their norm"}
    assert {row.reached for row in rows} == {None}


def test_an_engine_is_forced_inside_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQPIPE_ENGINE", raising=False)
    import os

    with forced("loop"), forced("torch"):
        assert os.environ["SEQPIPE_ENGINE"] == "torch"
    assert "SEQPIPE_ENGINE" not in os.environ


def test_the_arithmetic_of_a_step_is_that_of_its_products() -> None:
    problem = TINY["A"]
    module = nn.RNN(problem.inputs, problem.hidden)
    forward = 2 * problem.batch * problem.steps * problem.hidden * (problem.inputs + problem.hidden)
    assert step_flops(module, problem, "inference") == forward
    assert step_flops(module, problem, "training") == 3 * forward


def test_the_command_line_chooses_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    claims, options = engines.parse(["--only", "gru,linear", "--problems", "A,B", "--threads", "2", "--rounds", "9"])
    assert claims == ["gru", "linear"]
    assert options == Options(("A", "B"), (2,), 9)
    with pytest.raises(SystemExit, match="2"):
        engines.parse(["--only", "gruu"])
    assert "['gruu'] are not among" in capsys.readouterr().err


def test_a_tiny_run_prints_and_keeps_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(*_: object) -> None:
        raise AssertionError("kept")

    monkeypatch.setattr(engines, "save_row", save)
    assert engines.main(["--only", "rnn", "--problems", "B", "--threads", "1", "--rounds", "1", "--tiny"]) == 0
    assert "rnn, training, against torch.nn.RNN" in capsys.readouterr().out
