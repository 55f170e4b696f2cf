"""
Why shuffled windows mislead
============================

The series is a random walk, and the target its change over the next 24 steps: nothing can be predicted, the true R² is not above 0. A shuffled split suggests otherwise, because a window
in the test set has neighbours in the training set that share nearly all of its rows and of its target. ``WindowSplit`` excludes training windows that overlap the test windows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from seqpipe import WindowSplit, make_windows

walk = np.random.default_rng(0).normal(size=800).cumsum()
windows, following, _ = make_windows(walk, window=12, horizon=24)


def flat(X):
    """Return windows as a table, one row per window."""
    return np.asarray(X).reshape(len(X), -1)


target = following[:, -1] - flat(windows)[:, -1]
model = make_pipeline(FunctionTransformer(flat), ExtraTreesRegressor(20, random_state=0))
splits = {
    "KFold(shuffle=True)": KFold(5, shuffle=True, random_state=0),
    "TimeSeriesSplit(gap=23)": TimeSeriesSplit(5, gap=23),
    "WindowSplit()": WindowSplit(5),
}
scores = {name: cross_val_score(model, windows, target, cv=split) for name, split in splits.items()}
for name, values in scores.items():
    print(f"{name:24} R² {values.mean():+.2f}")

# %%
figure, axes = plt.subplots(figsize=(8, 2.5), layout="constrained")
means = [values.mean() for values in scores.values()]
axes.barh(list(scores), means, color=["#D55E00", "#0072B2", "#0072B2"])
axes.axvline(0, color="#222222")
axes.set_xlabel("cross-validated R² (there is nothing to predict)")
axes.invert_yaxis()
plt.show()
