"""Generation of texts by a language model."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._next_token import NextToken
from seqpipe.estimators._sampling import Sampling
from seqpipe.transformers import Level, Text, Token, Vocabulary, join_tokens, split_text

__all__ = ["GenerationMixin"]


class GenerationMixin:
    """Generates texts, for ensembles of `LanguageNetwork`."""

    level: Level
    vocabulary_: Vocabulary
    classes_: NDArray[Any] | None
    class_prior_: NDArray[np.float64] | None

    def generate(
        self,
        prompt: Text = "",
        *,
        n: int = 1,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
        stop: Text | None = None,
        label: Any = None,
    ) -> list[Text]:
        """Generate texts that begin with a prompt.

        Parameters
        ----------
        prompt : str or list of tokens, default=""
            Beginning of each text.
        n : int, default=1
            Number of texts, which are generated in parallel.
        length : int, default=200
            Maximum number of tokens added to the prompt. Models of separate texts also stop at the end-of-sequence
            token.
        temperature : float, default=1.0
            Divisor of the logits; values below 1 favor probable tokens, and 0 always selects the most probable one.
        top_k : int, optional
            Number of most probable tokens to sample from.
        top_p : float, optional
            Sample from the smallest set of most probable tokens whose total probability reaches this value.
        random_state : int, RandomState or None, default=None
            Seed of sampling; pass an int for reproducible texts.
        stop : str or list of tokens, optional
            Stop a text when this sequence of tokens is generated.
        label : int or str, optional
            Class of the texts, for models fitted with classes; by default drawn according to ``class_prior_``.

        Returns
        -------
        texts : list of str, or of lists of tokens
            Texts including the prompt; lists of tokens with ``level="token"``.

        Raises
        ------
        ValueError
            If a parameter is out of range, or prompt, stop or label has unknown values.
        """
        n = _counted("n", n)
        written = self._written(prompt, n, length, temperature, top_k, top_p, random_state, stop, label)
        texts = [split_text(prompt, self.level)[:] for _ in range(n)]
        for row, token in written:
            texts[row].append(token)
        return [join_tokens(text, self.level) for text in texts]

    def stream_generate(
        self,
        prompt: Text = "",
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
        stop: Text | None = None,
        label: Any = None,
    ) -> Iterator[Token]:
        """Return an iterator over the tokens that `generate` adds to the prompt, for one text.

        Parameters are those of `generate`, and are validated before the first token is drawn.
        """
        written = self._written(prompt, 1, length, temperature, top_k, top_p, random_state, stop, label)
        return (token for _, token in written)

    def _written(
        self,
        prompt: Text,
        n: int,
        length: int,
        temperature: float,
        top_k: int | None,
        top_p: float | None,
        random_state: Any,
        stop: Text | None,
        label: Any,
    ) -> Iterator[tuple[int, Token]]:
        """Validate the parameters; return an iterator over (text index, token) without end-of-sequence tokens."""
        check_is_fitted(self)
        begin = self._encode(prompt, "prompt", empty=True)  # type: ignore[attr-defined]
        sampling = Sampling(temperature, top_k, top_p)
        random = check_random_state(random_state)
        last = [] if stop is None else self._encode(stop, "stop").tolist()  # type: ignore[attr-defined]
        network = self._averaged_network()  # type: ignore[attr-defined]
        model = NextToken(network, self._labels_of(label, n, random), n)
        drawn = self._drawn(model, np.append(self.vocabulary_.start, begin), sampling, random)
        end = self.vocabulary_.end if "end" in self.vocabulary_.special else None
        written = _until_finished(drawn, n, _counted("length", length), end, last)
        return ((row, self.vocabulary_.token(token)) for row, token in written)

    def _labels_of(self, label: Any, n: int, random: np.random.RandomState) -> NDArray[np.int64] | None:
        if label is not None:
            found: NDArray[np.int64] = self._class_numbers(np.full(n, label), n)  # type: ignore[attr-defined]
            return found
        if self.classes_ is None:
            return None
        return random.choice(len(self.classes_), size=n, p=self.class_prior_)

    def _drawn(
        self, model: NextToken, begin: NDArray[np.int64], sampling: Sampling, random: np.random.RandomState
    ) -> Iterator[NDArray[np.int64]]:
        """Yield the next token of each text, shape (n,), indefinitely; never a special token other than the end."""
        vocabulary = self.vocabulary_
        never = [number for number, name in enumerate(vocabulary.special) if name != "end"]
        tokens = begin[None]
        while True:
            logits = model.push(tokens)
            logits[:, never] = -np.inf
            drawn = sampling.draw(logits, random)
            yield drawn
            tokens = drawn[:, None]


def _until_finished(
    drawn: Iterator[NDArray[np.int64]], n: int, length: int, end: int | None, stop: list[int]
) -> Iterator[tuple[int, int]]:
    """Yield (text index, token) at each step for the texts that have neither ended nor stopped."""
    going: dict[int, list[int]] = {row: [] for row in range(n)}
    for _, tokens in zip(range(length), drawn):
        for row, recent in list(going.items()):
            token = int(tokens[row])
            if token != end:
                yield row, token
            recent.append(token)
            if token == end or (stop and recent[-len(stop) :] == stop):
                del going[row]
        if not going:
            return


def _counted(name: str, value: Any) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"The {name!r} parameter of generate must be an int >= 1. Got {value!r} instead.")
    return int(value)
