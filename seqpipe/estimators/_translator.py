"""`SequenceTranslator`: an encoder-decoder between sequences of tokens."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.estimators._base import OPTIONS
from seqpipe.estimators._cells import cell_factory, recurrent_factory
from seqpipe.estimators._declared import Group, fitted, parameter
from seqpipe.estimators._text_parameters import UnknownTokenParameters
from seqpipe.estimators._token_data import encoded_sources, token_sequences
from seqpipe.estimators._token_writer import TokenWriter
from seqpipe.networks import ATTENTIONS, END, EncoderDecoder
from seqpipe.recurrence import Recurrent
from seqpipe.saved import Instance, Schema
from seqpipe.sequences import Sequences
from seqpipe.training import Samples
from seqpipe.transformers import LEVELS, Level, Text, Vocabulary, as_texts

__all__ = ["SequenceTranslator"]

_FROM_1 = Interval(Integral, 1, None, closed="left")


class SequenceTranslator(UnknownTokenParameters, TokenWriter):
    """Translate texts with a recurrent encoder-decoder with attention.

    X and y may each be any of:

    - a list, array or pandas Series of strings;
    - a list, object array or pandas Series of lists of strings or ints, with ``level`` or ``target_level`` "token".

    Texts of y may have any length, including 0. Generation stops at the end-of-sequence token.

    Notes
    -----
    The decoder is initialized with a linear map of the encoder's last state. It is trained with the cross-entropy of
    the next token, given the true previous tokens (teacher forcing) unless ``scheduled_sampling`` is above 0. `predict`
    uses greedy search, or beam search if ``beam_width`` is above 1.

    References
    ----------
    I. Sutskever, O. Vinyals and Q. V. Le, 2014, Sequence to Sequence Learning with Neural Networks, arXiv:1409.3215.

    D. Bahdanau, K. Cho and Y. Bengio, 2015, Neural Machine Translation by Jointly Learning to Align and Translate,
    arXiv:1409.0473.

    M.-T. Luong, H. Pham and C. D. Manning, 2015, Effective Approaches to Attention-based Neural Machine Translation,
    arXiv:1508.04025.

    Examples
    --------
    >>> from seqpipe import SequenceTranslator
    >>> words = ["ab", "ba", "abb", "bab", "aab", "bba", "abab", "baab"]
    >>> mirror = SequenceTranslator(hidden_size=16, max_epochs=200, random_state=0).fit(words, [w[::-1] for w in words])
    >>> mirror.predict(["aab"])[0]
    'baa'
    """

    _network = EncoderDecoder

    decoder_cell: str | type[Cell] | None = parameter(
        default=None,
        constraint="no_validation",
        type="str, subclass of Cell or None",
        description="Cell of the decoder; None uses that of the encoder.",
        group=Group.NETWORK,
    )
    decoder_cell_params: dict[str, Any] | None = parameter(
        default=None,
        constraint=[dict, None],
        type="dict",
        description=(
            "Additional arguments of the decoder's cell; None uses ``cell_params`` if ``decoder_cell`` is None."
        ),
        group=Group.NETWORK,
    )
    decoder_hidden_size: int | None = parameter(
        default=None,
        constraint=[_FROM_1, None],
        type="int or None",
        description="Number of hidden units per layer of the decoder; None uses that of the encoder.",
        group=Group.NETWORK,
    )
    attention: str | None = parameter(
        default="dot",
        constraint=[StrOptions(set(ATTENTIONS)), None],
        type='{"additive", "dot"} or None',
        description=(
            "Attention of the decoder to the encoder's outputs: dot-product (Luong et al., 2015), additive (Bahdanau "
            "et al., 2015) or None."
        ),
        group=Group.NETWORK,
    )
    source_embedding: int | str = parameter(
        default=32,
        constraint=[_FROM_1, StrOptions({"one_hot"})],
        type='int or "one_hot"',
        description='Size of the learned embedding of the tokens of X, or "one_hot".',
        group=Group.NETWORK,
    )
    target_embedding: int | str = parameter(
        default=32,
        constraint=[_FROM_1, StrOptions({"one_hot"})],
        type='int or "one_hot"',
        description='Size of the learned embedding of the tokens of y, or "one_hot".',
        group=Group.NETWORK,
    )
    bidirectional: bool = parameter(
        default=True,
        constraint=["boolean"],
        type="bool",
        description="Whether the encoder is bidirectional.",
        group=Group.NETWORK,
    )
    initial_state: str = parameter(
        default="zeros",
        constraint=[StrOptions({"zeros", "learned"})],
        type='{"zeros", "learned"}',
        description=(
            "State of the encoder before the first time step: zeros, or trainable parameters. The decoder begins with "
            "a linear map of the encoder's last state."
        ),
        group=Group.NETWORK,
    )
    target_level: Level | None = parameter(
        default=None,
        constraint=[StrOptions(set(LEVELS)), None],
        type='{"char", "word", "token"} or None',
        description="Tokens of y, as ``level`` for X; None uses the same level.",
        group=Group.DATA,
    )

    source_vocabulary_: Vocabulary = fitted(
        "Vocabulary", "Vocabulary of X, which maps tokens to numbers.", saved=Instance(Vocabulary)
    )
    _saved: ClassVar[dict[str, Schema]] = {"decoder_cell_params": OPTIONS}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = False
        tags.input_tags.string = True
        return tags

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.min_count > 1 and self.unknown == "error":
            raise ValueError(
                f"The 'min_count' parameter of SequenceTranslator is {self.min_count}, but with unknown='error', rare "
                "tokens would raise an error. Set unknown='token', or min_count=1."
            )
        if self.decoder_cell is not None:
            cell_factory(self.decoder_cell, self.decoder_cell_params, owner="SequenceTranslator's decoder")

    @property
    def _target_level(self) -> Level:
        return self.level if self.target_level is None else self.target_level

    def _check_source(self, X: Any, *, reset: bool) -> list[Text]:
        return as_texts(X, self.level)

    def _take_source(self, found: list[Text], kept: NDArray[np.int64]) -> list[Text]:
        return [found[i] for i in kept]

    def _encode_source(self, found: list[Text], *, reset: bool) -> Sequences:
        if reset:
            special = ("unknown",) if self.unknown == "token" else ()
            self.source_vocabulary_ = Vocabulary.of(
                found, self.level, special=special, min_count=self.min_count, normalize=self.normalize
            )
        return encoded_sources(self.source_vocabulary_, found, self.dtype)

    def _source_sizes(self) -> dict[str, int]:
        return {"n_tokens": len(self.source_vocabulary_)}

    def _network_settings(self) -> dict[str, Any]:
        return {
            "encoder": recurrent_factory(self),
            "decoder": self._decoder_factory(),
            "source_embedding": self.source_embedding,
            "target_embedding": self.target_embedding,
            "attention": self.attention,
            "sampling": float(self.scheduled_sampling),
            "dropout": self.dropout,
            "dtype": getattr(torch, self.dtype),
        }

    def _decoder_factory(self) -> Callable[[int], Recurrent]:
        cell, params = self.decoder_cell, self.decoder_cell_params
        if cell is None:
            cell, params = self.cell, self.cell_params if params is None else params
        return recurrent_factory(
            self,
            cell=cell,
            cell_params=params,
            hidden_size=self.hidden_size if self.decoder_hidden_size is None else self.decoder_hidden_size,
            bidirectional=False,
            initial_state="zeros",
        )

    def attention_weights(self, X: Any) -> list[NDArray[Any]]:
        """Return the attention weights of the texts that `predict` returns, averaged over the networks of an ensemble.

        Parameters
        ----------
        X : list, array or Series of n_samples texts
            As for `predict`.

        Returns
        -------
        weights : list of arrays of shape (n_output_tokens, n_source_tokens)
            Attention weights, which are non-negative and sum to 1 in each row.

        Raises
        ------
        ValueError
            If the translator has no attention.
        """
        if self.attention is None:
            raise ValueError(
                "attention_weights requires a translator with attention. Fit with attention='dot' or 'additive'."
            )
        tokens, _ = self._search(X, 1)
        written = [_with_end(best[0]) for best in tokens]
        source = self._encode_source(self._check_source(X, reset=False), reset=False)
        networks = self._fitted_networks()

        def attend(inputs: dict[str, Tensor], y: Tensor) -> NDArray[Any]:
            of_each = [network.attended(inputs["x"], inputs.get("lengths"), y) for network in networks]
            return torch.stack(of_each).mean(dim=0).cpu().numpy()

        found: list[Any] = [None] * len(source)
        samples = Samples(source, token_sequences(written, self.dtype))
        for indices, weights in self.net_.each_batch(samples, attend):
            for i, matrix in zip(indices, weights):
                found[i] = matrix[: len(written[i]) - 1, : source.lengths[i]].copy()
        return found


def _with_end(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the tokens up to and including the first end-of-sequence token."""
    ends = np.flatnonzero(tokens == END)
    return tokens[: ends[0] + 1] if len(ends) else np.append(tokens, END)
