"""scikit-learn estimators that hold a recurrent network."""

from seqpipe.estimators._base import RecurrentEstimator
from seqpipe.estimators._captioner import SequenceCaptioner
from seqpipe.estimators._classifier import SequenceClassifier
from seqpipe.estimators._cross_val_predict import cross_val_predict
from seqpipe.estimators._language_model import LanguageModel
from seqpipe.estimators._regressor import SequenceRegressor
from seqpipe.estimators._resumable import resumable
from seqpipe.estimators._sliding_classifier import SlidingWindowClassifier
from seqpipe.estimators._sliding_regressor import SlidingWindowRegressor
from seqpipe.estimators._step_classifier import StepClassifier
from seqpipe.estimators._step_regressor import StepRegressor
from seqpipe.estimators._step_scoring import install_step_scoring, predicts_steps
from seqpipe.estimators._stream import SequenceStream, StepStream
from seqpipe.estimators._token_scores import text_scores
from seqpipe.estimators._translator import SequenceTranslator
from seqpipe.estimators._windowed import WindowedRegressor
from seqpipe.estimators.forecasting import Forecaster

__all__ = [
    "Forecaster",
    "LanguageModel",
    "RecurrentEstimator",
    "SequenceCaptioner",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceStream",
    "SequenceTranslator",
    "SlidingWindowClassifier",
    "SlidingWindowRegressor",
    "StepClassifier",
    "StepRegressor",
    "StepStream",
    "WindowedRegressor",
    "cross_val_predict",
    "predicts_steps",
    "resumable",
    "text_scores",
]

install_step_scoring()
