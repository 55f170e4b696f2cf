"""`StepClassifier`: one label a time step."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._classes import (
    class_labels,
    class_numbers,
    class_probabilities,
    class_weights,
    warn_of_unseen,
)
from seqpipe.estimators._input import check_X
from seqpipe.estimators._listeners import FitListeners, listened_fit, with_callbacks
from seqpipe.estimators._step_targets import check_step_labels
from seqpipe.estimators._stepwise import StepwiseEstimator
from seqpipe.estimators._stream import StepStream
from seqpipe.sequences import Sequences, Windows
from seqpipe.training import Samples, StepLoss

__all__ = ["StepClassifier"]


class StepClassifier(StepwiseEstimator):
    """Predict one label at every time step.

    X may be an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), a list, object array or
    pandas Series of (n_timesteps, n_features) arrays of unequal length, `Sequences`, or `Windows`. y holds as many
    sequences of as many steps: an array of shape (n_samples, n_timesteps),
    a list, object array or Series of such arrays without the first axis, `Sequences`, or `Windows`. Predictions are an
    array where y was an array and the sequences are equally long, `Sequences` where it was `Sequences`, else an object
    array of arrays, one a sequence.
    Labels may be text, such as the tags of words: a list of lists of strings.

    Where the truth is known at some steps only, y is None or NaN at the others: they take part in neither the loss nor the
    score, and a sequence of which nothing is known in no fit. At least one step must be known.

    Parameters
    ----------
    cell : str or subclass of Cell, default="gru"
        Name of a registered cell ("rnn", "lstm", "gru", "mlp", or a plug-in's), or the class.
    cell_params : dict, optional
        Further arguments of the cell, such as ``{"activation": "relu"}`` for "rnn".
    hidden_size : int, default=64
        Width of each recurrent layer.
    num_layers : int, default=1
        Recurrent layers.
    bidirectional : bool, default=False
        Whether every layer also reads each sequence from its end.
    dropout : float, default=0.0
        Share of values dropped in training, between layers and before the output layer.
    wrappers : list, optional
        What is put around each cell, the first one innermost: names ("dropout", "zoneout", "residual", "layer_norm",
        "projection", "attention"), ``{name: parameters}``, or callables Cell -> Cell.
    initial_state : {"zeros", "learned"}, default="zeros"
        "learned" trains the state before the first step.
    embedding : int, "one_hot" or None, default=None
        For token numbers, one a step: the width of their learned vectors, or one-hot vectors; None for real numbers.
    loss_on : "all", "last", int or callable, default="all"
        Which steps the loss counts: all, the last one, that many last ones, or a function from a sequence's length to a
        boolean array of that length. It is the mean over the steps counted; predictions and scores are of all steps.
    tbptt : (int, int), optional
        Truncated back-propagation (k1, k2): an update every k1 time steps, back-propagated through k2 >= k1, with the state
        carried on; None makes one update a batch, all the way back. See `Truncation`.
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
        Sequences an update; "auto" grows from 32 to 256 with the data.
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
        Whether each feature is standardised by its mean and standard deviation over the training data's valid steps.
    early_stopping : bool, default=False
        Whether to hold out samples, stop when their loss no longer falls, and keep the best weights.
    validation_fraction : float, default=0.1
        Share held out by early stopping; of `Windows` the latest.
    n_iter_no_change : int, default=10
        Epochs without improvement after which early stopping stops.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class; "balanced" weighs them inversely to their frequency.
    dtype : {"float32", "float64"}, default="float32"
        What the network computes in; X is cast to it.
    device : str, default="auto"
        "auto" takes a GPU if torch sees one; else a device of torch, such as "cpu" or "cuda:0".
    random_state : int, RandomState or None, default=None
        Seeds weights, batches and dropout; two fits with the same int give the same bits on the same machine.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last one.
    verbose : int, default=0
        Above 0 shows a progress bar.
    net_params : dict, optional
        Anything else of skorch's net, also settable as ``net__<name>``: ``net__optimizer__momentum``, ``net__callbacks``,
        ``net__criterion``, …

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Features of a step, or time steps if fitted to a table of shape (n_samples, n_timesteps).
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

    Notes
    -----
    To scikit-learn this is no classifier (``is_classifier`` is False): a classifier's target is one label a sample, and its
    splitters refuse ragged lists of labels from a classifier. Searches and cross-validation take shuffled or plain folds
    of sequences, and ``score`` where no scoring is given; scikit-learn's scores, by name too, are over all known steps. For
    probabilities of all sequences there is `seqpipe.cross_val_predict`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import StepClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 1)) for n in rng.integers(5, 15, size=60)]
    >>> y = [["high" if total > 0 else "low" for total in x[:, 0].cumsum()] for x in X]
    >>> model = StepClassifier(hidden_size=16, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> model.predict_proba(X[:1])[0].shape == (len(y[0]), 2)
    True
    """

    _criterion = torch.nn.CrossEntropyLoss
    classes_: NDArray[Any]
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **StepwiseEstimator._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    class_weight: dict[Any, float] | str | None
    _class_weight: NDArray[Any] | None

    def __init__(
        self,
        cell="gru",
        *,
        cell_params=None,
        hidden_size=64,
        num_layers=1,
        bidirectional=False,
        dropout=0.0,
        wrappers=None,
        initial_state="zeros",
        embedding=None,
        loss_on="all",
        tbptt=None,
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
        class_weight=None,
        dtype="float32",
        device="auto",
        random_state=None,
        warm_start=False,
        verbose=0,
        net_params=None,
    ):
        self.cell = cell
        self.cell_params = cell_params
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.wrappers = wrappers
        self.initial_state = initial_state
        self.embedding = embedding
        self.loss_on = loss_on
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
        self.scale_inputs = scale_inputs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.dtype = dtype
        self.device = device
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.net_params = net_params

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to sequences X and their labels y.

        Parameters
        ----------
        X : sequences
            See the class.
        y : sequences of labels
            A label for each time step of X; see the class.
        sample_weight : array of shape (n_samples,) or (n_samples, n_timesteps), or list of arrays (n_timesteps,), optional
            Weight of each sequence's steps in the loss, or of each step; 0 leaves a step out.

        Returns
        -------
        self : StepClassifier

        Raises
        ------
        ValueError
            If a parameter or the data is unfit, or y is not aligned with X; the message says which and where.
        """
        with listened_fit(self, X, y, n_epochs=self._known_epochs()) as listeners:
            self._fit(X, y, sample_weight, None, listeners, partial=False)
        return self

    @with_callbacks
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go on from the weights there are, for one epoch at a constant learning rate.

        Parameters
        ----------
        X : sequences
            See the class.
        y : sequences of labels
            A label for each time step of X.
        classes : array of shape (n_classes,), optional
            All labels that will ever come; those of the first y by default.
        sample_weight : array of shape (n_samples,) or (n_samples, n_timesteps), or list of arrays (n_timesteps,), optional
            Weight of each sequence's steps in the loss, or of each step; 0 leaves a step out.

        Returns
        -------
        self : StepClassifier
        """
        with listened_fit(self, X, y, n_epochs=1) as listeners:
            self._fit(X, y, sample_weight, classes, listeners, partial=True)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, classes: Any, listeners: FitListeners, *, partial: bool) -> None:
        goes_on = self._begin(partial)
        data = self._read(X, y, sample_weight, reset=not goes_on)
        if goes_on and classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes={classes!r} are not those of the first partial_fit, {self.classes_.tolist()}.")
        if not goes_on:
            self._step_kind, self._step_ndim = data.kind, data.ndim
            self.classes_ = np.unique(data.values[data.known] if classes is None else classes)
        chosen = self._choose(data)
        weight = None if (data.weight == data.weight[0]).all() else data.weight[chosen]
        self._class_weight = self._weight_of_classes(data.values[chosen], weight)
        samples = self._samples(data, self._numbered(data.values, data.X, data.known), chosen)
        sizes = self._input_sizes(data.X) | {"n_outputs": max(2, len(self.classes_))}
        self._train(samples, sizes, listeners, partial=partial)

    def _check_steps(self, rows: NDArray[Any], X: Sequences | Windows) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        return check_step_labels(rows, X, owner=type(self).__name__)

    def _numbered(self, labels: NDArray[Any], X: Sequences | Windows, known: NDArray[np.bool_]) -> Sequences:
        """Return labels of all steps as class numbers, 0 where unknown, as the net takes them."""
        numbers = np.zeros(len(labels), dtype=self.dtype)
        numbers[known] = class_numbers(labels[known], self.classes_)
        return Sequences(numbers, Samples(X).step_offsets)

    def _weight_of_classes(self, labels: NDArray[Any], weight: NDArray[Any] | None) -> NDArray[Any] | None:
        """Return the weight of each class, shape (n_classes,), of weighted mean 1 over these labels."""
        if self.class_weight is None:
            return None
        by_label = class_weights(self.class_weight, labels, weight, owner=type(self).__name__)
        mean = np.average(by_label, weights=weight)
        if mean == 0:
            raise ValueError(
                f"The 'class_weight' parameter of {type(self).__name__} gives every label of y the weight 0. "
                f"Got {self.class_weight!r}: name a class that is there."
            )
        by_class = np.ones(len(self.classes_))
        by_class[class_numbers(labels, self.classes_)] = by_label / mean
        return by_class.astype(self.dtype)

    def _as_samples(self, X: Any, y: Any = None) -> Samples:
        """Return new data as fit hands it to the net, for diagnostics."""
        if y is None:
            return Samples(check_X(self, X, reset=False))
        data = self._read(X, y, None, reset=False)
        return self._diagnosed(data, self._numbered(data.values, data.X, data.known))

    def _objective(self) -> StepLoss:
        return StepLoss(
            self.loss_on, labels=True, class_weight=self._class_weight, steps_per_sample=self._steps_per_sample
        )

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class at every step: (n_timesteps, n_classes) a sequence, as in ``classes_``."""
        outputs, found = self._flat_outputs(X)
        return self._shaped(class_probabilities(self.classes_, outputs), found)

    def predict(self, X: Any) -> Any:
        """Return the most probable label of every step, in the form that y had: see the class."""
        outputs, found = self._flat_outputs(X)
        labels = class_labels(self.classes_, outputs)
        return self._shaped(labels if self._step_ndim == 1 else labels[:, None], found)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of right labels over all valid steps; warns of labels in y that it never saw, and can only miss.

        Parameters
        ----------
        X, y : sequences
            As in `fit`.
        sample_weight : array of shape (n_samples,) or (n_samples, n_timesteps), or list of arrays (n_timesteps,), optional
            Weight of each sequence's steps, or of each step.
        """
        scored, outputs = self._scored(X, y, sample_weight)
        warn_of_unseen(scored.values, self.classes_, owner=type(self).__name__)
        predicted = class_labels(self.classes_, outputs)
        return float(accuracy_score(scored.values, predicted, sample_weight=scored.weight))

    def stream(self, *, method: str = "predict") -> StepStream:
        """Open a stream of predictions on one sequence, which takes its steps as they come.

        Parameters
        ----------
        method : {"predict", "predict_proba"}, default="predict"
            Whose answers it gives.

        Raises
        ------
        ValueError
            If there is no such method, or the estimator is bidirectional: it has to know a sequence's end before its
            first output.
        """
        check_is_fitted(self)
        finish = {"predict": class_labels, "predict_proba": class_probabilities}.get(method)
        if finish is None:
            raise ValueError(
                "The 'method' parameter of StepClassifier.stream must be 'predict' or 'predict_proba'. "
                f"Got {method!r} instead."
            )
        return StepStream(self.net_, partial(finish, self.classes_))
