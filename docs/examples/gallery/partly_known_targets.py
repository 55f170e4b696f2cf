"""
Targets known at some steps only
================================

A slow laboratory value is measured at every eighth step, the sensors at each. Unknown targets are NaN: they count in neither the loss nor the score, and the model
still predicts every step.
"""

import matplotlib.pyplot as plt
import numpy as np

from seqpipe import StepRegressor

rng = np.random.default_rng(0)
X, truth = [], []
for n in rng.integers(60, 120, size=150):
    x = rng.normal(size=(n, 1)).cumsum(axis=0) * 0.3
    level = np.zeros(n)
    for t in range(1, n):
        level[t] = 0.9 * level[t - 1] + 0.1 * x[t, 0]  # follows the sensor slowly
    X.append(x)
    truth.append(level)
y = [
    np.where(np.arange(len(level)) % 8 == 0, level + rng.normal(scale=0.02, size=len(level)), np.nan) for level in truth
]

model = StepRegressor(hidden_size=16, max_epochs=40, random_state=0).fit(X[:120], y[:120])
print(
    f"R² over the known steps {model.score(X[120:], y[120:]):.3f}, over all steps {model.score(X[120:], truth[120:]):.3f}"
)

# %%
figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
axes.plot(X[120][:, 0], color="#9a9a9a", label="sensor")
axes.plot(truth[120], color="#222222", label="true level")
axes.plot(model.predict(X[120:121])[0], color="#D55E00", linestyle="--", label="predicted")
axes.plot(y[120], "o", color="#0072B2", label="measured")
axes.set_xlabel("time step")
axes.legend()
plt.show()
