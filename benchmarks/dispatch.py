"""Measure where torch's own kernels are faster than other engines, and save the results for the choice of an engine.

    python benchmarks/dispatch.py                                    # all kernels, half an hour on an idle machine
    python benchmarks/dispatch.py --only lstm --threads 2/2          # a part; earlier results of others are kept

Writes seqpipe/recurrence/engines/measured.json: for each kernel, mode, numbers of threads of torch and of an engine, and
engine, the speed relative to torch's kernel over a grid of sizes. An engine that is never slower has no entry. A fit
limits torch to one thread while an engine uses two ("1/2").
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from _claims import batch_of
from _measure import compare, machine, threads
from _sides import MODES, calls, check_agreement, recurrent_side
from cells import Problem
from torch import nn

from seqpipe import Recurrent
from seqpipe.recurrence import allowed_threads
from seqpipe.recurrence._machine import machine_kind

__all__ = ["KERNELS", "Grid", "main"]

TABLE = Path(__file__).parents[1] / "seqpipe" / "recurrence" / "engines" / "measured.json"
KERNELS: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn_tanh": nn.RNN}
THREADS = ("1/1", "1/2", "2/2")
ENGINES = ("c",)
#: Number of multiplications per pass above which more steps do not change the ratio.
_ENOUGH = 4e9
#: Ratio below which torch's kernel is preferred, see seqpipe.recurrence.engines._measured.
_SLOWER = 0.97


@dataclass(frozen=True)
class Grid:
    """The sizes to measure."""

    batch: tuple[int, ...] = (1, 8, 32, 128)
    n_timesteps: tuple[int, ...] = (1, 20, 100, 500)
    hidden_size: tuple[int, ...] = (32, 64, 128, 256, 512)


TINY = Grid((1, 3), (1, 4), (2,))


@contextmanager
def on_threads(name: str) -> Iterator[None]:
    """Run torch with the first number of threads in ``name``, and engines with the second."""
    of_torch, of_engines = map(int, name.split("/"))
    with threads(of_torch):
        token = allowed_threads.set(of_engines)
        try:
            yield
        finally:
            allowed_threads.reset(token)


def speeds(kernel: str, mode: str, problem: Problem, rounds: int, least: float) -> dict[str, float]:
    """Return the speed of each engine relative to torch's kernel, for one layer."""
    torch.manual_seed(0)
    recurrent = Recurrent.from_torch(KERNELS[kernel](problem.inputs, problem.hidden))
    x, w = batch_of(problem)
    sides = {name: recurrent_side(recurrent, name) for name in (*ENGINES, "fused")}
    for name in ENGINES:
        check_agreement(sides[name], sides["fused"], x, w)
    timing = compare({name: calls(side, mode, x, w) for name, side in sides.items()}, rounds, least)
    return {name: timing.ratio(name, "fused").reached for name in ENGINES}


def measure(kernel: str, mode: str, grid: Grid, rounds: int, least: float) -> dict[str, Any]:
    """Return the speed of each engine at every point of the grid, as nested lists in the order of its fields."""
    tables: dict[str, Any] = {name: [] for name in ENGINES}
    for batch in grid.batch:
        columns = {hidden: _over_steps(kernel, mode, batch, hidden, grid, rounds, least) for hidden in grid.hidden_size}
        for name in ENGINES:
            rows = [[round(columns[h][t][name], 2) for h in grid.hidden_size] for t in range(len(grid.n_timesteps))]
            tables[name].append(rows)
    return tables


def _over_steps(
    kernel: str, mode: str, batch: int, hidden: int, grid: Grid, rounds: int, least: float
) -> list[dict[str, float]]:  # fmt: skip
    found: list[dict[str, float]] = []
    for steps in grid.n_timesteps:
        if found and batch * steps * hidden**2 > _ENOUGH:
            found.append(found[-1])
        else:  # the number of inputs hardly matters: half the hidden size represents all
            found.append(speeds(kernel, mode, Problem(batch, steps, max(1, hidden // 2), hidden), rounds, least))
    return found


def is_slower(table: Any) -> bool:
    """Return whether an engine is slower than torch's kernel at any size."""
    return any(map(is_slower, table)) if isinstance(table, list) else table < _SLOWER


def updated(
    kept: dict[str, Any], grid: Grid, kernel: str, mode: str, number: str, tables: dict[str, Any]
) -> dict[str, Any]:  # fmt: skip
    """Return the content of the file, with the tables of one kernel, mode and number of threads replaced."""
    axes = {name: list(getattr(grid, name)) for name in ("batch", "n_timesteps", "hidden_size")}
    kind = {"made_for": machine_kind(), **axes}
    same = all(kept.get(name) == value for name, value in kind.items())
    speed: dict[str, Any] = kept.get("speed", {}) if same else {}  # results of another grid or machine are dropped
    slower = {name: table for name, table in tables.items() if is_slower(table)}
    modes = speed.setdefault(kernel, {})
    modes[mode] = {**modes.get(mode, {}), number: slower}
    return {"machine": machine(), **kind, "speed": speed}


def written(content: dict[str, Any]) -> str:
    """Return the text of the file: one line per batch size, without empty entries."""
    speed = {
        kernel: {
            mode: {number: engines for number, engines in sorted(numbers.items()) if engines}
            for mode, numbers in sorted(modes.items())
            if any(numbers.values())
        }
        for kernel, modes in sorted(content["speed"].items())
        if any(any(numbers.values()) for numbers in modes.values())
    }
    return _text({**content, "speed": speed}) + "\n"


def _text(value: Any, indent: str = "") -> str:
    if isinstance(value, dict) and value:
        lines = [f"{indent} {json.dumps(key)}: {_text(item, indent + ' ')}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}" + "}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "[\n" + ",\n".join(f"{indent} {json.dumps(item)}" for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=KERNELS, default=list(KERNELS), help="kernels; all by default")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES), help="both by default")
    parser.add_argument("--threads", nargs="+", choices=THREADS, default=list(THREADS), help="torch's/an engine's")
    parser.add_argument("--rounds", type=int, default=5, help="alternations; 5 by default")
    parser.add_argument("--table", type=Path, default=TABLE, help="the file to write")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to test the script")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Measure, and save the results after each part."""
    options = parse(arguments)
    grid, least = (TINY, 0.0) if options.tiny else (Grid(), 0.03)
    print(machine())
    for kernel in options.only:
        for mode in options.modes:
            for number in options.threads:
                with on_threads(number):
                    tables = measure(kernel, mode, grid, options.rounds, least)
                kept = json.loads(options.table.read_text("utf-8")) if options.table.exists() else {}
                content = updated(kept, grid, kernel, mode, number, tables)
                options.table.write_text(written(content), "utf-8")
                slower = ", ".join(name for name, table in tables.items() if is_slower(table)) or "none"
                print(f"{kernel}, {mode}, threads {number}: slower somewhere than torch's kernel: {slower}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
