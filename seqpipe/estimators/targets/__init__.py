"""What an estimator predicts: how targets are read, encoded for the network, and decoded from its outputs.

Each kind of target is one codec, the same for one target per sequence and for one per time step: `Labels`, `MultiLabels` and
`Numbers`.
"""

from seqpipe.estimators.targets._codec import TargetCodec
from seqpipe.estimators.targets._labels import Labels, class_numbers, warn_of_unseen
from seqpipe.estimators.targets._multi_labels import MultiLabels
from seqpipe.estimators.targets._numbers import Numbers

__all__ = ["Labels", "MultiLabels", "Numbers", "TargetCodec", "class_numbers", "warn_of_unseen"]
