"""Cells that torch does not have, against a hand-written loop over time."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from _claims import NOWHERE_SLOWER, Options, batch_of
from _measure import threads
from _rows import Row, timed_row
from _sides import (
    MODES,
    Disagreement,
    calls,
    check_agreement,
    engines_of,
    loop_side,
    recurrent_side,
    step_flops,
)
from cells import PLUGINS, Problem, ProjectedMinGRU

from seqpipe import Cell, Recurrent

__all__ = ["linear_claim", "plugin_claim"]

_REQUIRED = {
    "c": {"A": 5.0, "B": 2.0, "C": 1.5, "E": 7.0},
    "torch": {"A": 1.9, "B": 1.2, "C": 1.1, "E": 2.2},
}
_LINEAR = {(1, 16384, 64): 25.0, (4, 4096, 64): 10.0, (16, 2048, 256): 2.0}


def plugin_claim(options: Options) -> Iterator[Row]:
    """Measure every cell of `PLUGINS` with the engines c and torch, each against the plain loop."""
    for name, cell in PLUGINS.items():
        for number in options.threads:
            for mode in MODES:
                for letter in options.problems:
                    yield from _plugin_rows(name, cell, letter, mode, number, options)


def _plugin_rows(
    name: str, cell: type[Cell], letter: str, mode: str, number: int, options: Options
) -> Iterator[Row]:  # fmt: skip
    recurrent, problem = _recurrent(cell, options.problem(letter)), options.problem(letter)
    where = f"{letter}, {number} thread" + "s" * (number > 1)
    required = {e: figures.get(letter, NOWHERE_SLOWER) for e, figures in _REQUIRED.items()}
    if number != 2 or mode != "training":
        required = dict.fromkeys(required, NOWHERE_SLOWER)
    claims = {"c": f"{name}, {mode}, against its loop", "torch": f"{name}, {mode}, no C compiler, against its loop"}
    yield from _rows(recurrent, problem, mode, number, options, "plugins", claims, where, required)


def linear_claim(options: Options) -> Iterator[Row]:
    """Measure h ← a ⊙ h + b, with a and b computed for all steps at once, against the loop."""
    for sizes, required in _LINEAR.items():
        batch, steps, hidden = (3, 5, 4) if options.tiny else sizes
        problem = Problem(batch, steps, hidden, hidden)
        recurrent = _recurrent(ProjectedMinGRU, problem)
        claims = {
            "auto": "linear cell, training, against its loop",
            "scan": "linear cell, training, no C compiler, against its loop",
        }
        where, figures = f"{'×'.join(map(str, sizes))}, 2 threads", {"auto": required, "scan": NOWHERE_SLOWER}
        yield from _rows(recurrent, problem, "training", 2, options, "linear", claims, where, figures)


def _recurrent(cell: type[Cell], problem: Problem) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell(problem.inputs, problem.hidden), num_layers=problem.layers)


def _rows(
    recurrent: Recurrent, problem: Problem, mode: str, number: int, options: Options,
    family: str, claims: dict[str, str], where: str, required: dict[str, float],
) -> Iterator[Row]:  # fmt: skip
    """Time all engines of ``claims`` and the loop in the same rounds; yield one row per engine."""
    x, w = batch_of(problem)
    loop = loop_side(recurrent)
    sides, refused = {"loop": calls(loop, mode, x, w)}, {}
    with threads(number):
        for engine in claims:
            ours = recurrent_side(recurrent, engine)
            try:
                check_agreement(ours, loop, x, w, lambda: loop_side(copy.deepcopy(recurrent).double()))
                sides[engine] = calls(ours, mode, x, w)
            except Disagreement as error:
                refused[engine] = f"not measured: {error}"
        timing = options.time(sides)
    flops, peak = step_flops(recurrent, problem, mode), options.peak(number)
    for engine, claim in claims.items():
        keys: dict[str, Any] = {"family": family, "claim": claim, "where": where, "required": required[engine]}
        if engine in refused:
            yield Row(**keys, note=refused[engine])
        else:
            note = f"engine {engines_of(recurrent, engine)}"
            yield timed_row(timing, engine, "loop", **keys, flops=flops, peak=peak, note=note)
