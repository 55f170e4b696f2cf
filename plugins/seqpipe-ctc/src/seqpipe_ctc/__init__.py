"""Label sequences without alignment for seqpipe: the task `ctc`, its estimator, metrics and a data set."""

from __future__ import annotations

import seqpipe
from seqpipe.specs import DatasetSpec, LossSpec, MetricSpec
from seqpipe_ctc._decoding import best_path, prefix_beam_search
from seqpipe_ctc._loss import CTCStepLoss
from seqpipe_ctc._recognizer import CTCRecognizer
from seqpipe_ctc._scores import edit_distance, label_error_rate, sequence_accuracy
from seqpipe_ctc._task import CTCTask
from seqpipe_ctc._tones import load_tones, make_tones

__all__ = [
    "CTCRecognizer",
    "CTCStepLoss",
    "CTCTask",
    "best_path",
    "edit_distance",
    "label_error_rate",
    "load_tones",
    "make_tones",
    "prefix_beam_search",
    "seqpipe_datasets",
    "seqpipe_losses",
    "seqpipe_metrics",
    "seqpipe_tasks",
    "sequence_accuracy",
]

SEQPIPE_API = 1


@seqpipe.hookimpl
def seqpipe_tasks() -> list[seqpipe.TaskSpec]:
    """Offer the task."""
    return [seqpipe.TaskSpec("ctc", CTCTask, summary="a sequence of labels per sequence, without alignment")]


@seqpipe.hookimpl
def seqpipe_datasets() -> list[DatasetSpec]:
    """Offer the data set."""
    return [DatasetSpec("tones", load_tones, summary="noisy recordings of tones in an order to be recovered")]


@seqpipe.hookimpl
def seqpipe_metrics() -> list[MetricSpec]:
    """Offer the metrics, for searches."""
    return [
        MetricSpec("label_error_rate", label_error_rate, summary="edit distance per label", greater_is_better=False),
        MetricSpec("sequence_accuracy", sequence_accuracy, summary="fraction of sequences without an error"),
    ]


@seqpipe.hookimpl
def seqpipe_losses() -> list[LossSpec]:
    """Offer the loss, by whose name a recognizer can be saved."""
    return [LossSpec("ctc_of_steps", CTCStepLoss, summary="of label sequences in the rows of CTCRecognizer")]
