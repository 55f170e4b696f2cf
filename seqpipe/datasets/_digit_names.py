"""Handwritten digits and their names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqpipe.datasets._dataset import Dataset
from seqpipe.datasets._digits import load_digits

__all__ = ["load_digit_names"]

_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def load_digit_names() -> Dataset:
    """Return the images of `load_digits` as vectors of 64 pixels, and the name of each digit, spelled out.

    ``X`` is float32 of shape (1797, 64) with values from 0 (white) to 16, ``y`` an object array of strings, shape (1797,).

    Source and licence: see `load_digits`.

    Examples
    --------
    >>> from seqpipe.datasets import load_digit_names
    >>> load_digit_names().y[:3].tolist()
    ['zero', 'one', 'two']
    """
    digits = load_digits()
    return replace(
        digits,
        name="digit_names",
        X=np.asarray(digits.X).reshape(-1, 64),
        y=np.array(_NAMES, dtype=object)[digits.y],
        feature_names=tuple(f"row {i}, column {j}" for i in range(8) for j in range(8)),
        target_names=(),
        description="1,797 handwritten digits of 8 by 8 pixels as vectors, and their names, letter by letter.",
    )
