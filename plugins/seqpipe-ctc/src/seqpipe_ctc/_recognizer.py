"""`CTCRecognizer`: label sequences from sequences of features, without an alignment."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from seqpipe import Sequences, StepRegressor
from seqpipe_ctc._decoding import Prefix, best_path, prefix_beam_search
from seqpipe_ctc._labels import classes_of, encoded, label_sequences, restored
from seqpipe_ctc._scores import label_error_rate

__all__ = ["CTCRecognizer"]

#: Parameters of the network by which its loss would not be that of whole sequences of labels.
_REFUSED = {"loss_on", "net__criterion", "scale_targets", "tbptt"}


class CTCRecognizer(BaseEstimator):
    """Recognize which labels occur in a sequence, and in which order, from samples without an alignment.

    A recurrent network gives each step a probability of every label and of the blank, which stands for no label. It is
    trained to maximize the probability of the labels, summed over all alignments with the steps.

    X may be any input of `seqpipe.StepRegressor`: an array (n_samples, n_timesteps, n_features), a list of arrays
    (n_timesteps, n_features), which may differ in length, or `seqpipe.Sequences`. y has a list of labels, or a string,
    per sample; predictions have the same form.

    Parameters
    ----------
    cell : str or subclass of Cell, default="gru"
        Recurrent cell, see `seqpipe.StepRegressor`.
    cell_params : dict, optional
        Additional arguments of the cell.
    hidden_size : int, default=64
        Number of hidden units per recurrent layer and direction.
    num_layers : int, default=1
        Number of recurrent layers.
    dropout : float, default=0.0
        Dropout rate between recurrent layers and before the output layer, during training.
    wrappers : list, optional
        Wrappers around each cell.
    bidirectional : bool, default=False
        Whether the recurrent layers are bidirectional.
    lr : float, default=0.01
        Learning rate; the maximum of the schedule.
    max_epochs : int or "auto", default="auto"
        Number of epochs.
    batch_size : int or "auto", default="auto"
        Number of sequences per batch.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out validation data and stop when the validation loss stops improving.
    network_params : dict, optional
        Further parameters of `seqpipe.StepRegressor`, such as ``{"weight_decay": 0.1, "n_members": 3}``.
    decoding : {"greedy", "beam"}, default="greedy"
        How labels are read from the probabilities: the labels of the most probable path, or prefix beam search for the
        most probable labels.
    beam_size : int, default=10
        Number of prefixes that the beam search keeps after each step.
    device : str, default="auto"
        A torch device; "auto" uses a GPU if one is available.
    random_state : int, RandomState or None, default=None
        Seed of weight initialization, shuffling and dropout.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels.
    network_ : StepRegressor
        The fitted network. Its predictions are the unnormalized log-probabilities of the blank and the classes.
    n_features_in_ : int
        Number of features per time step.
    n_iter_ : int
        Number of epochs trained.
    n_parameters_ : int
        Number of trainable parameters.
    history_ : list of dict
        One record per epoch. A loss is -ln p(labels | x) per time step.

    References
    ----------
    Graves et al., 2006, doi:10.1145/1143844.1143891; for the beam search Hannun et al., 2014, arXiv:1408.2873.

    Examples
    --------
    >>> from seqpipe_ctc import CTCRecognizer, make_tones
    >>> X, y = make_tones(150, noise=0.15, random_state=0)
    >>> y[:2]
    ['ccbba', 'aa']
    >>> model = CTCRecognizer(hidden_size=32, bidirectional=True, max_epochs=20, random_state=0).fit(X[:120], y[:120])
    >>> model.score(X[120:], y[120:]) > 0.8
    True
    """

    def __init__(
        self,
        cell: Any = "gru",
        *,
        cell_params: dict[str, Any] | None = None,
        hidden_size: int = 64,
        num_layers: int = 1,
        dropout: float = 0.0,
        wrappers: list[Any] | None = None,
        bidirectional: bool = False,
        lr: float = 0.01,
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        early_stopping: bool | str = "auto",
        network_params: dict[str, Any] | None = None,
        decoding: str = "greedy",
        beam_size: int = 10,
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.cell = cell
        self.cell_params = cell_params
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.wrappers = wrappers
        self.bidirectional = bidirectional
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.network_params = network_params
        self.decoding = decoding
        self.beam_size = beam_size
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to sequences X and their labels y.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, such as a sequence with fewer steps than its labels need.
        """
        self._check_decoding()
        self._check_network_params()
        labels = label_sequences(y)
        if len(labels) != len(X):
            raise ValueError(f"X and y must have the same length. Got {len(X)} and {len(labels)} instead.")
        classes = classes_of(labels)
        targets = encoded(labels, classes, _names(X), [len(steps) for steps in X])
        self.network_ = self._network().fit(X, targets)
        self.classes_ = classes
        self._as_text = all(isinstance(each, str) for each in labels)
        for name in ("n_features_in_", "n_iter_", "n_parameters_", "history_"):
            setattr(self, name, getattr(self.network_, name))
        return self

    def predict(self, X: Any) -> list[Any]:
        """Return the labels of each sequence, as lists or strings, as they were in y."""
        self._check_decoding()
        return [restored(self._decoded(log_y), self.classes_, as_text=self._as_text) for log_y in self._log_y(X)]

    def predict_log_proba(self, X: Any) -> list[NDArray[np.float64]]:
        """Return an array (n_timesteps, 1 + n_classes) per sequence: the log-probabilities of the blank and the classes."""
        return self._log_y(X)

    def score(self, X: Any, y: Any) -> float:
        """Return 1 - label error rate: the edit distance between predicted and true labels, per true label."""
        return 1 - label_error_rate(label_sequences(y), self.predict(X))

    def _network(self) -> StepRegressor:
        """Return the unfitted network."""
        own = self.get_params(deep=False)
        further = own.pop("network_params") or {}
        del own["decoding"], own["beam_size"]
        return StepRegressor(**own, scale_targets=False).set_params(net__criterion="ctc_of_steps", **further)

    def _log_y(self, X: Any) -> list[NDArray[np.float64]]:
        check_is_fitted(self)
        outputs = (np.asarray(each, dtype=float) for each in self.network_.predict(X))
        return [each - np.logaddexp.reduce(each, axis=1, keepdims=True) for each in outputs]

    def _decoded(self, log_y: NDArray[np.float64]) -> Prefix:
        return best_path(log_y) if self.decoding == "greedy" else prefix_beam_search(log_y, self.beam_size)

    def _check_network_params(self) -> None:
        refused = sorted(_REFUSED & set(self.network_params or {}))
        if refused:
            raise ValueError(
                "The 'network_params' parameter of CTCRecognizer must not contain parameters that the sum over alignments "
                f"depends on, {', '.join(sorted(_REFUSED))}. Got {refused[0]!r}: leave it out."
            )

    def _check_decoding(self) -> None:
        if self.decoding not in ("greedy", "beam"):
            raise ValueError(
                f"The 'decoding' parameter of CTCRecognizer must be 'greedy' or 'beam'. Got {self.decoding!r} instead."
            )
        if not isinstance(self.beam_size, Integral) or self.beam_size < 1:
            raise ValueError(
                "The 'beam_size' parameter of CTCRecognizer must be a positive integer. "
                f"Got {self.beam_size!r} instead."
            )


def _names(X: Any) -> list[str]:
    """Return the name of each sample in errors."""
    return [X.describe(i) if isinstance(X, Sequences) else f"sample {i}" for i in range(len(X))]
