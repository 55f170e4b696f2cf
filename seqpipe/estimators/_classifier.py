"""`SequenceClassifier`: one label a sequence."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._classes import (
    class_labels,
    class_numbers,
    class_probabilities,
    class_weights,
    warn_of_unseen,
)
from seqpipe.estimators._input import check_labels, check_weight, check_X
from seqpipe.estimators._listeners import FitListeners, listened_fit, with_callbacks
from seqpipe.estimators._pooled import PooledEstimator
from seqpipe.estimators._stream import SequenceStream
from seqpipe.training import Samples

__all__ = ["SequenceClassifier"]


class SequenceClassifier(ClassifierMixin, PooledEstimator):
    """Predict one label per sequence.

    X may be an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), a list, object array or
    pandas Series of (n_timesteps, n_features) arrays of unequal length, `Sequences`, or `Windows`.

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
    pooling : {"attention", "last", "last_mean", "max", "mean"}, default="last_mean"
        How the outputs at all steps become one vector; "last_mean" joins the last one and the mean of all.
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

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 2)) for n in rng.integers(5, 15, size=60)]
    >>> y = np.array(["up" if x[:, 0].mean() > 0 else "down" for x in X])
    >>> clf = SequenceClassifier(hidden_size=16, random_state=0).fit(X, y)
    >>> clf.score(X, y) > 0.9
    True
    """

    _criterion = torch.nn.CrossEntropyLoss
    classes_: NDArray[Any]
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **PooledEstimator._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

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
        pooling="last_mean",
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
        self.pooling = pooling
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
        """Fit to sequences X and labels y.

        Parameters
        ----------
        X : sequences
            See the class.
        y : array of shape (n_samples,)
            Labels: integers or strings.
        sample_weight : array of shape (n_samples,), optional
            Weight of each sequence in the loss.

        Returns
        -------
        self : SequenceClassifier

        Raises
        ------
        ValueError
            If a parameter or the data is unfit; the message says which and where.
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
        y : array of shape (n_samples,)
            Labels.
        classes : array of shape (n_classes,), optional
            All labels that will ever come; those of the first y by default.
        sample_weight : array of shape (n_samples,), optional
            Weight of each sequence in the loss.

        Returns
        -------
        self : SequenceClassifier
        """
        with listened_fit(self, X, y, n_epochs=1) as listeners:
            self._fit(X, y, sample_weight, classes, listeners, partial=True)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, classes: Any, listeners: FitListeners, *, partial: bool) -> None:
        goes_on = self._begin(partial)
        if y is None:
            raise ValueError("This SequenceClassifier estimator requires y to be passed, but the target y is None.")
        found = check_X(self, X, reset=not goes_on)
        y = check_labels(y, len(found))
        check_classification_targets(y)
        weight = check_weight(sample_weight, len(found))
        if weight is not None:
            kept = np.flatnonzero(weight > 0)
            found, y, weight = found[kept], y[kept], weight[kept]
        if goes_on and classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes={classes!r} are not those of the first partial_fit, {self.classes_.tolist()}.")
        if not goes_on:
            self.classes_ = np.unique(y if classes is None else classes)
        samples = Samples(found, class_numbers(y, self.classes_), self._weight(y, weight))
        self._train(
            samples,
            self._input_sizes(found) | {"n_outputs": max(2, len(self.classes_))},
            listeners,
            partial=partial,
            labels=samples.y,
        )

    def _as_samples(self, X: Any, y: Any = None) -> Samples:
        """Return new data as fit hands it to the net, for diagnostics."""
        found = check_X(self, X, reset=False)
        return Samples(found, None if y is None else class_numbers(check_labels(y, len(found)), self.classes_))

    def _weight(self, y: NDArray[Any], weight: NDArray[np.float64] | None) -> NDArray[Any] | None:
        """Return class weight times sample weight, of mean 1, in the network's dtype."""
        if self.class_weight is not None:
            by_class = class_weights(self.class_weight, y, weight, owner=type(self).__name__)
            weight = by_class if weight is None else weight * by_class
        return None if weight is None else (weight / weight.mean()).astype(self.dtype)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the probability of each class, shape (n_samples, n_classes), columns as in ``classes_``."""
        check_is_fitted(self)
        return class_probabilities(self.classes_, self._outputs(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label of each sequence, shape (n_samples,)."""
        check_is_fitted(self)
        return class_labels(self.classes_, self._outputs(X))

    def stream(self, *, method: str = "predict") -> SequenceStream:
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
                "The 'method' parameter of SequenceClassifier.stream must be 'predict' or 'predict_proba'. "
                f"Got {method!r} instead."
            )
        return SequenceStream(self.net_, self.pooling, partial(finish, self.classes_))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of right labels; warns of labels in y that the classifier never saw, and can only miss."""
        predicted = self.predict(X)
        labels = check_labels(y, len(predicted))
        warn_of_unseen(labels, self.classes_, owner=type(self).__name__)
        return float(accuracy_score(labels, predicted, sample_weight=check_weight(sample_weight, len(labels))))
