"""Recurrent cells as scikit-learn estimators that take ragged sequences.

Public names load when they are first used, so that ``import seqpipe`` needs neither torch nor mlflow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqpipe.bundle import load, save
    from seqpipe.callbacks import reported
    from seqpipe.cells import Cell, GRUCell, LSTMCell, MinGRUCell, MLPCell, RNNCell
    from seqpipe.estimators import (
        Forecaster,
        LanguageModel,
        SequenceCaptioner,
        SequenceClassifier,
        SequenceRegressor,
        SequenceTranslator,
        SlidingWindowClassifier,
        SlidingWindowRegressor,
        StepClassifier,
        StepRegressor,
        WindowedRegressor,
        cross_val_predict,
        resumable,
    )
    from seqpipe.hookspecs import hookimpl
    from seqpipe.progress import SearchProgress
    from seqpipe.recurrence import Recurrent
    from seqpipe.sequences import Sequences, Windows
    from seqpipe.specs import CellSpec, EngineSpec, TaskSpec
    from seqpipe.tracking import MLflowTracker
    from seqpipe.training import Checkpoint
    from seqpipe.transformers import (
        PadSequences,
        SequenceColumnTransformer,
        SequenceScaler,
        SequenceUnion,
        TokenizeTexts,
        Vocabulary,
        WindowSplit,
        cut_texts,
        cut_windows,
        make_windows,
        sequence_union,
    )
    from seqpipe.tuning import prunable_cross_val_score

__version__ = "0.1.0"

_HOMES = {
    "Cell": "seqpipe.cells",
    "CellSpec": "seqpipe.specs",
    "Checkpoint": "seqpipe.training",
    "EngineSpec": "seqpipe.specs",
    "Forecaster": "seqpipe.estimators",
    "GRUCell": "seqpipe.cells",
    "LSTMCell": "seqpipe.cells",
    "LanguageModel": "seqpipe.estimators",
    "MLPCell": "seqpipe.cells",
    "MLflowTracker": "seqpipe.tracking",
    "MinGRUCell": "seqpipe.cells",
    "PadSequences": "seqpipe.transformers",
    "RNNCell": "seqpipe.cells",
    "Recurrent": "seqpipe.recurrence",
    "SearchProgress": "seqpipe.progress",
    "SequenceCaptioner": "seqpipe.estimators",
    "SequenceClassifier": "seqpipe.estimators",
    "SequenceColumnTransformer": "seqpipe.transformers",
    "SequenceRegressor": "seqpipe.estimators",
    "SequenceScaler": "seqpipe.transformers",
    "SequenceTranslator": "seqpipe.estimators",
    "SequenceUnion": "seqpipe.transformers",
    "Sequences": "seqpipe.sequences",
    "SlidingWindowClassifier": "seqpipe.estimators",
    "SlidingWindowRegressor": "seqpipe.estimators",
    "StepClassifier": "seqpipe.estimators",
    "StepRegressor": "seqpipe.estimators",
    "TaskSpec": "seqpipe.specs",
    "TokenizeTexts": "seqpipe.transformers",
    "Vocabulary": "seqpipe.transformers",
    "WindowSplit": "seqpipe.transformers",
    "WindowedRegressor": "seqpipe.estimators",
    "Windows": "seqpipe.sequences",
    "cross_val_predict": "seqpipe.estimators",
    "cut_texts": "seqpipe.transformers",
    "cut_windows": "seqpipe.transformers",
    "hookimpl": "seqpipe.hookspecs",
    "load": "seqpipe.bundle",
    "make_windows": "seqpipe.transformers",
    "prunable_cross_val_score": "seqpipe.tuning",
    "reported": "seqpipe.callbacks",
    "resumable": "seqpipe.estimators",
    "save": "seqpipe.bundle",
    "sequence_union": "seqpipe.transformers",
}

__all__ = [
    "Cell",
    "CellSpec",
    "Checkpoint",
    "EngineSpec",
    "Forecaster",
    "GRUCell",
    "LSTMCell",
    "LanguageModel",
    "MLPCell",
    "MLflowTracker",
    "MinGRUCell",
    "PadSequences",
    "RNNCell",
    "Recurrent",
    "SearchProgress",
    "SequenceCaptioner",
    "SequenceClassifier",
    "SequenceColumnTransformer",
    "SequenceRegressor",
    "SequenceScaler",
    "SequenceTranslator",
    "SequenceUnion",
    "Sequences",
    "SlidingWindowClassifier",
    "SlidingWindowRegressor",
    "StepClassifier",
    "StepRegressor",
    "TaskSpec",
    "TokenizeTexts",
    "Vocabulary",
    "WindowSplit",
    "WindowedRegressor",
    "Windows",
    "cross_val_predict",
    "cut_texts",
    "cut_windows",
    "hookimpl",
    "load",
    "make_windows",
    "prunable_cross_val_score",
    "reported",
    "resumable",
    "save",
    "sequence_union",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'seqpipe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
