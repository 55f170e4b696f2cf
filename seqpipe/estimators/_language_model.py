"""`LanguageModel`: the next token of a text, and texts of its own."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from seqpipe.estimators._base import RecurrentEstimator
from seqpipe.estimators._generation import GenerationMixin
from seqpipe.estimators._input import check_labels, check_weight
from seqpipe.estimators._language_data import streams
from seqpipe.estimators._language_scores import LanguageScoresMixin
from seqpipe.estimators._listeners import FitListeners, listened_fit, with_callbacks
from seqpipe.networks import LanguageNetwork
from seqpipe.training import Objective, Samples, StepLoss
from seqpipe.transformers import FORMS, LEVELS, Text, Vocabulary, as_texts

__all__ = ["LanguageModel"]

#: Parts that one long text is read in at the same time.
_STREAMS = 32
#: Steps of a part of one text that diagnostics look at, where back-propagation is not truncated.
_PASSAGE = 256


class LanguageModel(GenerationMixin, LanguageScoresMixin, RecurrentEstimator):
    """Predict the next token of texts, and write texts of its own.

    Texts may be a list, an array or a pandas Series of strings, or of lists of tokens: each begins anew, and the model
    learns where it ends. Or one long text, a string: it is read in ``batch_size`` streams, with the state carried on from
    each update to the next.

    Parameters
    ----------
    cell : str or subclass of Cell, default="gru"
        Name of a registered cell ("rnn", "lstm", "gru", "mlp", or a plug-in's), or the class.
    cell_params : dict, optional
        Further arguments of the cell, such as ``{"activation": "relu"}`` for "rnn".
    level : {"char", "word", "token"}, default="char"
        What a token is: a character, what stands between white space, or an item of each list.
    embedding : int or "one_hot", default="one_hot"
        The width of the tokens' learned vectors, or one-hot vectors.
    continuous : bool, default=False
        Whether the texts of a list are passages of one text, in their order; a string always is one.
    min_count : int, default=1
        Tokens that come less often in ``fit`` are unknown; above 1 needs ``unknown="token"``.
    unknown : {"error", "token"}, default="error"
        What becomes of tokens that ``fit`` did not see: an error, or one token of their own, which is never generated.
    normalize : {"NFC", "NFD", "NFKC", "NFKD"} or None, default="NFC"
        Unicode's form that texts are brought to before they are split, so that "é" is the same token as "e" with a
        combining accent; None takes texts as they are.
    hidden_size : int, default=64
        Width of each recurrent layer.
    num_layers : int, default=1
        Recurrent layers.
    dropout : float, default=0.0
        Share of values dropped in training, between layers and before the output layer.
    wrappers : list, optional
        What is put around each cell, the first one innermost: names ("dropout", "zoneout", "residual", "layer_norm",
        "projection", "attention"), ``{name: parameters}``, or callables Cell -> Cell.
    initial_state : {"zeros", "learned"}, default="zeros"
        "learned" trains the state before the first step.
    tbptt : (int, int) or None, default=(64, 64)
        Truncated back-propagation: an update every k1 time steps, back-propagated through k2; None goes all the way back.
        Texts of up to k1 tokens are never cut.
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
        Texts an update, or streams that one long text is cut into; "auto" grows from 32 to 256 with the number of texts,
        and takes 32 streams.
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
        Whether to hold out texts or streams, stop when their loss no longer falls, and keep the best weights.
    validation_fraction : float, default=0.1
        Share held out by early stopping.
    n_iter_no_change : int, default=10
        Epochs without improvement after which early stopping stops.
    dtype : {"float32", "float64"}, default="float32"
        What the network computes in.
    device : str, default="auto"
        "auto" takes a GPU if torch sees one; else a device of torch, such as "cpu" or "cuda:0".
    random_state : int, RandomState or None, default=None
        Seeds weights, batches and dropout; two fits with the same int give the same bits on the same machine.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last one, with its vocabulary and classes.
    verbose : int, default=0
        Above 0 shows a progress bar.
    net_params : dict, optional
        Anything else of skorch's net, also settable as ``net__<name>``: ``net__optimizer__momentum``, ``net__callbacks``,
        ``net__criterion``, …

    Attributes
    ----------
    vocabulary_ : Vocabulary
        The tokens and their numbers.
    classes_ : array of shape (n_classes,) or None
        The classes of texts, where ``fit`` was given some.
    class_prior_ : array of shape (n_classes,) or None
        Their shares of the texts.
    n_iter_ : int
        Epochs trained.
    n_parameters_ : int
        Trained numbers.
    history_ : list of dict
        One record an epoch: epoch, train_loss (nats a token), valid_loss with early stopping, lr, grad_norm, dur (seconds).
    compile_seconds_ : float
        Seconds in which engines were planned, compiled and compared; in no record of ``history_``.
    device_ : str
        Where the net is.
    net_ : skorch net
        The fitted net; ``net_.module_`` is the torch module.

    Notes
    -----
    With classes the one-hot class joins the input at every step. Where a fitted model with classes is not told the class
    of a text, it answers for a text of unknown class: probabilities are averaged over classes by their shares.

    Examples
    --------
    >>> from seqpipe import LanguageModel
    >>> model = LanguageModel(hidden_size=16, max_epochs=100, random_state=0).fit(["hello world"] * 8)
    >>> model.generate("hell", temperature=0)
    ['hello world']
    """

    _network = LanguageNetwork
    _criterion = torch.nn.CrossEntropyLoss
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **RecurrentEstimator._parameter_constraints,
        "level": [StrOptions({*LEVELS})],
        "embedding": [Interval(Integral, 1, None, closed="left"), StrOptions({"one_hot"})],
        "continuous": ["boolean"],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "unknown": [StrOptions({"error", "token"})],
        "normalize": [StrOptions({*FORMS}), None],
        "tbptt": [list, tuple, None],
    }
    #: The next token is not known before it comes, and token numbers have no scale.
    bidirectional = False
    scale_inputs = False

    def __init__(
        self,
        cell="gru",
        *,
        cell_params=None,
        level="char",
        embedding="one_hot",
        continuous=False,
        min_count=1,
        unknown="error",
        normalize="NFC",
        hidden_size=64,
        num_layers=1,
        dropout=0.0,
        wrappers=None,
        initial_state="zeros",
        tbptt=(64, 64),
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
        self.level = level
        self.embedding = embedding
        self.continuous = continuous
        self.min_count = min_count
        self.unknown = unknown
        self.normalize = normalize
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.wrappers = wrappers
        self.initial_state = initial_state
        self.tbptt = tbptt
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
        tags.input_tags.string = True
        tags.input_tags.two_d_array = tags.input_tags.three_d_array = False
        return tags

    # ---- fit

    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit to texts X, and to their classes y if there are such.

        Parameters
        ----------
        X : str, or list of texts
            See the class.
        y : array of shape (n_samples,), optional
            The class of each text: integers or strings.
        sample_weight : array of shape (n_samples,), optional
            Weight of each text in the loss.

        Returns
        -------
        self : LanguageModel

        Raises
        ------
        ValueError
            If a parameter or the data is unfit; the message says which and where.
        """
        with listened_fit(self, X, y, n_epochs=self._known_epochs()) as listeners:
            self._fit(X, y, sample_weight, listeners, partial=False)
        return self

    @with_callbacks
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Go on from the weights there are, for one epoch at a constant learning rate; texts begin anew in each call.

        Parameters
        ----------
        X : str, or list of texts
            Of the same kind in each call; ``unknown="token"`` takes tokens that the first call did not see.
        y : array of shape (n_samples,), optional
            The class of each text, one of those in the first call; their shares remain those of the first call.
        sample_weight : array of shape (n_samples,), optional
            Weight of each text in the loss.

        Returns
        -------
        self : LanguageModel
        """
        with listened_fit(self, X, y, n_epochs=1) as listeners:
            self._fit(X, y, sample_weight, listeners, partial=True)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, listeners: FitListeners, *, partial: bool) -> None:
        goes_on = self._begin(partial)
        texts = as_texts([X] if isinstance(X, str) else X, self.level)
        labels = None if y is None else check_labels(y, len(texts))
        weight = check_weight(sample_weight, len(texts))
        continuous = isinstance(X, str) or self.continuous
        if continuous and not (labels is None and weight is None):
            raise ValueError(
                "Passages of one text have neither classes nor weights: leave y and sample_weight out, or give texts that "
                "begin anew, with continuous=False."
            )
        if weight is not None:
            kept = np.flatnonzero(weight > 0)
            texts, weight = [texts[i] for i in kept], weight[kept]
            labels = None if labels is None else labels[kept]
        if not goes_on:
            self._learn(texts, labels, continuous=continuous)
        elif continuous != self._continuous or (labels is None) != (self.classes_ is None):
            raise ValueError(
                "A fit that goes on takes what the first one took: one long text or separate ones, with classes or without. "
                "Fit anew, with warm_start=False."
            )
        numbers = self._encoded(texts)
        if continuous:
            n_streams = _STREAMS if self.batch_size == "auto" else int(self.batch_size)
            numbers = streams(np.concatenate(numbers), n_streams)
        samples = self._samples(numbers, self._class_numbers(labels, len(texts)), weight)
        n_labels = 0 if self.classes_ is None else len(self.classes_)
        sizes = {"n_tokens": len(self.vocabulary_), "n_labels": n_labels}
        self._train(samples, sizes, listeners, partial=partial, labels=labels)

    def _as_samples(self, X: Any, y: Any = None) -> Samples:
        """Return new texts as fit hands them to the net, for diagnostics; one text in parts as long as gradients reach."""
        numbers = self._encoded(self._checked(X))
        if self._continuous:
            text = np.concatenate(numbers)
            length = _PASSAGE if self.tbptt is None else int(self.tbptt[1])
            numbers = np.split(text, range(length, len(text), length))
        if self.classes_ is not None and y is None:
            raise ValueError(f"This {type(self).__name__} was fitted with classes: give y, the class of each text.")
        labels = None if y is None else check_labels(y, len(numbers))
        return self._samples(numbers, self._class_numbers(labels, len(numbers)))

    def _learn(self, texts: list[Text], labels: NDArray[Any] | None, *, continuous: bool) -> None:
        wanted = {"start": True, "end": not continuous, "unknown": self.unknown == "token"}
        special = tuple(name for name, there in wanted.items() if there)
        self.vocabulary_ = Vocabulary.of(
            texts, self.level, special=special, min_count=self.min_count, normalize=self.normalize
        )
        self.classes_ = self.class_prior_ = None
        if labels is not None:
            self.classes_, counts = np.unique(labels, return_counts=True)
            self.class_prior_ = counts / counts.sum()

    def _objective(self) -> Objective:
        return StepLoss(labels=True)
