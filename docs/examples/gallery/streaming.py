"""
Predict while steps arrive
==========================

``stream()`` keeps the recurrent state of a fitted estimator: each new step costs the same, and after the last one the prediction equals that of ``predict_proba`` on the
whole sequence.
"""

import matplotlib.pyplot as plt
import numpy as np

from seqpipe import SequenceClassifier

rng = np.random.default_rng(0)
y = np.where(rng.random(400) < 0.5, "falling", "rising")
slopes = np.where(y == "rising", 0.05, -0.05)
X = [slope * np.arange(n) + rng.normal(size=n) for slope, n in zip(slopes, rng.integers(30, 80, size=400))]
model = SequenceClassifier(hidden_size=16, random_state=0).fit(X[:300], y[:300])

# %%
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
for i in range(300, 306):
    stream = model.stream(method="predict_proba")
    course = [float(np.ravel(stream.push(step[None]))[1]) for step in X[i]]
    axes.plot(course, color="#0072B2" if y[i] == "rising" else "#D55E00")
    assert np.isclose(course[-1], model.predict_proba(X[i : i + 1])[0, 1], atol=1e-4)
axes.plot([], color="#0072B2", label="rising")
axes.plot([], color="#D55E00", label="falling")
axes.set(xlabel="steps seen so far", ylabel="probability of 'rising'", ylim=(0, 1))
axes.legend()
plt.show()
