"""darts' BlockRNNModel: one-step forecasts from the last 20 steps."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
import torch
from _peers import BATCH, EPOCHS, LR, OURS, WEIGHT_DECAY, Array, Fits
from sklearn.metrics import r2_score

from seqpipe import Forecaster, SequenceRegressor

__all__ = ["forecaster_fits"]

_WINDOW = 20
_QUIET = {
    "accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False,
    "logger": False,
}  # fmt: skip


def forecaster_fits(tiny: bool) -> Fits:
    """Return the fits of a noisy wave of 10,000 steps, scored by R² on held-out windows."""
    from darts import TimeSeries
    from darts.models import BlockRNNModel

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", message="'pin_memory' argument")
    n = 120 if tiny else 10_000
    wave = _wave(n + 500)
    series, past, future = TimeSeries.from_values(wave[:n]), *_held_out(wave[n:])

    def theirs() -> Any:
        model = BlockRNNModel(
            _WINDOW, 1, model="GRU", hidden_dim=32, n_rnn_layers=1, n_epochs=EPOCHS, batch_size=BATCH,
            optimizer_cls=torch.optim.AdamW, optimizer_kwargs={"lr": LR, "weight_decay": WEIGHT_DECAY},
            random_state=0, pl_trainer_kwargs=_QUIET,
        )  # fmt: skip
        return model.fit(series, dataloader_kwargs={"pin_memory": False})

    def score(model: Any) -> float:
        forecasts = model.predict(1, series=[TimeSeries.from_values(window) for window in past], verbose=False)
        return float(r2_score(future, [forecast.values()[0, 0] for forecast in forecasts]))

    def our_score(model: Any) -> float:
        return float(r2_score(future, model.backtest(wave[n:])[_WINDOW:, 0]))

    network = SequenceRegressor("gru", batch_size=BATCH, max_epochs=EPOCHS, **OURS)
    ours = Forecaster(network, window=_WINDOW, difference=False, blend=False)  # one fit of one network, as theirs
    return Fits(lambda: ours.fit(wave[:n]), theirs, our_score, score)


def _wave(n: int) -> Array:
    noise = np.random.default_rng(0).normal(scale=0.1, size=n)
    return (np.sin(np.arange(n) / 4) + noise).astype(np.float32)


def _held_out(wave: Array) -> tuple[Array, Array]:
    """Return windows (n, 20, 1) and the step after each."""
    cut = np.lib.stride_tricks.sliding_window_view(wave, _WINDOW + 1)
    return cut[:, :_WINDOW, None].copy(), cut[:, _WINDOW].copy()
