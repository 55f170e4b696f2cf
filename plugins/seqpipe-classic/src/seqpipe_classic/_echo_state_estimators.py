"""Echo state networks as estimators: a fixed reservoir, and a linear model of its states (Jaeger, 2001, GMD Report 148)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from seqpipe import Recurrent, Sequences
from seqpipe.recurrence import forked_generators
from seqpipe.sequences import as_sequences, is_table, readable
from seqpipe_classic._echo_state import EchoStateCell

__all__ = ["EchoStateClassifier", "EchoStateRegressor"]

#: Number of sequences that the reservoir runs over at once.
_BATCH = 256


class EchoStateEstimator(BaseEstimator):
    """Base class of `EchoStateRegressor` and `EchoStateClassifier`.

    The reservoir is drawn once and not trained. The linear model of its last state, and of the mean of its states, is
    solved in closed form. Features should have similar scales; `seqpipe.SequenceScaler` in a pipeline gives them.

    Parameters
    ----------
    hidden_size : int, default=200
        Number of units in the reservoir.
    spectral_radius : float, default=0.9
    leak : float, default=0.3
    input_scale : float, default=1.0
        Parameters of `EchoStateCell`.
    alpha : float, default=1.0
        Strength of the regularization of the linear model.
    random_state : int, RandomState instance or None, default=None
        Seed of the reservoir.

    Attributes
    ----------
    reservoir_ : Recurrent
        The reservoir, in float64.
    readout_ : Ridge or RidgeClassifier
        The linear model.
    n_features_in_ : int
        Number of features per time step; for a table of shape (n_samples, n_timesteps), n_timesteps.
    """

    _readout: type[Ridge] | type[RidgeClassifier]

    def __init__(
        self,
        hidden_size: int = 200,
        *,
        spectral_radius: float = 0.9,
        leak: float = 0.3,
        input_scale: float = 1.0,
        alpha: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.hidden_size = hidden_size
        self.spectral_radius = spectral_radius
        self.leak = leak
        self.input_scale = input_scale
        self.alpha = alpha
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Draw the reservoir and fit the linear model.

        Parameters
        ----------
        X : sequences
            Arrays of shape (n_timesteps, n_features) of any lengths, or any other input that seqpipe's estimators take.
        y : array of shape (n_samples,) or (n_samples, n_outputs)
            Targets, as the linear model takes them.
        sample_weight : array of shape (n_samples,), optional
            Weight of each sequence.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid.
        """
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        found = self._read(X, reset=True)
        self.reservoir_ = self._draw(found.n_features)
        self.readout_ = self._readout(alpha=self.alpha).fit(self._states(found), y, sample_weight)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return one prediction per sequence of X, shaped as y was in fit."""
        check_is_fitted(self)
        return self.readout_.predict(self._states(self._read(X, reset=False)))

    def _read(self, X: Any, *, reset: bool) -> Sequences:
        """Validate X; a table of shape (n_samples, n_timesteps) has one feature."""
        X = readable(X)
        table = is_table(X)
        if table:
            X = validate_data(self, X, dtype=np.float64, reset=reset)[:, :, None]
        found = as_sequences(X, dtype=np.float64)
        if reset:
            self.n_features_in_ = self.n_features_in_ if table else found.n_features
        elif found.n_features != self.reservoir_.input_size:
            raise ValueError(
                f"X has {found.n_features} features, but {type(self).__name__} is expecting "
                f"{self.reservoir_.input_size} features as input."
            )
        return found if isinstance(found, Sequences) else Sequences.from_padded(np.asarray(found))

    def _draw(self, n_features: int) -> Recurrent:
        with forked_generators():
            torch.default_generator.manual_seed(check_random_state(self.random_state).randint(2**31 - 1))
            settings = {"spectral_radius": self.spectral_radius, "leak": self.leak, "input_scale": self.input_scale}
            return Recurrent(EchoStateCell(n_features, self.hidden_size, **settings).double())

    @torch.no_grad()
    def _states(self, X: Sequences) -> NDArray[np.float64]:
        """Return the last state and the mean of all states, of shape (n_samples, 2 * hidden_size)."""
        batches = []
        for start in range(0, len(X), _BATCH):
            padded, lengths = X[start : start + _BATCH].to_padded()
            states, last = self.reservoir_(torch.from_numpy(padded).flatten(2), lengths)
            batches.append(torch.cat([last[0], states.sum(dim=1) / torch.from_numpy(lengths)[:, None]], dim=1))
        return torch.cat(batches).numpy()


class EchoStateRegressor(RegressorMixin, EchoStateEstimator):
    """Predict one number, or several, per sequence from a reservoir, by ridge regression.

    The parameters are those of `EchoStateEstimator`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe_classic import EchoStateRegressor
    >>> X = [np.sin(np.arange(n) / rate)[:, None] for n, rate in zip(range(20, 60), np.linspace(1, 3, 40))]
    >>> model = EchoStateRegressor(hidden_size=50, random_state=0).fit(X, np.linspace(1, 3, 40))
    >>> bool(model.score(X, np.linspace(1, 3, 40)) > 0.9)
    True
    """

    _readout = Ridge

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class EchoStateClassifier(ClassifierMixin, EchoStateEstimator):
    """Predict one label per sequence from a reservoir, by ridge regression on targets of -1 and 1.

    The parameters are those of `EchoStateEstimator`.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Sorted labels.
    """

    _readout = RidgeClassifier

    @property
    def classes_(self) -> NDArray[Any]:
        """Sorted labels."""
        return self.readout_.classes_

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the score of each class of shape (n_samples, n_classes); of the second one of two, (n_samples,)."""
        check_is_fitted(self)
        return self.readout_.decision_function(self._states(self._read(X, reset=False)))
