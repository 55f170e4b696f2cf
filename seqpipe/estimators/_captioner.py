"""`SequenceCaptioner`: from a vector to a sequence of tokens."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from seqpipe.estimators._cells import recurrent_factory
from seqpipe.estimators._input import read_X
from seqpipe.estimators._token_writer import TokenWriter
from seqpipe.networks import CaptionNetwork
from seqpipe.sequences import Sequences

__all__ = ["SequenceCaptioner"]


class SequenceCaptioner(TokenWriter):
    """Describe vectors: a decoder whose initial state is a map of the vector writes a text of any length.

    X is an array of shape (n_samples, n_features), or any array of n_samples equal shapes, such as images (n_samples, height,
    width), which are flattened. y is a list, array or Series of strings, or at the level "token" of lists of strings or of
    ints; a text may be empty.

    Parameters
    ----------
    cell : str or subclass of Cell, default="gru"
        Name of a registered cell ("rnn", "lstm", "gru", "mlp", or a plug-in's), or the class.
    cell_params : dict, optional
        Further arguments of the cell, such as ``{"activation": "relu"}`` for "rnn".
    level : {"char", "word", "token"}, default="char"
        What a token of y is: a character, what stands between white space, or an item of a list.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
        Unicode's form that texts of y are brought to before they are split, so that "é" is the same token as "e" with a
        combining accent; None takes texts as they are.
    encoder_size : int or None, default=128
        Width of a layer of rectified units between the vector and the decoder's state; None for a linear map.
    embedding : int or "one_hot", default=32
        Width of the learned vectors of tokens, or one-hot vectors.
    hidden_size : int, default=64
        Width of each recurrent layer.
    num_layers : int, default=1
        Recurrent layers.
    dropout : float, default=0.0
        Share of values dropped in training, before the state, between layers and before the output layer.
    wrappers : list, optional
        What is put around each cell, the first one innermost: names ("dropout", "zoneout", "residual", "layer_norm",
        "projection", "attention"), ``{name: parameters}``, or callables Cell -> Cell.
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
    scale_inputs : bool, default=True
        Whether each feature is standardised by its mean and standard deviation over the training data.
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
    target_vocabulary_ : Vocabulary
        The tokens of y, and their numbers.
    longest_target_ : int
        Tokens of the longest text of y that it was fitted to.
    n_features_in_ : int
        Features of a vector.
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
    >>> import numpy as np
    >>> from seqpipe import SequenceCaptioner
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = [("left" if a < 0 else "right") + (" down" if b < 0 else " up") for a, b in X]
    >>> captioner = SequenceCaptioner(hidden_size=16, max_epochs=40, random_state=0).fit(X, y)
    >>> captioner.predict([[-1.0, 1.0]])[0]
    'left up'
    """

    _network = CaptionNetwork
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TokenWriter._parameter_constraints,
        "encoder_size": [Interval(Integral, 1, None, closed="left"), None],
        "embedding": [Interval(Integral, 1, None, closed="left"), StrOptions({"one_hot"})],
    }

    #: A vector has no directions, and the decoder's state is a map of it.
    bidirectional = False
    initial_state = "zeros"
    encoder_size: int | None

    def __init__(
        self,
        cell="gru",
        *,
        cell_params=None,
        level="char",
        normalize="NFC",
        encoder_size=128,
        embedding=32,
        hidden_size=64,
        num_layers=1,
        dropout=0.0,
        wrappers=None,
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
        scale_inputs=True,
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
        self.level = level
        self.normalize = normalize
        self.encoder_size = encoder_size
        self.embedding = embedding
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.wrappers = wrappers
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
        self.scale_inputs = scale_inputs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.dtype = dtype
        self.device = device
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.net_params = net_params

    def _check_source(self, X: Any, *, reset: bool) -> Sequences:
        X = read_X(X)
        if np.ndim(X) > 2:
            X = np.asarray(X).reshape(len(X), -1)
        X = validate_data(self, X, dtype=np.dtype(self.dtype), reset=reset)
        return Sequences.from_padded(X[:, None])

    def _take_source(self, found: Sequences, kept: NDArray[np.int64]) -> Sequences:
        return found[kept]

    def _encode_source(self, found: Sequences, *, reset: bool) -> Sequences:
        return found

    def _source_sizes(self) -> dict[str, int]:
        return {"n_features": int(self.n_features_in_)}

    def _network_settings(self) -> dict[str, Any]:
        return {
            "decoder": recurrent_factory(self),
            "encoder_size": self.encoder_size,
            "embedding": self.embedding,
            "sampling": float(self.scheduled_sampling),
            "dropout": self.dropout,
            "dtype": getattr(torch, self.dtype),
        }
