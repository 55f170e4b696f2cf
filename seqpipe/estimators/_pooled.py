"""`PooledEstimator`: what the estimators with one answer a sequence share."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions

from seqpipe.estimators._base import RecurrentEstimator
from seqpipe.networks import POOLINGS, SequenceNetwork

__all__ = ["PooledEstimator"]


class PooledEstimator(RecurrentEstimator):
    """Pools the outputs at all steps into one vector a sequence."""

    _network = SequenceNetwork
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **RecurrentEstimator._parameter_constraints,
        "pooling": [StrOptions(set(POOLINGS))],
    }
    pooling: str

    def _network_settings(self) -> dict[str, Any]:
        return {**super()._network_settings(), "pooling": self.pooling}
