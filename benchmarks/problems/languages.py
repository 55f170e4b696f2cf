"""Formal languages: symbols are one-hot, sequences ragged."""

from __future__ import annotations

import numpy as np

from problems._problem import Array, Samples, problem, split

__all__ = ["as_then_bs", "dyck", "parity"]


@problem("classification", "accuracy")
def parity(seed: int) -> Samples:
    """1000 sequences of 2 to 20 bits, up to 40 in testing: whether the number of ones is odd (Minsky, Papert, 1969)."""
    rng = np.random.default_rng(seed)
    parts: list[object] = []
    for n, longest in ((1000, 20), (1000, 40)):
        X = [np.eye(2)[rng.integers(2, size=rng.integers(2, longest + 1))] for _ in range(n)]
        parts += [X, np.array([int(x[:, 1].sum()) % 2 for x in X])]
    return Samples(*parts)


@problem("classification", "accuracy")
def as_then_bs(seed: int) -> Samples:
    """400 strings a…ab…b, up to 15 a's, up to 25 in testing: as many b's, or up to 3 more or less (Gers, Schmidhuber, 2001)."""
    rng = np.random.default_rng(seed)
    parts: list[object] = []
    for n, most in ((400, 15), (600, 25)):
        y = np.arange(n) % 2
        n_as = rng.integers(1, most + 1, size=n)
        other = rng.choice([-3, -2, -1, 1, 2, 3], size=n)
        other = np.where(n_as + other < 0, -other, other)
        counts = zip(n_as, n_as + np.where(y, 0, other))
        parts += [[np.eye(2)[[0] * a + [1] * b] for a, b in counts], y]
    return Samples(*parts)


@problem("classification", "accuracy")
def dyck(seed: int) -> Samples:
    """800 strings of 8 to 50 brackets of two types: balanced, or with one bracket replaced (Chomsky, Schützenberger, 1963)."""
    rng = np.random.default_rng(seed)
    y = np.arange(1600) % 2
    X = []
    for balanced in y:
        codes = _balanced(rng, 2 * int(rng.integers(4, 26)))
        if not balanced:
            i = rng.integers(len(codes))
            codes[i] = (codes[i] + rng.integers(1, 4)) % 4
        X.append(np.eye(4)[codes])
    return split(X, y, 800, seed, stratify=True)


def _balanced(rng: np.random.Generator, length: int) -> Array:
    """Return the codes of a balanced string: 0 and 1 open, 2 and 3 close."""
    codes: list[int] = []
    opened: list[int] = []
    while len(codes) < length:
        full = len(opened) == length - len(codes)
        if opened and (full or rng.uniform() < 0.5):
            codes.append(opened.pop() + 2)
        else:
            opened.append(int(rng.integers(2)))
            codes.append(opened[-1])
    return np.array(codes)
