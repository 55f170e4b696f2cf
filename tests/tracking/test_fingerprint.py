"""Digests of training data."""

import numpy as np
import pandas as pd
import pytest

from seqpipe.sequences import Sequences, Windows
from seqpipe.tracking._fingerprint import fingerprint

RAGGED = [np.arange(6.0).reshape(3, 2), np.arange(10.0).reshape(5, 2)]


def ragged_kinds():
    column = np.empty(2, dtype=object)
    column[:] = RAGGED
    return [RAGGED, column, pd.Series(list(column)), pd.DataFrame({"sequence": list(column)})]


@pytest.mark.parametrize("X", ragged_kinds(), ids=lambda X: type(X).__name__)
def test_all_ragged_kinds_of_one_content_are_one_data_set(X):
    assert fingerprint(X) == fingerprint(Sequences.from_arrays(RAGGED))


def test_sizes_of_sequences_are_told():
    found = fingerprint(RAGGED)
    assert (found.n_samples, found.n_features, found.shortest, found.longest) == (2, 2, 3, 5)


@pytest.mark.parametrize(
    ("X", "sizes"),
    [
        (np.zeros((4, 7)), (4, 7, None, None)),
        (np.zeros((4, 7, 3)), (4, 3, 7, 7)),
        (Windows(np.zeros((9, 3)), [0, 1], 5), (2, 3, 5, 5)),
        (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), (2, 2, None, None)),
        ([[1.0, 2.0], [3.0, 4.0]], (2, 2, None, None)),
        (["a text", "another"], (2, None, None, None)),
        (np.zeros(12), (12, None, None, None)),
    ],
)
def test_sizes_of_other_data_are_told(X, sizes):
    found = fingerprint(X)
    assert (found.n_samples, found.n_features, found.shortest, found.longest) == sizes


def changed(X, i):
    X = X.copy()
    X.flat[i] += 1
    return X


@pytest.mark.parametrize(
    "other",
    [
        changed(np.arange(24.0).reshape(2, 4, 3), 23),
        np.arange(24.0).reshape(4, 2, 3),
        np.arange(24, dtype=np.float32).reshape(2, 4, 3),
    ],
    ids=["value", "shape", "type"],
)
def test_other_data_has_another_digest(other):
    assert fingerprint(other).sha256 != fingerprint(np.arange(24.0).reshape(2, 4, 3)).sha256


def test_memory_order_does_not_matter():
    X = np.arange(24.0).reshape(2, 4, 3)
    assert fingerprint(np.asfortranarray(X)) == fingerprint(X)


def test_targets_have_a_digest_of_their_own():
    X = np.zeros((2, 2))
    assert fingerprint(X).targets_sha256 is None
    assert fingerprint(X, ["a", "b"]).targets_sha256 != fingerprint(X, ["a", "c"]).targets_sha256
    assert fingerprint(X, ["a", "b"]).sha256 == fingerprint(X, ["a", "c"]).sha256
