"""
Sequences of unequal length
===========================

A list of arrays is classified without padding or masks. Sequences may have any number of steps, and padding added inside a batch does not change
predictions.
"""

import matplotlib.pyplot as plt
import numpy as np

from seqpipe import SequenceClassifier

rng = np.random.default_rng(0)
lengths = rng.integers(5, 80, size=500)
X = [rng.normal(size=(n, 1)).cumsum(axis=0) for n in lengths]
y = np.array(["above" if x.mean() > 0 else "below" for x in X])

model = SequenceClassifier(hidden_size=16, random_state=0).fit(X[:350], y[:350])
probability = model.predict_proba(X[350:])[:, 0]

# %%
# A sequence predicted alone gives the same probability as in a batch with longer ones.

alone = np.array([model.predict_proba([x])[0, 0] for x in X[350:]])
print(f"largest difference: {np.abs(alone - probability).max():.0e}")

# %%
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
for label, colour in [("above", "#0072B2"), ("below", "#D55E00")]:
    chosen = y[350:] == label
    axes.scatter(lengths[350:][chosen], probability[chosen], color=colour, label=f"mean {label} zero", s=18)
axes.set(xlabel="time steps", ylabel="predicted probability of 'above'")
axes.legend()
plt.show()
