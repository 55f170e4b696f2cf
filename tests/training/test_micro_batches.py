"""Batches that do not fit into memory."""

from __future__ import annotations

import os
import re
import resource
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from seqpipe import LanguageModel, SequenceClassifier, SequenceRegressor, SequenceTranslator, StepClassifier
from seqpipe.exceptions import OutOfMemoryError, OutOfMemoryWarning
from seqpipe.training import SequenceNet

pytestmark = [
    pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning"),
    pytest.mark.filterwarnings("ignore::seqpipe.exceptions.DataWarning"),
]

RANDOM = np.random.default_rng(0)
X = [RANDOM.normal(size=(RANDOM.integers(3, 9), 2)) for _ in range(26)]
LABELS = [str(int(x.sum() > 0)) for x in X]
STEPS = [(x[:, 0] > 0).astype(int) for x in X]
WORDS = ["one", "two", "three", "four", "five", "six", "seven"]
SMALL: dict[str, Any] = {"max_epochs": 3, "batch_size": 8, "hidden_size": 5, "random_state": 0, "dtype": "float64"}
FITS = {
    "labels": (SequenceClassifier(**SMALL, early_stopping=True), (X, LABELS)),
    "weights": (SequenceClassifier(**SMALL, early_stopping=False, class_weight="balanced"), (X, LABELS)),
    "members": (SequenceRegressor(**SMALL, n_members=2), (X, [x.sum() for x in X])),
    "steps": (StepClassifier(**SMALL), (X, STEPS)),
    "last steps": (StepClassifier(**SMALL, loss_on=2), (X, STEPS)),
    "truncated": (StepClassifier(**SMALL, tbptt=(2, 3)), (X, STEPS)),
    "truncated lstm": (StepClassifier(**SMALL, tbptt=(2, 2), cell="lstm", num_layers=2), (X, STEPS)),
    "texts": (LanguageModel(**SMALL), (WORDS, None)),
    "translations": (SequenceTranslator(**SMALL), (WORDS, [word[::-1] for word in WORDS])),
}


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let memory suffice for a number of sequences only."""
    infer = SequenceNet.infer

    def set_limit(most: int, error: Exception | None = None) -> None:
        def limited(self: SequenceNet, x: dict[str, Any], **params: Any) -> Any:
            outputs = infer(self, x, **params)  # it fails late, as in the backward pass
            if len(x["x"]) > most:
                raise error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return outputs

        monkeypatch.setattr(SequenceNet, "infer", limited)

    return set_limit


def weights(model: Any) -> list[Any]:
    return [value for each in model.members_ or [model] for value in each.net_.module_.state_dict().values()]


@pytest.mark.parametrize("kind", FITS)
def test_a_split_batch_gives_the_same_updates(kind: str, limit: Any) -> None:
    estimator, (inputs, y) = FITS[kind]
    expected = clone(estimator).fit(inputs, y)
    limit(3)
    with pytest.warns(
        OutOfMemoryWarning, match=r"does not suffice for a batch of \d sequences.*gradients are accumulated"
    ):
        found = clone(estimator).fit(inputs, y)
    for one, other in zip(weights(found), weights(expected), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    losses = [[record["train_loss"] for record in model.history_] for model in (found, expected)]
    np.testing.assert_allclose(*losses, rtol=1e-9)


def test_it_is_told_once_per_fit(limit: Any) -> None:
    estimator, data = FITS["steps"]
    limit(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clone(estimator).fit(*data)
    assert [each.category for each in caught].count(OutOfMemoryWarning) == 1


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_predictions_do_not_depend_on_memory(error: Exception, limit: Any) -> None:
    estimator, data = FITS["labels"]
    model = clone(estimator).fit(*data)
    expected = model.predict_proba(X)
    limit(1, error)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12, atol=1e-14)


def test_a_single_sequence_that_does_not_fit_is_an_error(limit: Any) -> None:
    estimator, data = FITS["steps"]
    model = clone(estimator).fit(*data)
    limit(0)
    message = re.compile(r"does not suffice for a single sequence of \d time steps\. Use memory='recompute'")
    with pytest.raises(OutOfMemoryError, match=message):
        model.predict(X)
    with pytest.warns(OutOfMemoryWarning), pytest.raises(OutOfMemoryError, match=message):
        clone(estimator).fit(*data)


def test_other_errors_are_not_hidden(limit: Any) -> None:
    estimator, data = FITS["steps"]
    limit(3, RuntimeError("a shape is wrong"))
    with pytest.raises(RuntimeError, match="a shape is wrong"):
        clone(estimator).fit(*data)


@pytest.mark.skipif(os.environ.get("SEQPIPE_FAULTS", "0") in ("", "0"), reason="long; make faults runs it")
def test_a_fit_with_limited_memory_succeeds(in_child: Any) -> None:
    random = np.random.default_rng(0)
    long = [random.normal(size=(2000, 2)).astype("float32") for _ in range(256)]
    estimator = SequenceClassifier(hidden_size=64, num_layers=2, batch_size=256, max_epochs=1, early_stopping=False)

    def fit() -> int:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 250 * 2**20,) * 2)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(long, ["0", "1"] * 128)
        return 0 if any(each.category is OutOfMemoryWarning for each in caught) else 2

    assert in_child(fit) == 0
