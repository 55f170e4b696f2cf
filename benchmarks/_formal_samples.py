"""Regular languages with a label at each step, selective copying, and strings aⁿbⁿ; symbols are token numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from problems import Samples
from problems._problem import Array

__all__ = ["LANGUAGES", "LONGEST_TRAINED", "N_COPIED", "as_then_bs", "language", "selective_copying"]

#: Lengths in training, and in testing.
_SHORT, _LONG = (1, 40), (41, 256)
#: Selective copying: symbols to copy, of how many kinds, and steps before they are asked for.
N_COPIED, _KINDS, _STEPS = 4, 8, 64
#: Largest n of the strings aⁿbⁿ in training.
LONGEST_TRAINED = 30


def parity(rng: np.random.Generator, n_timesteps: int) -> tuple[Array, Array]:
    """Return bits, and whether the number of ones so far is odd."""
    x = rng.integers(2, size=n_timesteps)
    return x, x.cumsum() % 2


def modulo_3(rng: np.random.Generator, n_timesteps: int) -> tuple[Array, Array]:
    """Return steps of 0, 1 or 2 on a cycle of three places, and the place so far."""
    x = rng.integers(3, size=n_timesteps)
    return x, x.cumsum() % 3


def flip_flop(rng: np.random.Generator, n_timesteps: int) -> tuple[Array, Array]:
    """Return bits to write among symbols 2 to ignore, four of five, and the bit written last."""
    x = rng.choice(3, size=n_timesteps, p=[0.1, 0.1, 0.8])
    x[0] = rng.integers(2)
    written = np.maximum.accumulate(np.where(x < 2, np.arange(n_timesteps), 0))
    return x, x[written]


LANGUAGES: dict[str, Callable[[np.random.Generator, int], tuple[Array, Array]]] = {
    "parity": parity, "counting modulo 3": modulo_3, "flip-flop": flip_flop,
}  # fmt: skip


def language(name: str, seed: int, n_train: int = 1000, n_test: int = 300) -> Samples:
    """Return sequences of 1 to 40 steps for training, and of 41 to 256 for testing, with a label per step."""
    rng = np.random.default_rng(seed)
    parts: list[list[Array]] = []
    for n, (shortest, longest) in ((n_train, _SHORT), (n_test, _LONG)):
        pairs = [LANGUAGES[name](rng, int(rng.integers(shortest, longest + 1))) for _ in range(n)]
        parts += [[x for x, _ in pairs], [y for _, y in pairs]]
    return Samples(*parts)


def selective_copying(seed: int, n_train: int = 1000, n_test: int = 300) -> Samples:
    """Return 64 steps with 4 symbols of 8 kinds among blanks, then 4 steps at which they are to be named in order."""
    rng = np.random.default_rng(seed)
    n = n_train + n_test
    places = np.sort(rng.permuted(np.tile(np.arange(_STEPS), (n, 1)), axis=1)[:, :N_COPIED], axis=1)
    symbols = rng.integers(1, _KINDS + 1, size=(n, N_COPIED))
    X, y = np.zeros((2, n, _STEPS + N_COPIED), dtype=int)
    np.put_along_axis(X, places, symbols, axis=1)
    X[:, _STEPS:], y[:, _STEPS:] = _KINDS + 1, symbols
    return Samples(X[:n_train], y[:n_train], X[n_train:], y[n_train:])


def as_then_bs(longest: int = LONGEST_TRAINED) -> list[str]:
    """Return the strings aⁿbⁿ for n from 1 to ``longest``."""
    return ["a" * n + "b" * n for n in range(1, longest + 1)]
