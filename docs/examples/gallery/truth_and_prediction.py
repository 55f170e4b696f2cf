"""
Two numbers per sequence
========================

``SequenceRegressor`` predicts one number or several per sequence: here the amplitude and the period of a noisy wave of any length. Targets are standardised internally,
so that units do not matter.
"""

import numpy as np

from seqpipe import SequenceRegressor
from seqpipe.diagnostics import plot_truth_against_prediction

rng = np.random.default_rng(0)
n = 900
amplitude, period = rng.uniform(1, 5, size=n), rng.uniform(8, 25, size=n)
X = []
for a, p in zip(amplitude, period):
    t = np.arange(rng.integers(30, 70))
    X.append(a * np.sin(2 * np.pi * (t / p + rng.random())) + rng.normal(scale=0.5, size=len(t)))
y = np.column_stack([amplitude, period])

model = SequenceRegressor(hidden_size=32, max_epochs=40, random_state=0).fit(X[:700], y[:700])
print(f"R² {model.score(X[700:], y[700:]):.2f}")

# %%
plot_truth_against_prediction(y[700:], model.predict(X[700:]), names=["amplitude", "period"])
