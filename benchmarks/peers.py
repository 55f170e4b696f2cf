"""Compare the time of whole fits with other libraries, at equal settings.

    python benchmarks/peers.py                  # all, several minutes
    python benchmarks/peers.py --only skorch    # one

Both sides have one GRU, the last output, AdamW with a constant rate, the same data, batches and epochs, and two threads;
held-out scores are checked to be equal. Libraries that are not installed are reported as such.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from _darts_peer import forecaster_fits
from _keras_peer import keras_fits
from _measure import machine
from _peers import Options, fit_row
from _rows import RESULTS, Row, save_row
from _skorch_peer import plain_fits, ragged_fits

__all__ = ["PEERS", "main", "rows"]

#: Distribution, fits, claim, size, and the minimum ratio.
PEERS = {
    "skorch": (
        "skorch", plain_fits, "SequenceClassifier.fit against skorch around torch.nn.GRU",
        "20000 × 20 × 1, hidden 32, 2 threads", 4.5,
    ),
    "ragged": (
        "skorch", ragged_fits, "SequenceClassifier.fit, ragged, against skorch with packing",
        "2000 × 1–500 × 16, hidden 64, 2 threads", 10.0,
    ),
    "darts": (
        "darts", forecaster_fits, "Forecaster.fit against darts' BlockRNNModel",
        "10000 steps, window 20, hidden 32, 2 threads", 6.0,
    ),
    "keras": (
        "keras", keras_fits, "SequenceClassifier.fit against Keras 3 on torch",
        "20000 × 20 × 1, hidden 32, 2 threads", 6.0,
    ),
}  # fmt: skip


def rows(name: str, options: Options) -> Iterator[Row]:
    """Compare with one peer."""
    peer, prepare, claim, where, required = PEERS[name]
    yield from fit_row(peer, prepare, options, claim=claim, where=where, required=required)


def main(arguments: list[str]) -> int:
    """Measure, print and save; return 1 if the scores of any peer differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(PEERS), nargs="+", default=list(PEERS), help="all by default")
    parser.add_argument("--rounds", type=int, default=7, help="alternations; 7 by default")
    parser.add_argument("--tiny", action="store_true", help="tiny data, to test the script; results are not saved")
    given = parser.parse_args(arguments)
    print(machine())
    failed = False
    for name in given.only:
        for row in rows(name, Options(given.rounds, given.tiny)):
            print(row, flush=True)
            failed = failed or (row.reached is None and "not installed" not in row.note)
            if not given.tiny:
                save_row(row, RESULTS)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
