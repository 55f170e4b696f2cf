"""
A rare class
============

One sequence in fifteen is an alarm. Without weights the network prefers the frequent class; ``class_weight="balanced"`` gives both classes the same weight in the loss.
"""

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from seqpipe import SequenceClassifier
from seqpipe.diagnostics import plot_confusion_matrix

rng = np.random.default_rng(0)
n = 1200
y = np.where(rng.random(n) < 1 / 15, "alarm", "normal")
X = rng.normal(size=(n, 30, 2))
for x, label in zip(X, y):
    if label == "alarm":
        start = rng.integers(20)
        x[start : start + 10] += 0.8

predictions = {}
for weight in [None, "balanced"]:
    model = SequenceClassifier(hidden_size=16, class_weight=weight, random_state=0).fit(X[:800], y[:800])
    predictions[weight] = model.predict(X[800:])
    print(f"class_weight={weight!r}: balanced accuracy {balanced_accuracy_score(y[800:], predictions[weight]):.2f}")

# %%
# Without weights
plot_confusion_matrix(y[800:], predictions[None])

# %%
# With ``class_weight="balanced"``
plot_confusion_matrix(y[800:], predictions["balanced"])
