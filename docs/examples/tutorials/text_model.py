"""
Learn from texts
================

Names of places: which continent does a name belong to, and what would a new name sound like? Three estimators read the same strings, character by
character.
"""

# %%
# The data
# --------
# Place names and their continent or ocean, from the time zone database that Python ships with.

from collections import Counter

from sklearn.model_selection import train_test_split

from seqpipe.datasets import load_place_names

names, places = load_place_names()
print(len(names), "names, such as", names[:5])
print(Counter(places).most_common())

# %%
# Classify
# --------
# ``TokenizeTexts`` turns each text into a sequence of token numbers, and ``embedding=`` turns these into learned vectors. ``unknown="token"`` reserves one
# token for characters that only occur in new names.

from sklearn.pipeline import make_pipeline

from seqpipe import SequenceClassifier, TokenizeTexts

X_train, X_test, y_train, y_test = train_test_split(names, places, random_state=0, test_size=0.25, stratify=places)
reader = make_pipeline(
    TokenizeTexts(lowercase=True, unknown="token"),
    SequenceClassifier(
        embedding=16, hidden_size=32, bidirectional=True, pooling="max", dropout=0.5, max_epochs=15, random_state=0
    ),
)
reader.fit(X_train, y_train)
most_frequent = Counter(y_train).most_common(1)[0][0]
print(
    f"accuracy {reader.score(X_test, y_test):.2f}, the most frequent class {sum(y == most_frequent for y in y_test) / len(y_test):.2f}"
)

# %%
# 357 names are few to learn nine classes from. The network does better than the most frequent class, and the confusion matrix shows where it falls
# short: the large classes dominate.

from seqpipe.diagnostics import plot_confusion_matrix

plot_confusion_matrix(y_test, reader.predict(X_test))

# %%
# Generate
# --------
# ``LanguageModel`` learns the next character, and where a name ends. With labels it learns the names of each class.

from seqpipe import LanguageModel

model = LanguageModel(hidden_size=64, max_epochs=15, lr=0.005, dropout=0.3, random_state=0).fit(names, places)
for place in ["Africa", "Europe", "America"]:
    print(place, model.generate(label=place, n=5, temperature=0.6, random_state=0))

# %%
# Lower temperatures make likely characters likelier; ``top_k`` and ``top_p`` leave the unlikely ones out. ``score_samples`` gives the log probability of a
# text, so the same model also shows which names are likely:

import numpy as np

order = np.argsort(model.score_samples(names, places) / [len(name) + 1 for name in names])
print("unlikely:", [names[i] for i in order[:4]])
print("likely:  ", [names[i] for i in order[-4:]])

# %%
# Translate
# ---------
# ``SequenceTranslator`` reads one text and writes another, with attention over what it has read. Dates in words become ISO dates; 1,000 pairs are enough to
# see it learn (the recipe ``dates`` takes 5,000 and reaches 0.996).

from seqpipe import SequenceTranslator
from seqpipe.datasets import make_dates

written, iso = make_dates(1100, random_state=0)
translator = SequenceTranslator(hidden_size=64, max_epochs=15, random_state=0).fit(written[:1000], iso[:1000])
print(f"token accuracy {translator.token_accuracy(written[1000:], iso[1000:]):.2f}")
for text in written[1000:1003]:
    print(f"{text!r:40} {translator.predict([text])[0]}")

# %%
# The attention weights show where it looked for each character that it wrote.

from seqpipe.diagnostics import plot_attention

text = written[1001]
plot_attention(translator.attention_weights([text])[0], source=list(text), output=list(translator.predict([text])[0]))
