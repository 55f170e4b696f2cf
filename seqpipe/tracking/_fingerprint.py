"""Size and digest of the data that a model is fitted to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from seqpipe.sequences import Sequences, Windows, is_table, recorded
from seqpipe.transformers import is_texts

__all__ = ["DataSet", "fingerprint"]


@dataclass(frozen=True, slots=True)
class DataSet:
    """Size and digest of training data.

    Attributes
    ----------
    name : str
        Name given by the user.
    sha256 : str
        Digest of the inputs: their values, shape, dtype and the offsets of sequences.
    targets_sha256 : str or None
        Digest of the targets; None without targets.
    n_samples : int
        Number of samples.
    n_features : int or None
        Number of features per sample or time step.
    shortest, longest : int or None
        Lengths of the sequences, in time steps; None for a table.
    """

    name: str
    sha256: str
    targets_sha256: str | None
    n_samples: int
    n_features: int | None
    shortest: int | None = None
    longest: int | None = None

    @property
    def digest(self) -> str:
        """Digest of inputs and targets, of at most 36 characters, as MLflow requires."""
        return self.sha256[:24] + (self.targets_sha256 or "")[:12]

    @property
    def profile(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self))


def fingerprint(X: Any, y: Any = None, *, name: str = "training data") -> DataSet:
    """Return size and digest of inputs X, of any kind that an estimator accepts, and targets y."""
    X, y = _gathered(recorded(X)), recorded(y)
    shortest, longest = _lengths(X)
    return DataSet(
        name=name,
        sha256=_digest(X),
        targets_sha256=None if y is None else _digest(y),
        n_samples=len(X) if hasattr(X, "__len__") else int(X.shape[0]),
        n_features=_n_features(X),
        shortest=shortest,
        longest=longest,
    )


def _gathered(X: Any) -> Any:
    """Convert ragged lists, Series and object arrays to `Sequences`; return other data unchanged."""
    if is_texts(X) or is_table(X) or isinstance(X, Sequences | Windows) or getattr(X, "ndim", 1) == 3:
        return X
    column = X.iloc[:, 0] if hasattr(X, "iloc") and X.ndim == 2 else X
    return Sequences.from_arrays(list(column))


def _lengths(X: Any) -> tuple[int | None, int | None]:
    if isinstance(X, Sequences) and len(X):
        return int(X.lengths.min()), int(X.lengths.max())
    if getattr(X, "ndim", 2) == 3:
        return int(X.shape[1]), int(X.shape[1])
    return None, None


def _n_features(X: Any) -> int | None:
    if isinstance(X, Sequences | Windows):
        return X.n_features
    if is_texts(X):
        return None
    shape: tuple[int, ...] = np.shape(X) if isinstance(X, list | tuple) else getattr(X, "shape", ())
    return int(shape[-1]) if len(shape) > 1 else None


def _digest(data: Any) -> str:
    digest = hashlib.sha256()
    for part in _parts(data):
        digest.update(f"{part.dtype.str}{part.shape}".encode())
        digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _parts(data: Any) -> list[NDArray[Any]]:
    if isinstance(data, Sequences):
        return [data.values, data.offsets]
    if isinstance(data, Windows):
        return [data.base, data.starts, np.array([data.window])]
    if not hasattr(data, "iloc") and not hasattr(data, "tocsr"):
        try:
            array = np.asarray(data)
        except ValueError:  # targets of unequal length, one per time step
            return [np.array([joblib.hash(data)])]
        if array.dtype.kind in "fiubcSU":
            return [array]
    return [np.array([joblib.hash(data)])]
