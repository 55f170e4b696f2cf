"""Data sets that are computed or ship with the dependencies: nothing is downloaded."""

from seqpipe.datasets._adding import load_adding, make_adding
from seqpipe.datasets._dataset import Dataset
from seqpipe.datasets._dates import load_dates, make_dates
from seqpipe.datasets._digit_names import load_digit_names
from seqpipe.datasets._digit_parity import load_digit_parity
from seqpipe.datasets._digits import load_digits
from seqpipe.datasets._manual import load_manual, manual_by_topic
from seqpipe.datasets._moving_digits import load_moving_digits, make_moving_digits
from seqpipe.datasets._place_names import load_place_names, load_places, place_names_by_letter
from seqpipe.datasets._reviews import load_sentiment, make_reviews
from seqpipe.datasets._stocks import load_stocks
from seqpipe.datasets._tunes import load_tunes
from seqpipe.datasets._waves import load_wave_windows, load_waves, make_waves

__all__ = [
    "Dataset",
    "load_dates",
    "load_digit_names",
    "load_adding",
    "load_digit_parity",
    "load_digits",
    "load_manual",
    "load_moving_digits",
    "load_place_names",
    "load_places",
    "load_sentiment",
    "load_stocks",
    "load_tunes",
    "load_wave_windows",
    "load_waves",
    "make_adding",
    "make_dates",
    "make_moving_digits",
    "make_reviews",
    "make_waves",
    "manual_by_topic",
    "place_names_by_letter",
]
