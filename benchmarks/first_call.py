"""Measure the extra time of the first training step of a compiled cell: cold, and with compiled objects cached on disk.

    python benchmarks/first_call.py

Prints medians over repeats, each in a separate process, after torch and seqpipe are imported and an optimizer is created,
which loads further parts of torch. The first step traces and plans the cell, compiles or loads the loops of the forward
and backward pass, and compares them with the plain loop. At most 2 seconds are allowed cold, 0.3 warm.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

REPEATS = 5
CELLS = {"GRU": "seqpipe.GRUCell(8, 32)", "peephole LSTM, a plug-in's": "cells.PeepholeLSTM(8, 32)"}
STEP = """
import sys, time
sys.path.insert(0, {here!r})
import cells, torch, seqpipe

def seconds():
    begin = time.perf_counter()
    layers(x)[0].sum().backward()
    return time.perf_counter() - begin

layers, x = seqpipe.Recurrent({cell}), torch.randn(64, 20, 8)
torch.optim.AdamW(layers.parameters())
first = seconds()
later = min(seconds() for _ in range(5))
assert layers.explain()[0].engine == "c", layers.explain()[0]
print(first - later)
"""


def seconds(cell: str, cache: Path) -> float:
    """Return the extra seconds of the first step over a later one, in a separate process."""
    code = STEP.format(cell=cell, here=str(Path(__file__).parent))
    environment = {**os.environ, "SEQPIPE_CACHE": str(cache), "SEQPIPE_ENGINE": "auto"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return float(found.stdout)


def main() -> None:
    """Print one line per cell."""
    print(f"Python {platform.python_version()}, {REPEATS} repeats")
    print("| cell | cold, s | warm, s |\n|---|---|---|")
    for name, cell in CELLS.items():
        rounds = []
        for _ in range(REPEATS):
            with tempfile.TemporaryDirectory() as cache:
                rounds.append([seconds(cell, Path(cache)) for _ in ("cold", "warm")])
        cold, warm = (statistics.median(column) for column in zip(*rounds))
        print(f"| {name} | {cold:.2f} | {warm:.2f} |", flush=True)


if __name__ == "__main__":
    main()
