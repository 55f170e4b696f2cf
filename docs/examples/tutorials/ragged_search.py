"""
Classify sequences of unequal length
====================================

From raw arrays to a searched and tested classifier: prepare ragged data, fit a baseline, put transformer and network into a ``Pipeline``,
search both with ``GridSearchCV``, and look at what is still wrong.
"""

# %%
# The data
# --------
# Four machines are observed for 20 to 60 seconds each. A *worn* bearing shows as a short burst of vibration somewhere in the recording; a
# *loose* one as vibration that grows; an *unbalanced* one as a slow beat; the rest is *fine*.

import numpy as np

KINDS = ["fine", "loose", "unbalanced", "worn"]


def record(kind, n_timesteps, rng):
    """Return a recording of shape (n_timesteps, 2): vibration, and an uninformative temperature."""
    t = np.arange(n_timesteps)
    vibration = rng.normal(size=n_timesteps)
    if kind == "worn":
        start = rng.integers(n_timesteps - 5)
        vibration[start : start + 5] += 3 * np.array([1, -1, 1, -1, 1])
    if kind == "loose":
        vibration *= 1 + 2 * t / n_timesteps
    if kind == "unbalanced":
        vibration += 1.5 * np.sin(2 * np.pi * (t / 12 + rng.random()))
    return np.column_stack([vibration, 40 + rng.normal(size=n_timesteps).cumsum()])


rng = np.random.default_rng(0)
y = rng.choice(KINDS, size=500)
X = [record(kind, rng.integers(20, 61), rng) for kind in y]
print(len(X), "recordings; the first two:", X[0].shape, X[1].shape)

# %%
import matplotlib.pyplot as plt

figure, panels = plt.subplots(4, 1, figsize=(8, 5), sharex=True, layout="constrained")
for kind, axes in zip(KINDS, panels):
    axes.plot(X[list(y).index(kind)][:, 0], color="#0072B2")
    axes.set_ylabel(kind)
panels[-1].set_xlabel("time step")
plt.show()

# %%
# A list of arrays is enough for every estimator. ``Sequences`` holds the same data in two arrays, which splits, copies and travels to other
# processes faster, and knows how to describe itself.

from sklearn.model_selection import train_test_split

from seqpipe import Sequences

X = Sequences.from_arrays(X)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
X_train

# %%
# A baseline
# ----------
# A score means little without a baseline. Here: logistic regression on the mean and standard deviation of each recording.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


def summary(recordings):
    """Return mean and standard deviation of each feature, one row per recording."""
    return np.array([np.concatenate([x.mean(axis=0), x.std(axis=0)]) for x in recordings])


baseline = make_pipeline(FunctionTransformer(summary), StandardScaler(), LogisticRegression())
print(f"baseline: {baseline.fit(X_train, y_train).score(X_test, y_test):.3f}")

# %%
# The search
# ----------
# Transformer and network are in one pipeline, so that each fold learns its own scale and the grid covers both. ``cell`` is a parameter like any
# other.

from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from seqpipe import SequenceClassifier, SequenceScaler

model = Pipeline(
    [
        ("scale", SequenceScaler()),
        ("net", SequenceClassifier(hidden_size=24, max_epochs=15, random_state=0)),
    ]
)
grid = {"net__cell": ["rnn", "gru"], "net__pooling": ["last", "last_mean"]}
search = GridSearchCV(model, grid, cv=3).fit(X_train, y_train)

import pandas as pd

columns = ["param_net__cell", "param_net__pooling", "mean_test_score", "std_test_score"]
print(pd.DataFrame(search.cv_results_)[columns].round(3).to_string(index=False))

# %%
# The result
# ----------
# Only now the test set is used, once.

print(search.best_params_)
print(f"held-out accuracy: {search.score(X_test, y_test):.3f}")

# %%
# The confusion matrix shows which kinds are confused.

from seqpipe.diagnostics import plot_confusion_matrix

plot_confusion_matrix(y_test, search.predict(X_test), labels=KINDS)

# %%
# Next steps: :doc:`record the search in MLflow </comparing-runs>`, :doc:`save the model </saving>`, or
# :doc:`write your own cell </tutorials/own_cell>`.
