"""The same random_state gives the same model with every engine, with dropout in any place too."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from seqpipe import (
    Cell,
    LanguageModel,
    SequenceCaptioner,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTranslator,
    StepClassifier,
    StepRegressor,
)

TINY: dict[str, Any] = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "dtype": "float64", "dropout": 0.3}
rng = np.random.default_rng(0)
X = rng.normal(size=(24, 6, 2))
RAGGED = [x[: 2 + i % 5] for i, x in enumerate(X)]
TEXTS = ["abcab", "bca", "cabb", "ab"] * 4


class DroppedInput(Cell):
    """A cell that drops its own input, for all steps at once."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recur = nn.Linear(hidden_size, hidden_size)

    def project(self, x: torch.Tensor) -> torch.Tensor:
        return self.input(F.dropout(x, 0.3, self.training))

    def step(self, x_t: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = torch.tanh(x_t + self.recur(h))
        return h, h


def steps_of(X: Any) -> Any:
    found = [x.cumsum(axis=0)[:, 0] for x in X]
    return found if isinstance(X, list) else np.array(found)


def sums_of(X: Any) -> np.ndarray:
    return np.array([x.sum() for x in X])


def by_step(X: Any, cell: Any = "gru", **parameters: Any) -> np.ndarray:
    return np.concatenate([*StepRegressor(cell, **TINY, **parameters).fit(X, steps_of(X)).predict(X)])


def by_sequence(X: Any, cell: Any = "lstm", **parameters: Any) -> np.ndarray:
    return SequenceRegressor(cell, **TINY, **parameters).fit(X, sums_of(X)).predict(X)


def last_loss(model: Any, *data: Any) -> float:
    return float(model.fit(*data).history_[-1]["train_loss"])


FITS: dict[str, Callable[[], Any]] = {
    "steps, one layer": lambda: by_step(X),
    "steps, two layers": lambda: by_step(X, num_layers=2),
    "steps, ragged, both directions": lambda: by_step(RAGGED, num_layers=2, bidirectional=True),
    "steps, truncated": lambda: by_step(RAGGED, num_layers=2, tbptt=(3, 3)),
    "steps, patches": lambda: by_step(X, patch=(2, 2)),
    "steps, ensemble": lambda: by_step(X, n_members=2),
    "sequences, two layers": lambda: by_sequence(X, num_layers=2),
    "sequences, last": lambda: by_sequence(X, num_layers=2, pooling="last"),
    "sequences, ragged, both directions": lambda: by_sequence(RAGGED, num_layers=2, bidirectional=True, pooling="max"),
    "labels of steps, wrappers": lambda: (
        StepClassifier(**TINY, wrappers=["layer_norm", "dropout", "zoneout"]).fit(X, steps_of(X) > 0).predict_proba(X)
    ),
    "labels, wrappers, two layers": lambda: (
        SequenceClassifier(**TINY, wrappers=[{"dropout": {"on": ["state", "output"]}}, "zoneout"], num_layers=2)
        .fit(RAGGED, sums_of(RAGGED) > 0)
        .predict_proba(RAGGED)
    ),
    "recomputed": lambda: by_sequence(RAGGED, num_layers=2, wrappers=["zoneout"], memory="recompute"),
    "a cell that drops its input": lambda: by_step(X, DroppedInput, num_layers=2),
    "language model": lambda: last_loss(LanguageModel(**TINY, num_layers=2), TEXTS),
    "translator": lambda: last_loss(
        SequenceTranslator(**TINY, num_layers=2, attention="additive"), TEXTS, TEXTS[1:] + TEXTS[:1]
    ),
    "captioner": lambda: last_loss(SequenceCaptioner(**TINY, num_layers=2), X[:16, 0], TEXTS),
}


#: Those that are compiled even if not all are, which takes a minute.
COMPILED = ("steps, one layer", "labels of steps, wrappers")


@pytest.mark.parametrize("kind", FITS)
def test_the_model_does_not_depend_on_the_engine(kind: str, compiled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = ["fused", "c"] if kind in COMPILED or os.environ.get("SEQPIPE_FAULTS") == "1" else ["fused"]
    found = {}
    for engine in ("loop", *engines):
        monkeypatch.setenv("SEQPIPE_ENGINE", engine)
        found[engine] = FITS[kind]()
    for engine in engines:
        np.testing.assert_allclose(found[engine], found["loop"], rtol=0, atol=1e-10, err_msg=engine)
