"""`SequenceTranslator`: from one sequence of tokens to another."""

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
from seqpipe.estimators._cells import cell_factory, recurrent_factory
from seqpipe.estimators._token_data import encoded_sources, token_sequences
from seqpipe.estimators._token_writer import TokenWriter
from seqpipe.networks import ATTENTIONS, END, EncoderDecoder
from seqpipe.recurrence import Recurrent
from seqpipe.sequences import Sequences
from seqpipe.training import Samples
from seqpipe.transformers import LEVELS, Level, Text, Vocabulary, as_texts

__all__ = ["SequenceTranslator"]


class SequenceTranslator(TokenWriter):
    """Translate texts: an encoder reads each, a decoder with attention writes another of any length.

    X and y are lists, arrays or Series of strings, or at the level "token" of lists of strings or of ints. A text of y ends
    where the decoder puts the end; it may be empty.

    Parameters
    ----------
    cell : str or subclass of Cell, default="gru"
        Name of a registered cell ("rnn", "lstm", "gru", "mlp", or a plug-in's), or the class.
    cell_params : dict, optional
        Further arguments of the cell, such as ``{"activation": "relu"}`` for "rnn".
    decoder_cell : str, subclass of Cell or None, default=None
        The decoder's cell; None for the encoder's.
    decoder_cell_params : dict, optional
        Further arguments of the decoder's cell; those of the encoder's where the cells are the same.
    attention : {"additive", "dot"} or None, default="dot"
        How the decoder's outputs attend to the encoder's: by their scalar product (Luong et al., 2015), by a network of
        one hidden layer (Bahdanau et al., 2015), or not at all.
    level : {"char", "word", "token"}, default="char"
        What a token of X is: a character, what stands between white space, or an item of a list.
    target_level : {"char", "word", "token"} or None, default=None
        What a token of y is; None for the same.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
        Unicode's form that texts of X and y are brought to before they are split, so that "é" is the same token as "e" with a
        combining accent; None takes texts as they are.
    unknown : {"error", "token"}, default="error"
        Tokens of X that the training data did not have: refused with their place, or read as one token for all of them.
    min_count : int, default=1
        Tokens of X that come less often in the training data are unknown; from 2 this trains the token for them.
    source_embedding, target_embedding : int or "one_hot", default=32
        Width of the learned vectors of tokens, or one-hot vectors.
    hidden_size : int, default=64
        Width of each recurrent layer.
    decoder_hidden_size : int, optional
        Width of the decoder's layers; the same by default.
    num_layers : int, default=1
        Recurrent layers of encoder and decoder.
    bidirectional : bool, default=True
        Whether every layer of the encoder also reads each sequence from its end.
    dropout : float, default=0.0
        Share of values dropped in training, between layers and before the output layer.
    wrappers : list, optional
        What is put around each cell, the first one innermost: names ("dropout", "zoneout", "residual", "layer_norm",
        "projection", "attention"), ``{name: parameters}``, or callables Cell -> Cell.
    initial_state : {"zeros", "learned"}, default="zeros"
        "learned" trains the encoder's state before the first step; the decoder's is a linear map of the encoder's last.
    scheduled_sampling : float, default=0.0
        Share of the true tokens before each token that are replaced, in training, by the decoder's own (Bengio et al.,
        2015, arXiv:1506.03099), drawn in a first pass over the whole target (Mihaylova and Martins, 2019,
        arXiv:1906.07651); 0 is teacher forcing.
    max_length : int or "auto", default="auto"
        Most tokens of a prediction; "auto" is one and a half times the longest target of the training data.
    beam_width : int, default=1
        Texts that are followed at a time in prediction; 1 takes the most probable token at each step. Like
        ``max_length`` and ``length_penalty`` it may be set after ``fit``.
    length_penalty : float, default=0.0
        Above 0 longer texts lose less for being longer: scores are divided by ((5 + n) / 6)^length_penalty, n the steps
        with the end (Wu et al., 2016, arXiv:1609.08144).
    memory : {"keep", "recompute", "offload"}, default="keep"
        What becomes of the values that the way back through time needs: kept, computed again in chunks of about
        √n_timesteps steps, or, on a GPU, moved to the main memory.
    unroll : {"auto", "dynamic", "static"}, default="auto"
        "auto" takes the fastest engine that knows the cell; see `Recurrent`.
    lr : float, default=0.01
        Learning rate; the peak of the schedule.
    max_epochs : int or "auto", default="auto"
        Passes over the data; "auto" makes at least 600 updates and at least 10 epochs.
    batch_size : int or "auto", default="auto"
        Samples an update; "auto" grows from 32 to 256 with the data.
    optimizer : str or subclass of torch's Optimizer, default="AdamW"
        One of torch's names ("Adam", "SGD", "RMSprop", "NAdam", …), or a class; its other settings go through
        ``net__optimizer__<name>``.
    lr_schedule : str or None, default="OneCycleLR"
        One of torch's names ("CosineAnnealingLR", "StepLR", "ReduceLROnPlateau", …), see `Schedule`; None keeps the rate.
        "OneCycleLR" raises it over the first 30% of the updates and anneals it.
    lr_schedule_params : dict, optional
        Further arguments of the schedule; what torch demands and the fit knows is filled in.
    weight_decay : float, default=0.01
        The optimizer's weight decay, where it has one; AdamW's is decoupled from the gradient.
    gradient_clip_norm : float or None, default=1.0
        Largest norm of the gradient.
    mixed_precision : bool, default=False
        Whether training computes in bfloat16 what loses little by it; weights, validation and predictions stay float32.
    early_stopping : bool, default=False
        Whether to hold out samples, stop when their loss no longer falls, and keep the best weights.
    validation_fraction : float, default=0.1
        Share held out by early stopping.
    n_iter_no_change : int, default=10
        Epochs without improvement after which early stopping stops.
    dtype : {"float32", "float64"}, default="float32"
        What the network computes in.
    device : str, default="auto"
        "auto" takes a GPU if torch sees one; else a device of torch, such as "cpu" or "cuda:0".
    random_state : int, RandomState or None, default=None
        Seeds weights, batches, dropout and sampling; two fits with the same int give the same bits on the same machine.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last one.
    verbose : int, default=0
        Above 0 shows a progress bar.
    net_params : dict, optional
        Anything else of skorch's net, also settable as ``net__<name>``: ``net__optimizer__momentum``, ``net__callbacks``,
        ``net__criterion``, …

    Attributes
    ----------
    source_vocabulary_, target_vocabulary_ : Vocabulary
        The tokens of X and y, and their numbers.
    longest_target_ : int
        Tokens of the longest text of y that it was fitted to.
    n_iter_ : int
        Epochs trained.
    n_parameters_ : int
        Trained numbers.
    history_ : list of dict
        One record an epoch: epoch, train_loss, valid_loss with early stopping, lr, grad_norm, dur (seconds).
    compile_seconds_ : float
        Seconds in which engines were planned, compiled and compared; in no record of ``history_``.
    device_ : str
        Where the net is.
    net_ : skorch net
        The fitted net; ``net_.module_`` is the torch module.

    Examples
    --------
    >>> from seqpipe import SequenceTranslator
    >>> words = ["ab", "ba", "abb", "bab", "aab", "bba", "abab", "baab"]
    >>> mirror = SequenceTranslator(hidden_size=16, max_epochs=200, random_state=0).fit(words, [w[::-1] for w in words])
    >>> mirror.predict(["aab"])[0]
    'baa'
    """

    _network = EncoderDecoder
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TokenWriter._parameter_constraints,
        "decoder_cell": "no_validation",
        "decoder_cell_params": [dict, None],
        "attention": [StrOptions(set(ATTENTIONS)), None],
        "target_level": [StrOptions(set(LEVELS)), None],
        "unknown": [StrOptions({"error", "token"})],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "source_embedding": [Interval(Integral, 1, None, closed="left"), StrOptions({"one_hot"})],
        "target_embedding": [Interval(Integral, 1, None, closed="left"), StrOptions({"one_hot"})],
        "decoder_hidden_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    #: Token numbers are not standardised.
    scale_inputs = False
    decoder_cell: str | type[Cell] | None
    decoder_cell_params: dict[str, Any] | None
    attention: str | None
    target_level: Level | None
    unknown: str
    min_count: int
    source_embedding: int | str
    target_embedding: int | str
    decoder_hidden_size: int | None

    source_vocabulary_: Vocabulary

    def __init__(
        self,
        cell="gru",
        *,
        cell_params=None,
        decoder_cell=None,
        decoder_cell_params=None,
        attention="dot",
        level="char",
        target_level=None,
        normalize="NFC",
        unknown="error",
        min_count=1,
        source_embedding=32,
        target_embedding=32,
        hidden_size=64,
        decoder_hidden_size=None,
        num_layers=1,
        bidirectional=True,
        dropout=0.0,
        wrappers=None,
        initial_state="zeros",
        scheduled_sampling=0.0,
        max_length="auto",
        beam_width=1,
        length_penalty=0.0,
        memory="keep",
        unroll="auto",
        lr=0.01,
        max_epochs="auto",
        batch_size="auto",
        optimizer="AdamW",
        lr_schedule="OneCycleLR",
        lr_schedule_params=None,
        weight_decay=0.01,
        gradient_clip_norm=1.0,
        mixed_precision=False,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        dtype="float32",
        device="auto",
        random_state=None,
        warm_start=False,
        verbose=0,
        net_params=None,
    ):
        self.cell = cell
        self.cell_params = cell_params
        self.decoder_cell = decoder_cell
        self.decoder_cell_params = decoder_cell_params
        self.attention = attention
        self.level = level
        self.target_level = target_level
        self.normalize = normalize
        self.unknown = unknown
        self.min_count = min_count
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.hidden_size = hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.wrappers = wrappers
        self.initial_state = initial_state
        self.scheduled_sampling = scheduled_sampling
        self.max_length = max_length
        self.beam_width = beam_width
        self.length_penalty = length_penalty
        self.memory = memory
        self.unroll = unroll
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr_schedule = lr_schedule
        self.lr_schedule_params = lr_schedule_params
        self.weight_decay = weight_decay
        self.gradient_clip_norm = gradient_clip_norm
        self.mixed_precision = mixed_precision
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.dtype = dtype
        self.device = device
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.net_params = net_params

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
                f"The 'min_count' parameter of SequenceTranslator is {self.min_count}, which makes rare tokens unknown, but "
                "unknown='error' refuses them: set unknown='token'."
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
        """Return where the decoder looked while it wrote what `predict` returns.

        Parameters
        ----------
        X : list, array or Series of n_samples texts
            As for `predict`.

        Returns
        -------
        list of arrays of shape (n_output_tokens, n_source_tokens)
            Weights from 0, the sum of each row 1.

        Raises
        ------
        ValueError
            If the translator has no attention.
        """
        if self.attention is None:
            raise ValueError(
                "attention_weights needs a translator with attention: fit with attention='dot' or 'additive'."
            )
        tokens, _ = self._search(X, 1)
        written = [_with_end(best[0]) for best in tokens]
        source = self._encode_source(self._check_source(X, reset=False), reset=False)
        module = self.net_.module_

        def attend(inputs: dict[str, Tensor], y: Tensor) -> NDArray[Any]:
            return module.attended(inputs["x"], inputs.get("lengths"), y).cpu().numpy()

        found: list[Any] = [None] * len(source)
        samples = Samples(source, token_sequences(written, self.dtype))
        for indices, weights in self.net_.each_batch(samples, attend):
            for i, matrix in zip(indices, weights):
                found[i] = matrix[: len(written[i]) - 1, : source.lengths[i]].copy()
        return found


def _with_end(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return tokens up to the first end, with it."""
    ends = np.flatnonzero(tokens == END)
    return tokens[: ends[0] + 1] if len(ends) else np.append(tokens, END)
