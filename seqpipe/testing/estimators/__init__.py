"""Conformance checks of estimators.

``_problem`` is the data that an estimator is checked with, ``_sequences``, ``_texts`` and ``_captions`` are the kinds of it, and
``_checks`` holds the checks, functions of a `Problem` that raise `Failure` with the smallest case and the remedy.
"""

from seqpipe.testing.estimators._check_estimator import ESTIMATOR_CHECKS, check_estimator
from seqpipe.testing.estimators._sequences import INPUT_KINDS

__all__ = ["ESTIMATOR_CHECKS", "INPUT_KINDS", "check_estimator"]
