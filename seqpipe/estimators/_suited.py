"""Windows in the form that an estimator accepts."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import get_tags

from seqpipe.sequences import Windows

__all__ = ["suited"]


def suited(estimator: Any, windows: Windows) -> Any:
    """Return the windows; flattened to (n_windows, window * n_features) if the estimator accepts only tables."""
    if get_tags(estimator).input_tags.three_d_array:
        return windows
    return np.asarray(windows).reshape(len(windows), -1)
