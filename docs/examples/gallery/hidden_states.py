"""
What the state holds
====================

A latch: the network has to remember which of two keys was pressed last, through long pauses. A row of the picture is an entry of the state; those that keep their colour between two
keys are the memory.
"""

import numpy as np

from seqpipe import StepClassifier
from seqpipe.diagnostics import hidden_states, plot_hidden_states

rng = np.random.default_rng(0)
X = np.zeros((300, 60, 2))
y = np.empty((300, 60), dtype=object)
for x, labels in zip(X, y):
    pressed = np.sort(rng.choice(np.arange(1, 60), size=3, replace=False))
    keys = rng.integers(2, size=4)
    times = np.concatenate([[0], pressed])
    x[times, keys] = 1
    labels[:] = np.array(["left", "right"])[keys[np.searchsorted(times, np.arange(60), side="right") - 1]]

model = StepClassifier(hidden_size=12, max_epochs=40, random_state=0).fit(X[:250], y[:250])
print(f"accuracy {model.score(X[250:], y[250:]):.2f}")
for step in np.flatnonzero(X[250].any(axis=1)):
    print("step", step, "key", ["left", "right"][X[250][step].argmax()])

# %%
plot_hidden_states(hidden_states(model, X, sample=250))
