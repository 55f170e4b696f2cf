"""`ForecastErrorDetector`: steps that a forecaster trained on normal data did not expect."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from seqpipe import Sequences, StepRegressor
from seqpipe_anomaly._detector import StepDetector, sequences_in
from seqpipe_anomaly._errors import forecast_errors, next_steps, step_numbers
from seqpipe_anomaly._gaussian import ErrorDistribution
from seqpipe_anomaly._stream import ForecastErrorStream

__all__ = ["ForecastErrorDetector"]

#: Number of sequences from which on whole ones are held out.
_MANY = 5
#: Parameters of the network by which a forecast would depend on the steps that it forecasts.
_REFUSED = {"bidirectional", "patch"}
#: Smallest variance of an error, by the variance of its feature.
_FLOOR = 1e-6


class ForecastErrorDetector(StepDetector):
    """Find time steps that differ from what a recurrent network forecasts, as in LSTM-AD.

    The network is trained to forecast the next steps of normal sequences. At steps that it was not trained on, its
    errors are described by a normal distribution; the score of a step is the opposite of the squared Mahalanobis
    distance of the errors of all forecasts of that step, per error. It does not depend on later steps.

    X may be an array (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), a list of arrays
    (n_timesteps, n_features) or (n_timesteps,), which may differ in length, or `seqpipe.Sequences`.

    Parameters
    ----------
    cell : str or subclass of Cell, default="gru"
        Recurrent cell, see `seqpipe.StepRegressor`.
    cell_params : dict, optional
        Additional arguments of the cell.
    hidden_size : int, default=64
        Number of hidden units per recurrent layer.
    num_layers : int, default=1
        Number of recurrent layers.
    n_ahead : int, default=1
        Number of steps that are forecast: each step is compared with this number of forecasts.
    contamination : float, default=0.01
        Fraction of the held-out normal steps that are flagged: it sets the threshold of `predict`.
    calibration_fraction : float, default=0.2
        Fraction of the sequences that are held out to measure the errors; of fewer than 5 sequences, the fraction of the
        last steps of each.
    lr : float, default=0.01
        Learning rate; the maximum of the schedule.
    max_epochs : int or "auto", default="auto"
        Number of epochs.
    batch_size : int or "auto", default="auto"
        Number of sequences per batch.
    network_params : dict, optional
        Further parameters of `seqpipe.StepRegressor`, such as ``{"weight_decay": 0.1, "dropout": 0.2}``.
    device : str, default="auto"
        A torch device; "auto" uses a GPU if one is available.
    random_state : int, RandomState or None, default=None
        Seed of weight initialization, shuffling, dropout, and the choice of held-out sequences.

    Attributes
    ----------
    offset_ : float
        Threshold of the scores, below which a step is an anomaly.
    network_ : StepRegressor
        The fitted network, which predicts the next ``n_ahead`` steps at each step.
    error_mean_ : array of shape (n_ahead * n_features,)
        Mean of the errors at the held-out steps, those of one step ahead first.
    error_covariance_ : array of shape (n_ahead * n_features, n_ahead * n_features)
        Their covariance.
    n_features_in_ : int
        Number of features per time step.
    n_iter_ : int
        Number of epochs trained.
    n_parameters_ : int
        Number of trainable parameters.
    history_ : list of dict
        One record per epoch.

    References
    ----------
    Malhotra et al., 2015, Long Short Term Memory Networks for Anomaly Detection in Time Series, ESANN, pages 89-94.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe_anomaly import ForecastErrorDetector
    >>> waves = [np.sin(np.arange(60) / 3 + phase) for phase in range(20)]
    >>> detector = ForecastErrorDetector(hidden_size=16, max_epochs=50, random_state=0).fit(waves)
    >>> wave = waves[0].copy()
    >>> wave[40] += 1
    >>> int(detector.score_samples([wave])[0].argmin())
    40
    """

    def __init__(
        self,
        cell: Any = "gru",
        *,
        cell_params: dict[str, Any] | None = None,
        hidden_size: int = 64,
        num_layers: int = 1,
        n_ahead: int = 1,
        contamination: float = 0.01,
        calibration_fraction: float = 0.2,
        lr: float = 0.01,
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        network_params: dict[str, Any] | None = None,
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.cell = cell
        self.cell_params = cell_params
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.n_ahead = n_ahead
        self.contamination = contamination
        self.calibration_fraction = calibration_fraction
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.network_params = network_params
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to normal sequences X; y is ignored.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or the sequences are too short.
        """
        self._check_parameters()
        found = sequences_in(X)
        begins = np.repeat(self._begins_of_held_out(found.lengths), found.lengths)
        trained = step_numbers(found) + self.n_ahead < begins
        measured = (step_numbers(found) >= begins) & (step_numbers(found) >= self.n_ahead)
        if not trained.any() or measured.sum() < 2:
            raise ValueError(
                f"X must have sequences of more than n_ahead + 1 = {self.n_ahead + 1} steps, both to train on and to "
                f"measure errors on. Got {len(found)} sequences of up to {found.lengths.max()} steps instead."
            )
        targets = Sequences(next_steps(found, self.n_ahead), found.offsets)
        weights = np.split(trained.astype(float), found.offsets[1:-1])
        self.network_ = self._network().fit(found, targets, sample_weight=weights)
        self._calibrate(found, measured)
        for name in ("n_features_in_", "n_iter_", "n_parameters_", "history_"):
            setattr(self, name, getattr(self.network_, name))
        return self

    def distances(self, X: Sequences) -> NDArray[np.float64]:
        """Return the squared Mahalanobis distance of the errors of each step, per error; 0 at the first step."""
        return self._distribution().distance(self._errors(X))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean log-density of the errors of the forecasts one step ahead: greater is better; y is ignored."""
        check_is_fitted(self)
        errors = self._errors(sequences_in(X))[:, : self.n_features_in_]
        return float(self._distribution().log_density(errors[~np.isnan(errors).any(axis=1)]).mean())

    def stream(self) -> ForecastErrorStream:
        """Return a stream that scores the steps of one sequence while they arrive.

        Examples
        --------
        >>> import numpy as np
        >>> from seqpipe_anomaly import ForecastErrorDetector
        >>> waves = [np.sin(np.arange(30) / 3 + phase) for phase in range(20)]
        >>> detector = ForecastErrorDetector(hidden_size=8, max_epochs=5, random_state=0).fit(waves)
        >>> stream = detector.stream()
        >>> scores = [stream.push([value]) for value in waves[0]]
        >>> np.allclose(scores, detector.score_samples(waves[:1])[0], rtol=1e-3, atol=1e-4)
        True
        """
        check_is_fitted(self)
        return ForecastErrorStream(self.network_.stream(), self._distribution())

    def _network(self) -> StepRegressor:
        """Return the unfitted network."""
        own = self.get_params(deep=False)
        further = own.pop("network_params") or {}
        for name in ("n_ahead", "contamination", "calibration_fraction"):
            del own[name]
        return StepRegressor(**own).set_params(**further)

    def _begins_of_held_out(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first held-out step of each sequence, its length if there is none."""
        if len(lengths) < _MANY:
            return lengths - np.ceil(self.calibration_fraction * lengths).astype(int)
        begins = lengths.copy()
        order = check_random_state(self.random_state).permutation(len(lengths))
        begins[order[: int(np.ceil(self.calibration_fraction * len(lengths)))]] = 0
        return begins

    def _calibrate(self, X: Sequences, measured: NDArray[np.bool_]) -> None:
        """Fit the distribution of errors, and the threshold, to the steps in the mask ``measured``."""
        errors = self._errors(X)[measured]
        floor = _FLOOR * np.tile(X.values.var(axis=0), self.n_ahead) + 1e-12
        found = ErrorDistribution.fitted(errors, floor)
        self.error_mean_, self.error_covariance_ = found.mu, found.sigma
        self.offset_ = self._threshold(found.distance(errors))

    def _distribution(self) -> ErrorDistribution:
        return ErrorDistribution(self.error_mean_, self.error_covariance_)

    def _errors(self, X: Sequences) -> NDArray[np.float64]:
        return forecast_errors(X, self.network_.predict(X).values)

    def _check_parameters(self) -> None:
        self._check_contamination()
        if not isinstance(self.n_ahead, Integral) or self.n_ahead < 1:
            raise ValueError(
                f"The 'n_ahead' parameter of ForecastErrorDetector must be a positive integer. Got {self.n_ahead!r} instead."
            )
        refused = sorted(_REFUSED & set(self.network_params or {}))
        if refused:
            raise ValueError(
                "The 'network_params' parameter of ForecastErrorDetector must not contain parameters by which forecasts "
                f"depend on later steps, {' and '.join(sorted(_REFUSED))}. Got {refused[0]!r}: leave it out."
            )
        if not isinstance(self.calibration_fraction, Real) or not 0 < self.calibration_fraction < 1:
            raise ValueError(
                "The 'calibration_fraction' parameter of ForecastErrorDetector must be a fraction between 0 and 1. "
                f"Got {self.calibration_fraction!r} instead."
            )
