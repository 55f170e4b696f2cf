"""Conformance checks of tasks.

``_subject`` creates the task, its data and its fitted estimator; each other module holds a group of checks, functions of a
`TaskSubject` that raise `Failure` with the smallest case and the remedy: ``_parts`` data, estimator and its split, ``_results`` what
is computed of a fitted estimator, ``_purity`` that nothing is kept or changed, ``_recipes`` whole runs.
"""

from seqpipe.testing.tasks._check_task import TASK_CHECKS, check_task
from seqpipe.testing.tasks._data import default_table

__all__ = ["TASK_CHECKS", "check_task", "default_table"]
