"""Cells that torch also has, against torch.nn: on an idle machine, and with a busy process on every core."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    recurrent_side,
    step_flops,
    torch_side,
)
from torch import nn

from seqpipe import Recurrent

__all__ = ["busy_claim", "torch_claim"]

_MODULES: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {"gru": nn.GRU, "rnn": nn.RNN, "lstm": nn.LSTM}
_TRAINING = {
    "gru": {"A": 5.0, "B": 3.5, "C": 1.8, "D": 2.0, "E": 6.0},
    "rnn": {"A": 6.0, "B": 2.8, "C": 2.1, "D": 2.0, "E": 6.0},
    "lstm": {"A": 1.3, "B": 1.3, "C": 1.3, "D": 1.15, "E": 1.5},
}
_INFERENCE = {"gru": {"A": 5.0, "E": 4.0}, "rnn": {"A": 5.0, "E": 4.0}}
_BUSY = 8.0


def torch_claim(kind: str, options: Options) -> Iterator[Row]:
    """Measure a cell at every size, in training and inference."""
    for number in options.threads:
        for mode in MODES:
            for letter in options.problems:
                yield _row(kind, letter, mode, number, options)


def busy_claim(options: Options) -> Iterator[Row]:
    """Measure the GRU at A while a process spins on every core."""
    with _busy_cores():
        yield _row("gru", "A", "training", 2, options, busy=True)


def _row(kind: str, letter: str, mode: str, number: int, options: Options, *, busy: bool = False) -> Row:
    problem = options.problem(letter)
    torch.manual_seed(0)
    module = _MODULES[kind](problem.inputs, problem.hidden, problem.layers)
    recurrent = Recurrent.from_torch(module)
    ours, theirs = recurrent_side(recurrent, options.engine), torch_side(module)
    keys: dict[str, Any] = {
        "family": "busy" if busy else kind,
        "claim": f"{kind}, {mode}, against torch.nn.{kind.upper()}" + (", every core busy" if busy else ""),
        "where": f"{letter}, {number} thread" + "s" * (number > 1),
    }
    required = _BUSY if busy else _required(kind, letter, mode, number)
    x, w = batch_of(problem)
    with threads(number):
        try:
            check_agreement(ours, theirs, x, w)
        except Disagreement as error:
            return Row(**keys, required=required, note=f"not measured: {error}")
        timing = options.time({"ours": calls(ours, mode, x, w), "theirs": calls(theirs, mode, x, w)})
    flops, note = step_flops(module, problem, mode), f"engine {engines_of(recurrent, options.engine)}"
    peak = options.peak(number)
    return timed_row(timing, "ours", "theirs", **keys, required=required, flops=flops, peak=peak, note=note)


def _required(kind: str, letter: str, mode: str, number: int) -> float:
    """Return the required ratio; on one thread only that it is not slower."""
    if number != 2:
        return NOWHERE_SLOWER
    table = _TRAINING if mode == "training" else _INFERENCE
    return table.get(kind, {}).get(letter, NOWHERE_SLOWER)


@contextmanager
def _busy_cores() -> Iterator[None]:
    spin = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
