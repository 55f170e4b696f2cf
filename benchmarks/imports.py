"""Measure the time to import seqpipe and to print the help of the command, compared with a bare start of Python.

    python benchmarks/imports.py

Prints medians over alternating runs, each in a separate process, and the number of loaded modules, with the names of heavy
ones (torch, mlflow, scikit-learn, pandas, …).
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time

REPEATS = 15
HEAVY = ("matplotlib", "mlflow", "pandas", "sklearn", "skorch", "torch")
STARTS = {
    "python -c pass": "pass",
    "import seqpipe": "import seqpipe",
    "seqpipe --help": "import sys; sys.argv = ['seqpipe', '--help']; from seqpipe.cli import main; main()",
    "seqpipe plugins --help": "import sys; sys.argv = ['seqpipe', 'plugins', '--help']; from seqpipe.cli import main; main()",
}
COUNT = "import atexit, sys; atexit.register(lambda: print(len(sys.modules), *{heavy} & sys.modules.keys(), file=sys.stderr))\n"


def seconds(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return time.perf_counter() - begin


def modules(code: str) -> str:
    counted = COUNT.format(heavy=set(HEAVY)) + code
    return subprocess.run([sys.executable, "-c", counted], capture_output=True, text=True, check=True).stderr.strip()


def main() -> None:
    rounds = [{name: seconds(code) for name, code in STARTS.items()} for _ in range(1 + REPEATS)][1:]
    print(f"Python {platform.python_version()}, {REPEATS} repeats")
    print("| | median, s | least, s | times a bare start | modules |\n|---|---|---|---|---|")
    bare = statistics.median(r["python -c pass"] for r in rounds)
    for name, code in STARTS.items():
        found = [r[name] for r in rounds]
        median = statistics.median(found)
        print(f"| {name} | {median:.3f} | {min(found):.3f} | {median / bare:.1f} | {modules(code)} |")


if __name__ == "__main__":
    main()
