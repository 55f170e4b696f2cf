"""Compare the engines with torch.nn and with a hand-written loop over time.

    python benchmarks/engines.py                                          # everything, several minutes
    python benchmarks/engines.py --only gru --problems A,B --threads 2    # a part

Before each measurement both sides are checked to give the same outputs and gradients, to 1e-4 of their norm. The result
is the ratio of the medians of alternating rounds, with the lowest and highest ratio of a single round.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from _claims import Claim, Options
from _loop_claims import linear_claim, plugin_claim
from _measure import machine
from _memory_claim import memory_claim
from _ragged_claim import ragged_claim
from _rows import RESULTS, save_row
from _torch_claims import busy_claim, torch_claim
from cells import PROBLEMS

__all__ = ["CLAIMS", "main"]

CLAIMS: dict[str, Claim] = {
    "gru": partial(torch_claim, "gru"),
    "rnn": partial(torch_claim, "rnn"),
    "lstm": partial(torch_claim, "lstm"),
    "plugins": plugin_claim,
    "busy": busy_claim,
    "linear": linear_claim,
    "ragged": ragged_claim,
    "memory": memory_claim,
}


def parse(arguments: list[str]) -> tuple[list[str], Options]:
    """Return the claims to measure and the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(CLAIMS), help=f"of {', '.join(CLAIMS)}; all by default")
    parser.add_argument("--problems", default=",".join(PROBLEMS), help="sizes, of A to E; all by default")
    parser.add_argument("--threads", default="1,2", help="torch's threads; 1,2 by default")
    parser.add_argument("--rounds", type=int, default=7, help="alternations; 7 by default")
    parser.add_argument("--engine", default="auto", help="engine for gru, rnn and lstm; auto by default")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to test the script; results are not saved")
    given = parser.parse_args(arguments)
    claims = _chosen(parser, given.only, tuple(CLAIMS))
    problems = tuple(_chosen(parser, given.problems, tuple(PROBLEMS)))
    numbers = tuple(int(number) for number in given.threads.split(","))
    return claims, Options(problems, numbers, given.rounds, given.engine, given.tiny)


def _chosen(parser: argparse.ArgumentParser, given: str, known: tuple[str, ...]) -> list[str]:
    unknown = set(given.split(",")) - set(known)
    if unknown:
        parser.error(f"{sorted(unknown)} are not among {list(known)}")
    return given.split(",")


def main(arguments: list[str]) -> int:
    """Measure, print and save; return 1 if the sides of any row disagree."""
    claims, options = parse(arguments)
    print(machine())
    for number in options.threads:
        print(f"matrix peak, {number} thread(s): {options.peak(number):.0f} GFLOP/s")
    failed = False
    for name in claims:
        for row in CLAIMS[name](options):
            print(row, flush=True)
            failed = failed or row.reached is None
            # Claims are about the engine that is chosen automatically.
            if not options.tiny and options.engine == "auto":
                save_row(row, RESULTS)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
