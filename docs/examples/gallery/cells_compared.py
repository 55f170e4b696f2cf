"""
Which cell remembers?
=====================

The adding problem of Hochreiter and Schmidhuber (1997): the sum of two marked numbers among fifty. ``cell`` is a parameter, so the same code fits a plain RNN, an
LSTM, a GRU and a minGRU. The plain RNN forgets the first number.
"""

from seqpipe import SequenceRegressor
from seqpipe.datasets import make_adding
from seqpipe.diagnostics import plot_learning_curves

X, y = make_adding(1200, 50, random_state=0)
curves = {}
for cell in ["rnn", "lstm", "gru", "min_gru"]:
    model = SequenceRegressor(cell, hidden_size=32, pooling="last", max_epochs=20, batch_size=32, random_state=0)
    curves[cell] = model.fit(X[:1000], y[:1000]).history_
    print(f"{cell:8} R² {model.score(X[1000:], y[1000:]):.2f}, {model.n_parameters_} parameters")

# %%
plot_learning_curves(curves)
