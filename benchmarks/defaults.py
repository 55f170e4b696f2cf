"""Compare the default parameters on various problems with a hand-written GRU and scikit-learn's baselines.

    python benchmarks/defaults.py           # every problem, the median of 3 seeds, or 1 for the slowest three
    python benchmarks/defaults.py --quick   # one seed, without the four slowest problems

Prints a Markdown table of held-out scores, and the CPU seconds of one fit and prediction on one core.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from problems import PROBLEMS, Array, Problem
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from seqpipe import SequenceClassifier, SequenceRegressor

SCORES = {"accuracy": accuracy_score, "balanced accuracy": balanced_accuracy_score, "R²": r2_score}
ONE_SEED = ("adding", "noisy_series", "ragged_motif")
SLOW = ("few_long", *ONE_SEED)
#: 60 epochs of 20,000 sequences in batches of 32 would take minutes.
EPOCHS, EPOCHS_OF_MANY = 60, 10


def seqpipe_defaults(problem: Problem, seed: int) -> Array:
    """Fit the estimator with default parameters."""
    estimator = SequenceRegressor if problem.is_regression else SequenceClassifier
    model = estimator(random_state=seed, device="cpu").fit(problem.X_train, problem.y_train)
    return np.asarray(model.predict(problem.X_test))


class PlainGRU(nn.Module):
    """A GRU whose last state is mapped to the outputs."""

    def __init__(self, n_features: int, n_outputs: int) -> None:
        super().__init__()
        self.gru = nn.GRU(n_features, 64, batch_first=True)
        self.head = nn.Linear(64, n_outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, n_features), padded at the end, to outputs (batch, n_outputs)."""
        states, _ = self.gru(x[:, : lengths.max()])
        outputs: Tensor = self.head(states[torch.arange(len(x)), lengths - 1])
        return outputs


def hand_written_gru(problem: Problem, seed: int) -> Array:
    """Fit a GRU as in tutorials: last state, Adam at 1e-3, batches of 32, 60 epochs, no scaling."""
    torch.manual_seed(seed)
    x, lengths = padded(problem.X_train)
    classes, numbers = np.unique(problem.y_train, return_inverse=True)
    y = torch.from_numpy(problem.y_train[:, None].astype(np.float32) if problem.is_regression else numbers)
    model = PlainGRU(x.shape[2], 1 if problem.is_regression else len(classes))
    loss_of = nn.MSELoss() if problem.is_regression else nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(EPOCHS if len(x) < 10_000 else EPOCHS_OF_MANY):
        for batch in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss_of(model(x[batch], lengths[batch]), y[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        outputs = model(*padded(problem.X_test)).numpy()
    return np.asarray(outputs[:, 0] if problem.is_regression else classes[outputs.argmax(axis=1)])


def padded(X: Any) -> tuple[Tensor, Tensor]:
    """Return the sequences as one tensor (n_samples, n_timesteps, n_features), padded with zeros, and their lengths."""
    steps = [torch.tensor(np.asarray(x), dtype=torch.float32) for x in X]
    return pad_sequence(steps, batch_first=True), torch.tensor([len(x) for x in steps])


def features(X: Any) -> Array:
    """Return one row per sequence: statistics, first and last step, length; also all values if lengths are equal."""
    summary = np.stack([_summary(np.asarray(x)) for x in X])
    return np.hstack([summary, X.reshape(len(X), -1)]) if isinstance(X, np.ndarray) else summary


def _summary(x: Array) -> Array:
    return np.concatenate([x.mean(0), x.std(0), x.min(0), x.max(0), x[0], x[-1], [len(x)]])


def linear(problem: Problem, seed: int) -> Array:
    """Fit ridge or logistic regression to the features."""
    model = RidgeCV(np.logspace(-3, 3, 13)) if problem.is_regression else LogisticRegression(max_iter=1000)
    return _on_features(model, problem)


def forest(problem: Problem, seed: int) -> Array:
    """Fit a random forest of 200 trees to the features."""
    if problem.is_regression:
        model = RandomForestRegressor(200, max_features=1 / 3, min_samples_leaf=5, random_state=seed)
        return _on_features(model, problem)
    return _on_features(RandomForestClassifier(200, random_state=seed), problem)


def _on_features(model: Any, problem: Problem) -> Array:
    fitted = make_pipeline(StandardScaler(), model).fit(features(problem.X_train), problem.y_train)
    return np.asarray(fitted.predict(features(problem.X_test)))


METHODS: dict[str, Callable[[Problem, int], Array]] = {
    "seqpipe": seqpipe_defaults, "hand-written GRU": hand_written_gru, "linear": linear, "forest": forest,
}  # fmt: skip


def measure(method: Callable[[Problem, int], Array], problem: Problem, seed: int) -> tuple[float, float]:
    """Return the held-out score and the CPU seconds of fit and prediction."""
    begin = time.process_time()
    predicted = method(problem, seed)
    return float(SCORES[problem.score](problem.y_test, predicted)), time.process_time() - begin


def row(make: Callable[[int], Problem], seeds: range) -> str:
    """Return the table row of a problem, with the best score in bold."""
    problems = [make(seed) for seed in seeds]
    results = [[measure(method, p, s) for p, s in zip(problems, seeds)] for method in METHODS.values()]
    scores = [statistics.median(score for score, _ in result) for result in results]
    seconds = [statistics.median(second for _, second in result) for result in results[:2]]
    best = max(round(score, 3) for score in scores)
    shown = [f"**{score:.3f}**" if round(score, 3) == best else f"{score:.3f}" for score in scores]
    cells = [make.__name__, _size(problems[0]), problems[0].score, *shown, *(f"{s:.1f}" for s in seconds)]
    return f"| {' | '.join(cells)} |"


def _size(problem: Problem) -> str:
    lengths = sorted({len(x) for x in problem.X_train})
    steps = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]}-{lengths[-1]}"
    return f"{len(problem.X_train)} × {steps} × {np.asarray(problem.X_train[0]).shape[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, without the four slowest problems")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    columns = ["problem", "size", "score", *METHODS, "s, seqpipe", "s, hand-written"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for make in PROBLEMS:
        if not (quick and make.__name__ in SLOW):
            print(row(make, range(1 if quick or make.__name__ in ONE_SEED else 3)), flush=True)


if __name__ == "__main__":
    main()
