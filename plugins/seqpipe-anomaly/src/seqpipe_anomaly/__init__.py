"""Anomalies in sequences and streams for seqpipe: the task `anomaly`, its detectors and a data set."""

from __future__ import annotations

import seqpipe
from seqpipe.specs import DatasetSpec
from seqpipe_anomaly._baselines import LastValueDetector, RunningMeanDetector
from seqpipe_anomaly._detector import StepDetector
from seqpipe_anomaly._forecast_detector import ForecastErrorDetector
from seqpipe_anomaly._stream import ForecastErrorStream
from seqpipe_anomaly._task import AnomalyTask
from seqpipe_anomaly._vibrations import load_vibrations, make_vibrations

__all__ = [
    "AnomalyTask",
    "ForecastErrorDetector",
    "ForecastErrorStream",
    "LastValueDetector",
    "RunningMeanDetector",
    "StepDetector",
    "load_vibrations",
    "make_vibrations",
    "seqpipe_datasets",
    "seqpipe_tasks",
]

SEQPIPE_API = 1


@seqpipe.hookimpl
def seqpipe_tasks() -> list[seqpipe.TaskSpec]:
    """Offer the task."""
    return [seqpipe.TaskSpec("anomaly", AnomalyTask, summary="anomalous steps, by the errors of a forecast")]


@seqpipe.hookimpl
def seqpipe_datasets() -> list[DatasetSpec]:
    """Offer the data set."""
    return [DatasetSpec("vibrations", load_vibrations, summary="two sensors, with planted anomalies")]
