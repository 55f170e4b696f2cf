"""
Stop before it overfits
=======================

Eighty noisy sequences are soon memorised. With ``early_stopping=True`` a share of the samples is held out, training stops when their loss has not improved for ``n_iter_no_change`` epochs, and
the best weights are kept. Solid lines are the training loss, dashed lines the validation loss.
"""

import numpy as np

from seqpipe import SequenceRegressor
from seqpipe.diagnostics import plot_learning_curves

rng = np.random.default_rng(0)
X = rng.normal(size=(280, 20, 3))
y = X[:, -5:, 0].mean(axis=1) + rng.normal(scale=0.5, size=280)
X_train, y_train, X_test, y_test = X[:80], y[:80], X[80:], y[80:]

settings = {"hidden_size": 32, "max_epochs": 80, "lr": 0.005, "random_state": 0}
stopped = SequenceRegressor(early_stopping=True, validation_fraction=0.25, n_iter_no_change=20, **settings)
whole = SequenceRegressor(**settings)
for name, model in {"early stopping": stopped, "all epochs": whole}.items():
    model.fit(X_train, y_train)
    print(f"{name:15} {model.n_iter_:3} epochs, held-out R² {model.score(X_test, y_test):+.2f}")

# %%
plot_learning_curves({"early stopping": stopped.history_, "all epochs": whole.history_})
