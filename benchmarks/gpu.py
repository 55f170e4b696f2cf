"""Compare the engines on a GPU with cuDNN and with a hand-written loop.

    python benchmarks/gpu.py > benchmarks/results/gpu.md && python benchmarks/report.py       # on a machine with one
    python benchmarks/gpu.py --only lstm,MGU --problems A,E                                   # a part

Prints a table: for each cell, size and mode the milliseconds of each engine that supports the cell, and the factor by which
it is faster than the loop and than torch's own module, with the lowest and highest factor of a single round. Every sample
ends with a synchronisation of the GPU. Outputs and gradients of each engine are first compared with the loop's, to 1e-4 of
their norm.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
from collections.abc import Callable, Iterator
from functools import partial

import torch
from _claims import batch_of
from _measure import Timing, compare
from _sides import (
    MODES,
    Disagreement,
    Side,
    calls,
    check_agreement,
    engines_of,
    loop_side,
    recurrent_side,
    torch_side,
)
from cells import PLUGINS, PROBLEMS, TINY, Problem
from torch import Tensor, nn

from seqpipe import Recurrent

__all__ = ["main", "rows"]

ENGINES = ("fused", "triton", "graph", "torch")
MODULES: dict[str, type[nn.RNNBase]] = {"gru": nn.GRU, "rnn": nn.RNN, "lstm": nn.LSTM}
SIZES = {**PROBLEMS, "wide": Problem(256, 100, 64, 1024)}


def sides_of(cell: str, problem: Problem, device: torch.device) -> dict[str, Side]:
    """Return the sides of the loop, of torch's module if there is one, and of the engines that support the cell."""
    torch.manual_seed(0)
    sides: dict[str, Side] = {}
    if cell in MODULES:
        module = MODULES[cell](problem.inputs, problem.hidden, problem.layers).to(device)
        recurrent = Recurrent.from_torch(module)
        sides["torch.nn"] = torch_side(module)
    else:
        recurrent = Recurrent(PLUGINS[cell](problem.inputs, problem.hidden), num_layers=problem.layers).to(device)
    sides["loop"] = loop_side(recurrent)
    taking = [engine for engine in ENGINES if engines_of(recurrent, engine) == engine]
    return sides | {engine: recurrent_side(recurrent, engine) for engine in taking}


def timed(sides: dict[str, Side], problem: Problem, mode: str, device: torch.device, rounds: int) -> Timing:
    """Time all sides in alternation; those that disagree with the loop are left out, with a message."""
    x, w = (tensor.to(device) for tensor in batch_of(problem))
    agreeing: dict[str, Callable[[], object]] = {}
    for name, side in sides.items():
        try:
            check_agreement(side, sides["loop"], x, w)
        except Disagreement as error:
            print(f"{name} is not timed: {error}", file=sys.stderr)
            continue
        # An engine that gave wrong results at its first use is replaced by the loop.
        if name not in ENGINES or engines_of(side.module, name) == name:  # type: ignore[arg-type]
            agreeing[name] = partial(_finished, calls(side, mode, x, w), device)
    return compare(agreeing, rounds, least=0.05 if rounds > 1 else 0.0)


def _finished(call: Callable[[], Tensor], device: torch.device) -> None:
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rows(
    cells: list[str], letters: list[str], device: torch.device, rounds: int, *, tiny: bool = False
) -> Iterator[str]:
    """Measure, and yield one table row per engine."""
    for cell in cells:
        for letter in letters:
            problem = (TINY if tiny else SIZES)[letter]
            sides = sides_of(cell, problem, device)
            for mode in MODES:
                timing = timed(sides, problem, mode, device, rounds)
                for name in timing.seconds:
                    yield _line(timing, name, f"{cell} | {letter} | {mode}")


def _line(timing: Timing, name: str, what: str) -> str:
    against = [_factor(timing, name, other) for other in ("loop", "torch.nn")]
    return f"| {what} | {name} | {1e3 * timing.median(name):.3g} | {' | '.join(against)} |"


def _factor(timing: Timing, ours: str, theirs: str) -> str:
    if ours == theirs or theirs not in timing.seconds:
        return "–"
    ratio = timing.ratio(ours, theirs)
    return f"{ratio.reached:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"


def machine(device: torch.device) -> str:
    """Return one line that describes the device, the versions and the date."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "a CPU"
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return (
        f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}, {today}, float32 products as torch's default."
    )


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ",".join([*MODULES, *PLUGINS])
    parser.add_argument("--only", default=known, help=f"cells, of {known}")
    parser.add_argument("--problems", default=",".join(SIZES), help=f"sizes, of {', '.join(SIZES)}; all by default")
    parser.add_argument("--rounds", type=int, default=7, help="alternations; 7 by default")
    parser.add_argument("--device", default="cuda", help="device; cuda by default")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to test the script")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Measure and print; return 1 without the device."""
    given = parse(arguments)
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("There is no GPU here: nothing is measured.", file=sys.stderr)
        return 1
    print(f"{machine(device)}\n")
    print("| cell | size | mode | side | ms | faster than the loop | than torch.nn |\n|---|---|---|---|---|---|---|")
    for line in rows(given.only.split(","), given.problems.split(","), device, given.rounds, tiny=given.tiny):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
