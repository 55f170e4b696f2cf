"""Tasks: each combines an estimator with its data adapter, metrics, baselines and pictures."""

from seqpipe.tables import Roles
from seqpipe.tasks._caption import CaptionTask
from seqpipe.tasks._classify import ClassifyTask
from seqpipe.tasks._forecast import ForecastTask
from seqpipe.tasks._label_baselines import label_baselines
from seqpipe.tasks._language_model import LanguageModelTask
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._regress import RegressTask
from seqpipe.tasks._samples import SampleTask, sequences_of
from seqpipe.tasks._scores import indicator_scores, label_scores, number_scores
from seqpipe.tasks._step_classify import StepClassifyTask
from seqpipe.tasks._step_regress import StepRegressTask
from seqpipe.tasks._steps import StepTask, step_rows
from seqpipe.tasks._tabular import tabular
from seqpipe.tasks._tabular_baselines import tabular_baselines
from seqpipe.tasks._targets import labels_of, numbers_of
from seqpipe.tasks._task import Task, TaskData
from seqpipe.tasks._translate import TranslateTask

__all__ = [
    "CaptionTask",
    "ClassifyTask",
    "ForecastTask",
    "LanguageModelTask",
    "RegressTask",
    "Roles",
    "SampleTask",
    "StepClassifyTask",
    "StepRegressTask",
    "StepTask",
    "Task",
    "TaskData",
    "TranslateTask",
    "configured",
    "indicator_scores",
    "label_baselines",
    "label_scores",
    "labels_of",
    "last_step",
    "number_scores",
    "numbers_of",
    "sequences_of",
    "step_rows",
    "tabular",
    "tabular_baselines",
]
