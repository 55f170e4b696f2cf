"""Handwritten digits, each image a sequence of rows."""

from __future__ import annotations

import numpy as np
from sklearn import datasets as sklearn_datasets

from seqpipe.datasets._dataset import Dataset

__all__ = ["load_digits"]


def load_digits() -> Dataset:
    """Return 1,797 images of 8 by 8 pixels, read row by row: 8 time steps of 8 features, 10 classes.

    ``X`` is float32 of shape (1797, 8, 8) with values from 0 (white) to 16, ``y`` int64 of shape (1797,).

    Source: the test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, 1998, UCI
    Machine Learning Repository, doi:10.24432/C50P49), as scikit-learn ships it. Licence: CC BY 4.0.

    Examples
    --------
    >>> from seqpipe.datasets import load_digits
    >>> load_digits().X.shape
    (1797, 8, 8)
    """
    digits = sklearn_datasets.load_digits()
    return Dataset(
        name="digits",
        X=digits.images.astype(np.float32),
        y=digits.target,
        feature_names=tuple(f"column {i}" for i in range(8)),
        target_names=tuple(str(name) for name in digits.target_names),
        description="1,797 handwritten digits of 8 by 8 pixels, one row of pixels per time step.",
        source="E. Alpaydin, C. Kaynak (1998), UCI Machine Learning Repository, doi:10.24432/C50P49",
        licence="CC BY 4.0",
    )
