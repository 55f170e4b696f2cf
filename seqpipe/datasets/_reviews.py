"""Short film reviews, written by rules, in which the order of words decides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from seqpipe.datasets._dataset import Dataset
from seqpipe.exceptions import InvalidSequencesError

__all__ = ["load_sentiment", "make_reviews"]

_SUBJECTS = (
    "the plot", "the story", "the acting", "the music", "the ending", "the film", "this movie", "the first half", "the script",
    "the lead", "the camera work", "the dialogue", "the pace", "the whole cast", "the second act",
)  # fmt: skip
#: Adjectives and how much they praise.
_ADJECTIVES = {
    "superb": 2.0, "brilliant": 2.0, "moving": 1.5, "great": 1.5, "clever": 1.0, "good": 1.0, "charming": 1.0, "fresh": 1.0,
    "awful": -2.0, "terrible": -2.0, "tedious": -1.5, "bad": -1.5, "dull": -1.0, "weak": -1.0, "clumsy": -1.0, "stale": -1.0,
}  # fmt: skip
#: Words before an adjective, and what they make of its praise.
_DEGREES = {
    "": 1.0, "very": 1.5, "truly": 1.5, "rather": 0.75, "a little": 0.5, "not": -0.5, "never": -0.75, "hardly": -0.5,
    "not very": -0.25, "anything but": -1.0,
}  # fmt: skip
#: What joins two judgements, and what it makes of the first one.
_JOINTS = {"and": 1.0, ", and": 1.0, ", but": 0.25, ", yet": 0.25, "although": 2.0, ", even if": 2.0}
_OPENINGS = (
    "", "well ,", "honestly ,", "to be fair ,", "i saw it twice :", "my friends disagree , but i say", "on a rainy day in town ,",
)  # fmt: skip
#: Praise that is nearer to 0 is left out.
_CLEAR = 0.25
_MOODS = ("is", "was", "seemed", "felt")


def make_reviews(n_samples: int, *, random_state: Any = None) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return reviews of one to three judgements, and how much each praises its film.

    Negations turn a judgement around and degrees change its weight ("not very good" is a little bad), "but" makes the second of
    two the one that counts, "although" the first: the same words in another order may say the opposite.

    Parameters
    ----------
    n_samples : int
        How many, all different; up to 100,000.
    random_state : int, RandomState or None, default=None
        Seeds the choice of words.

    Returns
    -------
    X : object array of str, shape (n_samples,)
        Lower-case words and punctuation marks, with spaces between them.
    y : array of shape (n_samples,)
        The praise: above 0 in a good review, below in a bad one, and never between -0.25 and 0.25.

    Raises
    ------
    InvalidSequencesError
        If n_samples is out of range.

    Notes
    -----
    Source: computed. Licence: none needed.
    """
    if not 1 <= n_samples <= 100_000:
        raise InvalidSequencesError(f"n_samples must be from 1 to 100,000. Got {n_samples} instead.")
    random = check_random_state(random_state)
    reviews: dict[str, float] = {}
    while len(reviews) < n_samples:
        text, praise = _review(random)
        if abs(praise) >= _CLEAR:
            reviews[text] = praise
    return np.array(list(reviews), dtype=object), np.array(list(reviews.values()))


def _review(random: np.random.RandomState) -> tuple[str, float]:
    text, praise = _judgement(random)
    for _ in range(random.randint(3)):
        joint = str(random.choice([*_JOINTS]))
        more, weight = _judgement(random)
        text, praise = f"{text} {joint} {more}", _JOINTS[joint] * praise + weight
    opening = _OPENINGS[random.randint(len(_OPENINGS))]
    return f"{opening} {text} .".strip(), praise


def _judgement(random: np.random.RandomState) -> tuple[str, float]:
    """Return words such as "the plot was not very good", and their praise."""
    subject, mood = str(random.choice(_SUBJECTS)), str(random.choice(_MOODS))
    degree, adjective = str(random.choice([*_DEGREES])), str(random.choice([*_ADJECTIVES]))
    words = " ".join(f"{subject} {mood} {degree} {adjective}".split())
    return words, _DEGREES[degree] * _ADJECTIVES[adjective]


def load_sentiment() -> Dataset:
    """Return 2,000 reviews of `make_reviews` that are "negative" or "positive".

    ``X`` is an object array of strings and ``y`` an array of labels, both of shape (2000,). Source: computed. Licence: none
    needed.

    Examples
    --------
    >>> from seqpipe.datasets import load_sentiment
    >>> reviews = load_sentiment()
    >>> reviews.X[9], str(reviews.y[9])
    ('honestly , the second act is very moving .', 'positive')
    """
    X, praise = make_reviews(2000, random_state=0)
    return Dataset(
        name="sentiment",
        X=X,
        y=np.where(praise > 0, "positive", "negative"),
        target_names=("negative", "positive"),
        description="2,000 short film reviews with negations and degrees: do they praise or blame?",
        source="computed",
        licence="none needed",
    )
