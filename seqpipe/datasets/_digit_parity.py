"""Handwritten digits, classified as even and odd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqpipe.datasets._dataset import Dataset
from seqpipe.datasets._digits import load_digits

__all__ = ["load_digit_parity"]


def load_digit_parity() -> Dataset:
    """Return the images of `load_digits` with two classes: ``y`` is "even" or "odd", shape (1797,).

    Source and licence: see `load_digits`.

    Examples
    --------
    >>> from seqpipe.datasets import load_digit_parity
    >>> [str(name) for name in load_digit_parity().y[:3]]
    ['even', 'odd', 'even']
    """
    digits = load_digits()
    return replace(
        digits,
        name="digit_parity",
        y=np.where(np.asarray(digits.y) % 2, "odd", "even"),
        target_names=("even", "odd"),
        description="1,797 handwritten digits of 8 × 8 pixels, one row of pixels per time step, labelled even or odd.",
    )
