"""Tasks: each combines an estimator with its data adapter, metrics, baselines and pictures."""

from seqpipe.tables import Roles
from seqpipe.tasks._caption import CaptionTask
from seqpipe.tasks._classify import ClassifyTask
from seqpipe.tasks._forecast import ForecastTask
from seqpipe.tasks._language_model import LanguageModelTask
from seqpipe.tasks._parameters import last_step
from seqpipe.tasks._regress import RegressTask
from seqpipe.tasks._step_classify import StepClassifyTask
from seqpipe.tasks._step_regress import StepRegressTask
from seqpipe.tasks._task import Task, TaskData
from seqpipe.tasks._translate import TranslateTask

__all__ = [
    "CaptionTask",
    "ClassifyTask",
    "ForecastTask",
    "LanguageModelTask",
    "RegressTask",
    "Roles",
    "StepClassifyTask",
    "StepRegressTask",
    "Task",
    "TaskData",
    "TranslateTask",
    "last_step",
]
