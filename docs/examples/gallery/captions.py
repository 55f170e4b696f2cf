"""
A text for an image
===================

``SequenceCaptioner`` maps a vector to a text of any length: here an image of a handwritten digit to its name, letter by letter.
"""

import matplotlib.pyplot as plt

from seqpipe import SequenceCaptioner
from seqpipe.datasets import load_digit_names

data = load_digit_names()
model = SequenceCaptioner(hidden_size=64, max_epochs=10, random_state=0).fit(data.X[:1400], data.y[:1400])
print(f"exact matches {model.score(data.X[1400:], data.y[1400:]):.2f}")

# %%
figure, panels = plt.subplots(2, 6, figsize=(9, 3.6), layout="constrained")
for image, name, axes in zip(data.X[1400:], model.predict(data.X[1400:1412]), panels.flat):
    axes.imshow(image.reshape(8, 8), cmap="gray_r")
    axes.set_title(name)
    axes.set_axis_off()
plt.show()
