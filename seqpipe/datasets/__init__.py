"""Data sets that are on every machine already: nothing is downloaded."""

from collections.abc import Callable

from seqpipe.datasets._dataset import Dataset
from seqpipe.datasets._digit_parity import load_digit_parity
from seqpipe.datasets._digits import load_digits
from seqpipe.datasets._manual import load_manual
from seqpipe.datasets._place_names import load_place_names, place_names_by_letter
from seqpipe.datasets._stocks import load_stocks
from seqpipe.datasets._waves import load_waves, make_waves

__all__ = [
    "DATASETS",
    "Dataset",
    "load_digit_parity",
    "load_digits",
    "load_manual",
    "load_place_names",
    "load_stocks",
    "load_waves",
    "make_waves",
    "place_names_by_letter",
]

#: What recipes may name under ``dataset:``.
DATASETS: dict[str, Callable[[], Dataset]] = {
    "digit_parity": load_digit_parity,
    "digits": load_digits,
    "place_names": place_names_by_letter,
    "stocks": load_stocks,
    "waves": load_waves,
}
