"""Windows of each sequence or text, with padding before its start."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows, as_sequences
from seqpipe.transformers._parameters import check_choice, check_integer, check_number
from seqpipe.transformers._texts import FORMS, Form, Level, Text, Token, as_texts, join_tokens, normalized, split_text

__all__ = ["cut_texts", "cut_windows"]


def cut_windows(X: Any, *, window: int, stride: int = 1, pad_value: float = 0.0, every_step: bool = False) -> Windows:
    """Cut every sequence into windows, of which the last ends with its last step, at a distance of ``stride`` steps.

    The first window of a sequence is padded at its start if necessary, so that no step is lost and a sequence shorter
    than a window still yields one.

    Parameters
    ----------
    X : sequences of any kind
        Each of shape (n_timesteps, n_features).
    window : int
        Length of a window, in time steps.
    stride : int, default=1
        Distance between the ends of consecutive windows, in time steps.
    pad_value : float, default=0.0
        Value of the padding before the first step of a sequence.
    every_step : bool, default=False
        Whether each step must be among the last ``stride`` steps of a window; otherwise it must only be in a window.

    Returns
    -------
    windows : Windows of shape (n_windows, window, n_features)
        ``windows.series`` is the index of the sequence of each window: with one label per sequence in y,
        ``y[windows.series]`` are the labels of the windows.

    Raises
    ------
    InvalidSequencesError
        If X is invalid, a parameter is out of range, or ``every_step`` is True and the stride is longer than the
        window.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe.transformers import cut_windows
    >>> windows = cut_windows([[1.0, 2.0, 3.0], [4.0]], window=2)
    >>> np.asarray(windows)[:, :, 0]
    array([[1., 2.],
           [2., 3.],
           [0., 4.]])
    >>> windows.series
    array([0, 0, 1])
    """
    check_integer("cut_windows", "window", window, minimum=1)
    check_integer("cut_windows", "stride", stride, minimum=1)
    check_number("cut_windows", "pad_value", pad_value)
    if every_step and stride > window:
        raise InvalidSequencesError(
            f"Windows of {window} steps every {stride} leave steps out: choose a stride of at most the window."
        )
    found = as_sequences(X)
    found = found if isinstance(found, Sequences) else Sequences.from_padded(np.asarray(found))
    lengths = found.lengths
    counts = _n_windows(lengths, window, stride, every_step=every_step)
    missing = (counts - 1) * stride + window - lengths
    offsets = np.concatenate([[0], np.cumsum(missing + lengths)])
    base = np.full((offsets[-1], found.n_features), pad_value, dtype=found.dtype)
    base[np.arange(len(found.values)) + np.repeat(np.cumsum(missing), lengths)] = found.values
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.repeat(offsets[:-1], counts) + within * stride
    return Windows(base, starts, window, horizon=0, offsets=offsets, feature_names=found.feature_names)


def _n_windows(lengths: NDArray[np.int64], window: int, stride: int, *, every_step: bool) -> NDArray[np.int64]:
    """Return the number of windows of each sequence."""
    if every_step:
        return -(-lengths // stride)
    return np.maximum(-(-(lengths - window) // stride), 0) + 1


def cut_texts(
    texts: Any,
    y: Any = None,
    *,
    window: int,
    stride: int = 1,
    level: Level = "char",
    pad: Token = "#",
    normalize: Form | None = "NFC",
) -> tuple[list[Text], NDArray[Any], NDArray[np.int64]]:
    """Cut texts into windows, each with the token that follows it, or with the label of its text.

    Parameters
    ----------
    texts : list, array or Series of texts
        Strings, or lists of tokens.
    y : array of shape (n_texts,), optional
        One label per text, shared by its windows. Without it, every ``stride``-th token of a text is a target, starting
        with the first one, and the tokens before it are its window.
    window : int
        Length of a window, in tokens.
    stride : int, default=1
        Distance between the starts of consecutive windows, in tokens.
    level : {"char", "word", "token"}, default="char"
        Kind of tokens; see `TokenizeTexts`.
    pad : str or int, default="#"
        Padding token before the first token of a text.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
        Unicode normalization form applied to texts first; see `TokenizeTexts`.

    Returns
    -------
    windows : list of texts
        Strings, or lists of tokens if level="token".
    targets : array of shape (n_windows,)
        Tokens, or labels.
    sources : array of int, shape (n_windows,)
        Index of the text of each window.

    Raises
    ------
    InvalidSequencesError
        If there are no texts, one has no tokens, y is not one label per text, or a parameter is out of range.

    Examples
    --------
    >>> from seqpipe.transformers import cut_texts
    >>> windows, targets, _ = cut_texts(["Hello"], window=3)
    >>> windows, targets.tolist()
    (['###', '##H', '#He', 'Hel', 'ell'], ['H', 'e', 'l', 'l', 'o'])
    >>> windows, labels, _ = cut_texts(["This is a great movie."], ["positive"], window=3, level="word")
    >>> windows, labels.tolist()
    (['This is a', 'is a great', 'a great movie.'], ['positive', 'positive', 'positive'])
    """
    check_integer("cut_texts", "window", window, minimum=1)
    check_integer("cut_texts", "stride", stride, minimum=1)
    if normalize is not None:
        check_choice("cut_texts", "normalize", normalize, FORMS)
    tokens = [split_text(normalized(text, normalize), level) for text in as_texts(texts, level, name="texts")]
    empty = next((i for i, each in enumerate(tokens) if not each), None)
    if empty is not None:
        raise InvalidSequencesError(f"texts, sample {empty} has no tokens: drop empty texts.")
    lengths = np.array([len(each) for each in tokens])
    labels = None if y is None else _labels(y, len(tokens))
    counts = -(-lengths // stride) if labels is None else _n_windows(lengths, window, stride, every_step=False)
    windows, targets = [], []
    for each, n in zip(tokens, counts.tolist()):
        before = window if labels is None else (n - 1) * stride + window - len(each)
        padded = [pad] * before + each
        windows += [join_tokens(padded[k : k + window], level) for k in range(0, n * stride, stride)]
        targets += each[::stride]
    sources = np.repeat(np.arange(len(tokens)), counts)
    return windows, np.array(targets) if labels is None else labels[sources], sources


def _labels(y: Any, n_texts: int) -> NDArray[Any]:
    labels = np.asarray(y)
    if labels.shape != (n_texts,):
        raise InvalidSequencesError(
            f"y must hold one label for each of {n_texts} texts. Got shape {labels.shape} instead."
        )
    return labels
