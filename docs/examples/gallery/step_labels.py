"""
A label per time step
=====================

``StepClassifier`` labels every step: here it segments a signal into phases. A network that reads in both directions knows what follows, and finds the borders better.
"""

import matplotlib.pyplot as plt
import numpy as np

from seqpipe import StepClassifier

rng = np.random.default_rng(0)


def signal():
    """Return a signal of several phases, shape (n_timesteps, 1), and the phase of each step."""
    phases = rng.choice(["rest", "walk", "run"], size=rng.integers(3, 6))
    labels = np.repeat(phases, rng.integers(15, 40, size=len(phases)))
    t = np.arange(len(labels))
    speed = {"rest": 0.0, "walk": 0.5, "run": 1.2}
    phase = np.cumsum([speed[label] for label in labels])
    return (np.sin(phase) + rng.normal(scale=0.4, size=len(t)))[:, None], labels


X, y = zip(*(signal() for _ in range(160)))
settings = {"hidden_size": 24, "max_epochs": 25, "random_state": 0}
models = {
    "one direction": StepClassifier(**settings),
    "both directions": StepClassifier(bidirectional=True, **settings),
}
for name, model in models.items():
    print(f"{name:16} {model.fit(X[:120], y[:120]).score(X[120:], y[120:]):.3f}")

# %%
colours = {"rest": "#9a9a9a", "walk": "#0072B2", "run": "#D55E00"}
rows = {"truth": y[120]} | {name: model.predict(X[120:121])[0] for name, model in models.items()}
figure, panels = plt.subplots(4, 1, figsize=(9, 4.5), sharex=True, height_ratios=[3, 1, 1, 1], layout="constrained")
panels[0].plot(X[120][:, 0], color="#222222")
for axes, (name, labels) in zip(panels[1:], rows.items()):
    for label, colour in colours.items():
        axes.fill_between(np.arange(len(labels)), 0, 1, where=labels == label, color=colour, step="mid", label=label)
    axes.set_ylabel(name, rotation=0, ha="right", va="center")
    axes.set_yticks([])
panels[1].legend(loc="upper left", bbox_to_anchor=(1, 1.2))
panels[-1].set_xlabel("time step")
plt.show()
