"""Kinds of problems: each brings estimator, data adapter, metrics, baselines and pictures."""

from seqpipe.tasks._classify import ClassifyTask
from seqpipe.tasks._forecast import ForecastTask
from seqpipe.tasks._regress import RegressTask
from seqpipe.tasks._task import Roles, Task, TaskData

__all__ = ["ClassifyTask", "ForecastTask", "RegressTask", "Roles", "Task", "TaskData"]
