"""
Learn from data that keeps coming
=================================

``partial_fit`` makes one pass over the given samples, at a constant learning rate, and continues from the current weights. Here the relation changes in the middle; the model
follows.
"""

import matplotlib.pyplot as plt
import numpy as np

from seqpipe import SequenceRegressor

rng = np.random.default_rng(0)
model = SequenceRegressor(hidden_size=16, lr=0.01, scale_inputs=False, scale_targets=False, random_state=0)
errors = []
for batch in range(80):
    X = rng.normal(size=(32, 12, 2))
    y = X[:, :, 0 if batch < 40 else 1].mean(axis=1) * np.sqrt(12)
    if batch:
        errors.append(np.mean((model.predict(X) - y) ** 2))  # before it has learned from them
    model.partial_fit(X, y)

# %%
figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
axes.semilogy(range(1, 80), errors, color="#0072B2")
axes.axvline(40, color="#D55E00", linestyle="--", label="the other feature now counts")
axes.set(xlabel="batch", ylabel="mean squared error on the next batch")
axes.legend()
plt.show()
