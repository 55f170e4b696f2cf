"""scikit-learn estimators that hold a recurrent network."""

from seqpipe.estimators._base import RecurrentEstimator
from seqpipe.estimators._classifier import SequenceClassifier
from seqpipe.estimators._forecaster import Forecaster
from seqpipe.estimators._regressor import SequenceRegressor
from seqpipe.estimators._stream import SequenceStream
from seqpipe.estimators._windowed import WindowedRegressor

__all__ = [
    "Forecaster",
    "RecurrentEstimator",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceStream",
    "WindowedRegressor",
]
