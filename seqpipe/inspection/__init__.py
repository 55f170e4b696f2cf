"""What the features of sequences contribute to predictions: permutation importance and partial dependence."""

from seqpipe.inspection._partial_dependence import partial_dependence
from seqpipe.inspection._permutation_importance import permutation_importance

__all__ = ["partial_dependence", "permutation_importance"]
