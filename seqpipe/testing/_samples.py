"""Keys of samples: what tells them apart, to compare data in any container."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["keys_of"]


def keys_of(X: Any, y: Any = None) -> list[tuple[Any, Any]]:
    """Return hashable values of each sample of X and its target; of a table, of each row."""
    samples = _rows(X)
    targets = [None] * len(samples) if y is None else _rows(y)
    return [(_key(x), _key(target)) for x, target in zip(samples, targets)]


def _rows(values: Any) -> list[Any]:
    if isinstance(values, pd.DataFrame | pd.Series):
        return list(values.reset_index().itertuples(index=False, name=None))
    return list(values)


def _key(value: Any) -> Any:
    if isinstance(value, str | None):
        return value
    if isinstance(value, tuple):
        return tuple(_key(item) for item in value)
    array = np.asarray(value)
    return (array.shape, str(array.tolist()) if array.dtype == object else array.tobytes())
