"""
Where a translator looks
========================

``SequenceTranslator`` writes words backwards. Its attention weights show, for each character that it wrote, where it looked in the text that it read: on the other diagonal.
"""

import numpy as np

from seqpipe import SequenceTranslator
from seqpipe.diagnostics import plot_attention

rng = np.random.default_rng(0)
words = ["".join(rng.choice(list("abcdefgh"), size=n)) for n in rng.integers(3, 9, size=600)]
mirrored = [word[::-1] for word in words]

model = SequenceTranslator(hidden_size=48, max_epochs=15, random_state=0).fit(words[:550], mirrored[:550])
print(
    f"exact matches {model.score(words[550:], mirrored[550:]):.2f}, token accuracy {model.token_accuracy(words[550:], mirrored[550:]):.2f}"
)

# %%
text = "abcdefgh"
written = str(model.predict([text])[0])
print(text, "->", written)
plot_attention(model.attention_weights([text])[0], source=list(text), output=list(written))
