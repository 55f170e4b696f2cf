"""Keras 3 on torch: a GRU layer and a dense layer."""

from __future__ import annotations

import os
from typing import Any

from _peers import BATCH, EPOCHS, LR, OURS, WEIGHT_DECAY, Fits, windows

from seqpipe import SequenceClassifier

__all__ = ["keras_fits"]


def keras_fits(tiny: bool) -> Fits:
    """Return the fits of 20,000 windows of 20 steps."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    X, y, X_test, y_test = windows(tiny)

    def theirs() -> Any:
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Input(X.shape[1:]), keras.layers.GRU(32), keras.layers.Dense(2)]
        model = keras.Sequential(layers)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.AdamW(LR, weight_decay=WEIGHT_DECAY), loss)
        model.fit(X, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
        return model

    def score(model: Any) -> float:
        return float((model.predict(X_test, verbose=0).argmax(axis=1) == y_test).mean())

    ours = SequenceClassifier("gru", batch_size=BATCH, max_epochs=EPOCHS, **OURS)
    return Fits(lambda: ours.fit(X, y), theirs, lambda m: m.score(X_test, y_test), score)
