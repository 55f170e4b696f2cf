"""Baselines for sequences: a hand-written GRU, a linear model and a forest, per sequence or per time step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from problems import SampleProblem, Samples
from problems._problem import Array
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

__all__ = ["Task", "forest", "hand_written_gru", "joined", "linear", "padded"]

#: 60 epochs of 20,000 sequences in batches of 32 would take minutes.
_EPOCHS, _EPOCHS_OF_MANY, _MANY = 60, 10, 10_000
#: Earlier time steps that the linear model and the forest see at each time step.
_LAGS = 8


@dataclass(frozen=True)
class Task:
    """A problem with its data for one seed; fits are cut short if ``tiny``."""

    problem: SampleProblem
    data: Samples
    seed: int
    tiny: bool = False

    @property
    def is_regression(self) -> bool:
        """Whether the targets are numbers."""
        return self.problem.is_regression

    @property
    def is_stepwise(self) -> bool:
        """Whether there is a target at each time step."""
        return self.problem.kind.startswith("step")

    @property
    def y_train(self) -> Array:
        """The training targets, of shape (n_samples,), or (n_time_steps_of_all,)."""
        return joined(self.data.y_train)

    @property
    def y_test(self) -> Array:
        """The held-out targets, of shape (n_samples,), or (n_time_steps_of_all,)."""
        return joined(self.data.y_test)


def joined(y: Any) -> Array:
    """Return targets or predictions per time step as one array; those per sequence as they are."""
    return np.concatenate(list(y)) if np.ndim(y[0]) else np.asarray(y)


class PlainGRU(nn.Module):
    """A GRU whose last state, or state at each step, is mapped to the outputs."""

    def __init__(self, n_features: int, n_outputs: int, stepwise: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(n_features, 64, batch_first=True)
        self.head = nn.Linear(64, n_outputs)
        self.stepwise = stepwise

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, n_features), padded at the end, to outputs (batch or valid steps, n_outputs)."""
        states, _ = self.gru(x[:, : lengths.max()])
        if self.stepwise:
            return self.head(states[torch.arange(states.shape[1]) < lengths[:, None]])
        return self.head(states[torch.arange(len(x)), lengths - 1])


def hand_written_gru(task: Task) -> Array:
    """Fit a GRU as in tutorials: last state, Adam at 1e-3, batches of 32, 60 epochs, no scaling."""
    torch.manual_seed(task.seed)
    x, lengths = padded(task.data.X_train)
    classes, numbers = np.unique(task.y_train, return_inverse=True)
    y = torch.from_numpy(task.y_train[:, None].astype(np.float32) if task.is_regression else numbers)
    y_by_step = y.split(lengths.tolist()) if task.is_stepwise else ()
    model = PlainGRU(x.shape[2], 1 if task.is_regression else len(classes), task.is_stepwise)
    loss_of = nn.MSELoss() if task.is_regression else nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(1 if task.tiny else _EPOCHS if len(x) < _MANY else _EPOCHS_OF_MANY):
        for batch in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            targets = torch.cat([y_by_step[i] for i in batch]) if task.is_stepwise else y[batch]
            loss_of(model(x[batch], lengths[batch]), targets).backward()
            optimizer.step()
    with torch.no_grad():
        outputs = model(*padded(task.data.X_test)).numpy()
    return np.asarray(outputs[:, 0] if task.is_regression else classes[outputs.argmax(axis=1)])


def padded(X: Any) -> tuple[Tensor, Tensor]:
    """Return the sequences as one tensor (n_samples, n_timesteps, n_features), padded with zeros, and their lengths."""
    steps = [torch.tensor(np.asarray(x), dtype=torch.float32) for x in X]
    return pad_sequence(steps, batch_first=True), torch.tensor([len(x) for x in steps])


def linear(task: Task) -> Array:
    """Fit ridge or logistic regression to the features."""
    ridge, logistic = RidgeCV(np.logspace(-3, 3, 13)), LogisticRegression(max_iter=1000)
    return _on_features(ridge if task.is_regression else logistic, task)


def forest(task: Task) -> Array:
    """Fit a random forest of 200 trees to the features."""
    n_trees = 5 if task.tiny else 200
    if task.is_regression:
        model = RandomForestRegressor(n_trees, max_features=1 / 3, min_samples_leaf=5, random_state=task.seed)
        return _on_features(model, task)
    return _on_features(RandomForestClassifier(n_trees, random_state=task.seed), task)


def _on_features(model: Any, task: Task) -> Array:
    features = _step_features if task.is_stepwise else _features
    fitted = make_pipeline(StandardScaler(), model).fit(features(task.data.X_train), task.y_train)
    return np.asarray(fitted.predict(features(task.data.X_test)))


def _features(X: Any) -> Array:
    """Return one row per sequence: statistics, first and last step, length; also all values if lengths are equal."""
    summary = np.stack([_summary(np.asarray(x)) for x in X])
    return np.hstack([summary, X.reshape(len(X), -1)]) if isinstance(X, np.ndarray) else summary


def _summary(x: Array) -> Array:
    return np.concatenate([x.mean(0), x.std(0), x.min(0), x.max(0), x[0], x[-1], [len(x)]])


def _step_features(X: Any) -> Array:
    """Return one row per time step: its values and those of 8 steps before, the mean so far, and its position."""
    return np.concatenate([_lagged(np.asarray(x)) for x in X])


def _lagged(x: Array) -> Array:
    before = np.concatenate([np.zeros((_LAGS, x.shape[1])), x])
    lags = [before[i : i + len(x)] for i in range(_LAGS + 1)]
    position = np.arange(1, len(x) + 1)[:, None]
    return np.hstack([*lags, np.cumsum(x, axis=0) / position, position])
