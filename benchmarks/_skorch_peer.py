"""skorch's classifier around torch.nn.GRU, as in its documentation; with packing for ragged data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from _peers import BATCH, EPOCHS, LR, OURS, WEIGHT_DECAY, Array, Fits, ragged, windows
from skorch import NeuralNetClassifier
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from seqpipe import SequenceClassifier

__all__ = ["plain_fits", "ragged_fits"]


class GRUClassifier(nn.Module):
    """A GRU whose last state is mapped to two logits."""

    def __init__(self, n_features: int, hidden_size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(n_features, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 2)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, n_timesteps, n_features), packed if there are lengths, to logits (batch, 2)."""
        packed = x if lengths is None else pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        logits: Tensor = self.head(self.gru(packed)[1][-1])
        return logits


class RaggedDataset(torch.utils.data.Dataset[tuple[Array, int]]):
    """Sequences and labels as a dataset of torch."""

    def __init__(self, X: list[Array], y: Array) -> None:
        self.X, self.y = X, y

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, i: int) -> tuple[Array, int]:
        return self.X[i], int(self.y[i])


def collate(samples: list[tuple[Array, int]]) -> tuple[dict[str, Tensor], Tensor]:
    """Return sequences padded to the longest of the batch, with their lengths, and labels."""
    x = pad_sequence([torch.from_numpy(x) for x, _ in samples], batch_first=True)
    lengths = torch.tensor([len(x) for x, _ in samples])
    return {"x": x, "lengths": lengths}, torch.tensor([label for _, label in samples])


def _net(n_features: int, hidden_size: int, batch_size: int, epochs: int, **more: Any) -> NeuralNetClassifier:
    torch.manual_seed(0)
    return NeuralNetClassifier(
        GRUClassifier, module__n_features=n_features, module__hidden_size=hidden_size, criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW, optimizer__weight_decay=WEIGHT_DECAY, lr=LR, batch_size=batch_size,
        max_epochs=epochs, iterator_train__shuffle=True, train_split=None, verbose=0, **more,
    )  # fmt: skip


def plain_fits(tiny: bool) -> Fits:
    """Return the fits of 20,000 windows of 20 steps."""
    X, y, X_test, y_test = windows(tiny)

    def theirs() -> NeuralNetClassifier:
        return _net(1, 32, BATCH, epochs=EPOCHS).fit(X, y)

    ours = SequenceClassifier("gru", batch_size=BATCH, max_epochs=EPOCHS, **OURS)
    return Fits(lambda: ours.fit(X, y), theirs, lambda m: m.score(X_test, y_test), lambda m: m.score(X_test, y_test))


def ragged_fits(tiny: bool) -> Fits:
    """Return the fits of 2000 sequences of unequal length, hidden size 64, one epoch in batches of 32."""
    X, y, X_test, y_test = ragged(tiny)
    loaders = {"iterator_train__collate_fn": collate, "iterator_valid__collate_fn": collate}

    def theirs() -> NeuralNetClassifier:
        return _net(16, 64, 32, epochs=1, classes=[0, 1], **loaders).fit(RaggedDataset(X, y), y=None)

    def score(net: NeuralNetClassifier) -> float:
        return float(np.mean(net.predict(RaggedDataset(X_test, y_test)) == y_test))

    ours = SequenceClassifier("gru", batch_size=32, max_epochs=1, **{**OURS, "hidden_size": 64})
    return Fits(lambda: ours.fit(X, y), theirs, lambda m: m.score(X_test, y_test), score)
