"""Recurrent cells as scikit-learn estimators that take ragged sequences.

Public names load when they are first used, so that ``import seqpipe`` needs neither torch nor mlflow.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Cell": "seqpipe.cells",
    "CellSpec": "seqpipe.specs",
    "Forecaster": "seqpipe.estimators",
    "GRUCell": "seqpipe.cells",
    "LSTMCell": "seqpipe.cells",
    "MLPCell": "seqpipe.cells",
    "MLflowTracker": "seqpipe.tracking",
    "PadSequences": "seqpipe.transformers",
    "RNNCell": "seqpipe.cells",
    "Recurrent": "seqpipe.recurrence",
    "SequenceClassifier": "seqpipe.estimators",
    "SequenceRegressor": "seqpipe.estimators",
    "SequenceScaler": "seqpipe.transformers",
    "Sequences": "seqpipe.sequences",
    "TaskSpec": "seqpipe.specs",
    "WindowSplit": "seqpipe.transformers",
    "WindowedRegressor": "seqpipe.estimators",
    "Windows": "seqpipe.sequences",
    "hookimpl": "seqpipe.hookspecs",
    "make_windows": "seqpipe.transformers",
}

__all__ = [
    "Cell",
    "CellSpec",
    "Forecaster",
    "GRUCell",
    "LSTMCell",
    "MLPCell",
    "MLflowTracker",
    "PadSequences",
    "RNNCell",
    "Recurrent",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceScaler",
    "Sequences",
    "TaskSpec",
    "WindowSplit",
    "WindowedRegressor",
    "Windows",
    "hookimpl",
    "make_windows",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'seqpipe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
