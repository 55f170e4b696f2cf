"""
Temperature of a language model
===============================

A language model of place names draws the next letter. Below 1 the ``temperature`` makes likely letters even more likely: names become more ordinary and similar; above 1 they
become more varied and unusual.
"""

import matplotlib.pyplot as plt
import numpy as np

from seqpipe import LanguageModel
from seqpipe.datasets import load_place_names

names, _ = load_place_names()
model = LanguageModel(hidden_size=64, max_epochs=15, lr=0.005, dropout=0.2, random_state=0).fit(names)

temperatures = [0.3, 0.5, 0.7, 1.0, 1.3, 1.6]
drawn = {t: [*filter(None, model.generate(n=100, temperature=t, length=20, random_state=0))] for t in temperatures}
for t in [0.3, 0.7, 1.3]:
    print(t, drawn[t][:5])

# %%
different = [len(set(texts)) for texts in drawn.values()]
letters = {t: np.array([len(text) + 1 for text in texts]) for t, texts in drawn.items()}
bits = [-np.mean(model.score_samples(drawn[t]) / letters[t]) / np.log(2) for t in temperatures]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
left.plot(temperatures, different, "o-", color="#0072B2")
left.set(xlabel="temperature", ylabel="different names among 100")
right.plot(temperatures, bits, "o-", color="#D55E00")
right.set(xlabel="temperature", ylabel="bits per letter (surprise)")
plt.show()
