"""Compare the time of a fit with a hand-written loop over the same network, engine, batches and optimizer.

    python benchmarks/fit.py

20,000 windows of 20 steps and 1 feature, hidden size 32, batches of 64. Both sides run in one process, alternating,
and are checked to have the same loss in every epoch. The time of the estimator includes callbacks, history, the check for
NaN, clipping, the learning-rate schedule and the score after the fit; the loop also clips and schedules. Prints medians,
their spread and the median of the ratios.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

from seqpipe import SequenceRegressor, make_windows
from seqpipe.cells import GRUCell
from seqpipe.networks import SequenceNetwork
from seqpipe.recurrence import Recurrent

WINDOWS, WINDOW, HIDDEN, BATCH, EPOCHS, REPEATS = 20_000, 20, 32, 64, 2, 7


def series() -> tuple[Any, Any]:
    """Return windows of a noisy wave and the next value after each."""
    t = np.arange(WINDOWS + WINDOW)
    noise = np.random.default_rng(0).normal(scale=0.1, size=len(t))
    wave = (np.sin(t / 7) + noise).astype(np.float32)[:, None]
    windows, targets, _ = make_windows(wave, wave, window=WINDOW)
    return windows, targets.reshape(-1)


def estimator_fit(windows: Any, y: Any) -> tuple[float, list[float]]:
    """Return the seconds of fit and score, and the loss of each epoch."""
    model = SequenceRegressor(hidden_size=HIDDEN, batch_size=BATCH, max_epochs=EPOCHS, device="cpu", random_state=0)
    begin = time.perf_counter()
    model.fit(windows, y)
    model.score(windows, y)
    return time.perf_counter() - begin, [epoch["train_loss"] for epoch in model.history_]


def loop_fit(windows: Any, y: Any) -> tuple[float, list[float]]:
    """Return the same for a hand-written loop."""
    begin = time.perf_counter()
    seed = int(np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    torch.manual_seed(seed)
    network = SequenceNetwork(1, 1, recurrent=lambda n_features: Recurrent(GRUCell(n_features, HIDDEN)))
    base, starts = torch.from_numpy(windows.base), torch.from_numpy(windows.starts)
    network.input.set(base[:-1].double().mean(0), base[:-1].double().std(0, correction=0))
    targets = torch.from_numpy(((y - y.mean()) / y.std()).astype(np.float32))[:, None]
    losses = train(network, base.unfold(0, WINDOW, 1).transpose(1, 2), starts, targets, np.random.default_rng(seed))
    score(network, base.unfold(0, WINDOW, 1).transpose(1, 2), starts, targets)
    return time.perf_counter() - begin, losses


def train(network: nn.Module, x: Any, starts: Any, targets: Any, random: np.random.Generator) -> list[float]:
    parameters = list(network.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=0.01, fused=True)
    updates = EPOCHS * -(-WINDOWS // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=updates)
    losses = []
    network.train()
    for _ in range(EPOCHS):
        total = 0.0
        for rows in torch.from_numpy(random.permutation(WINDOWS)).split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(network(x[starts[rows]]), targets[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step() if schedule.last_epoch < updates - 1 else None
            total += loss.item() * len(rows)
        losses.append(total / WINDOWS)
    return losses


def score(network: nn.Module, x: Any, starts: Any, targets: Any) -> float:
    network.eval()
    with torch.no_grad():
        outputs = torch.cat([network(x[rows]) for rows in starts.split(2048)])
    return float(1 - ((outputs - targets) ** 2).mean() / targets.var(correction=0))


def main() -> None:
    windows, y = series()
    pairs = [(estimator_fit(windows, y), loop_fit(windows, y)) for _ in range(1 + REPEATS)][1:]
    (_, ours), (_, plain) = pairs[0]
    print("loss by epoch: seqpipe", [f"{loss:.6f}" for loss in ours], "loop", [f"{loss:.6f}" for loss in plain])
    np.testing.assert_allclose(ours, plain, rtol=1e-3)
    seconds = np.array([[a[0], b[0]] for a, b in pairs])
    ratios = seconds[:, 0] / seconds[:, 1]
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads, {REPEATS} repeats"
    )
    print("| | median, s | least | most |\n|---|---|---|---|")
    for name, column in (("SequenceRegressor.fit and score", seconds[:, 0]), ("loop by hand", seconds[:, 1])):
        print(f"| {name} | {statistics.median(column):.3f} | {column.min():.3f} | {column.max():.3f} |")
    print(f"| ratio | {statistics.median(ratios):.3f} | {ratios.min():.3f} | {ratios.max():.3f} |")


if __name__ == "__main__":
    main()
