"""Tasks that must remember over many steps."""

from __future__ import annotations

import numpy as np

from problems._problem import Samples, problem, split

__all__ = ["adding", "copying", "delayed_recall"]


@problem("regression", "R²")
def adding(seed: int) -> Samples:
    """2000 sequences of 50 numbers in [0, 1], two of them marked, one a half: their sum (Hochreiter, Schmidhuber, 1997)."""
    rng = np.random.default_rng(seed)
    numbers, marks = rng.uniform(size=(2500, 50)), np.zeros((2500, 50))
    for half in (0, 25):
        np.put_along_axis(marks, half + rng.integers(0, 25, size=(2500, 1)), 1.0, axis=1)
    return split(np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1), 2000, seed)


@problem("step classification", "balanced accuracy")
def copying(seed: int) -> Samples:
    """1000 sequences: 3 of 4 symbols, 20 blanks, a signal, then the symbols again (Hochreiter, Schmidhuber, 1997)."""
    rng = np.random.default_rng(seed)
    symbols = rng.integers(1, 5, size=(1400, 3))
    codes, y = np.zeros((1400, 26), dtype=int), np.zeros((1400, 26), dtype=int)
    codes[:, :3], codes[:, 22], y[:, 23:] = symbols, 5, symbols
    return split(np.eye(6)[codes], y, 1000, seed)


@problem("classification", "accuracy")
def delayed_recall(seed: int) -> Samples:
    """600 sequences of 20 to 100 symbols of 4, one of the first ten marked: which symbol. Ragged."""
    rng = np.random.default_rng(seed)
    y, X = rng.integers(4, size=1200), []
    for label in y:
        codes = rng.integers(4, size=rng.integers(20, 101))
        marked = rng.integers(10)
        codes[marked] = label
        X.append(np.column_stack([np.eye(4)[codes], np.arange(len(codes)) == marked]))
    return split(X, y, 600, seed, stratify=True)
