"""
Does the gradient reach the first step?
=======================================

The label depends on the first of sixty steps only. ``gradient_flow`` measures the norm of the loss's gradient with respect to the state at each step: in a plain RNN it vanishes on the
backward pass, so the network cannot learn from the first step.
"""

import numpy as np

from seqpipe import SequenceClassifier
from seqpipe.diagnostics import gradient_flow, plot_gradient_flow

X = np.random.default_rng(0).normal(size=(400, 60, 1))
y = np.where(X[:, 0, 0] > 0, "up", "down")

flows = {}
for cell in ["rnn", "lstm"]:
    model = SequenceClassifier(cell, hidden_size=16, max_epochs=20, random_state=0)
    model.set_params(pooling="last" if cell == "rnn" else "last_mean").fit(X[:300], y[:300])
    flows[cell] = gradient_flow(model, X, y)
    print(f"{cell:5} accuracy {model.score(X[300:], y[300:]):.2f}; {flows[cell].verdict}")

# %%
# A plain RNN that predicts from its last state:
plot_gradient_flow(flows["rnn"])

# %%
# An LSTM that also predicts from the mean of all states:
plot_gradient_flow(flows["lstm"])
