"""Target codecs: how targets are validated, encoded for the network, and decoded from its outputs.

There is one codec per kind of target, `Labels`, `MultiLabels` and `Numbers`, used for targets per sequence and per time
step.
"""

from seqpipe.estimators.targets._codec import TargetCodec
from seqpipe.estimators.targets._labels import Labels, class_numbers, log_frequencies, warn_of_unseen
from seqpipe.estimators.targets._multi_labels import MultiLabels
from seqpipe.estimators.targets._numbers import Numbers

__all__ = ["Labels", "MultiLabels", "Numbers", "TargetCodec", "class_numbers", "log_frequencies", "warn_of_unseen"]
