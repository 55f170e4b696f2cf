"""
From all steps to one prediction
================================

``pooling`` sets how the outputs at all steps are reduced to one vector. Whether the last output, the mean or attention is best depends on where the information is. Here the
label depends on a short burst somewhere in 100 steps of noise.
"""

import matplotlib.pyplot as plt
import numpy as np

from seqpipe import SequenceClassifier

rng = np.random.default_rng(0)
X = rng.normal(size=(500, 100, 1))
y = np.where(rng.random(500) < 0.5, "up-down", "down-up")
for x, label in zip(X, y):
    start = rng.integers(95)
    x[start : start + 4, 0] += np.array([3, 3, -3, -3]) * (1 if label == "up-down" else -1)

scores = {}
for pooling in ["last", "mean", "last_mean", "max", "attention"]:
    model = SequenceClassifier(hidden_size=16, pooling=pooling, max_epochs=15, random_state=0).fit(X[:350], y[:350])
    scores[pooling] = model.score(X[350:], y[350:])
    print(f"{pooling:10} {scores[pooling]:.2f}")

# %%
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.barh(list(scores), list(scores.values()), color="#0072B2")
axes.axvline(0.5, color="#9a9a9a", linestyle="--")
axes.set(xlabel="held-out accuracy (chance is 0.5)", xlim=(0.4, 1))
axes.invert_yaxis()
plt.show()
