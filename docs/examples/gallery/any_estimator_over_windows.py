"""
Any estimator over windows
==========================

``SlidingWindowClassifier`` cuts ragged sequences into windows, fits any scikit-learn estimator to them, and joins its predictions per sequence. Here logistic regression and
a random forest are compared with a recurrent network.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from seqpipe import SequenceClassifier, SlidingWindowClassifier

rng = np.random.default_rng(0)
X, y = [], []
for _ in range(400):
    n, kind = rng.integers(30, 70), rng.choice(["sine", "square", "saw"])
    t = np.arange(n) / rng.uniform(10, 14) + rng.random()
    wave = {"sine": np.sin(2 * np.pi * t), "square": np.sign(np.sin(2 * np.pi * t)), "saw": 2 * (t % 1) - 1}[kind]
    X.append(wave + rng.normal(scale=0.9, size=n))
    y.append(kind)

models = {
    "logistic regression over windows": SlidingWindowClassifier(LogisticRegression(max_iter=500), window=20, stride=4),
    "random forest over windows": SlidingWindowClassifier(
        RandomForestClassifier(100, random_state=0), window=20, stride=4
    ),
    "GRU over the whole sequence": SequenceClassifier(hidden_size=32, max_epochs=20, random_state=0),
}
scores = {name: model.fit(X[:280], y[:280]).score(X[280:], y[280:]) for name, model in models.items()}
for name, score in scores.items():
    print(f"{name:34} {score:.2f}")

# %%
figure, (above, below) = plt.subplots(2, 1, figsize=(8, 5), height_ratios=[1, 1], layout="constrained")
for kind, colour in zip(["sine", "square", "saw"], ["#0072B2", "#D55E00", "#009E73"]):
    above.plot(X[y.index(kind)], color=colour, label=kind)
above.set_xlabel("time step")
above.legend(loc="upper right")
below.barh(list(scores), list(scores.values()), color="#0072B2")
below.set(xlabel="held-out accuracy", xlim=(0, 1))
below.invert_yaxis()
plt.show()
