"""Truncated backpropagation through time, for estimators with a loss at each time step."""

from __future__ import annotations

from seqpipe.estimators._declared import DeclaredEstimator, Group, parameter
from seqpipe.training import Truncation, check_tbptt

__all__ = ["TruncationMixin"]


class TruncationMixin(DeclaredEstimator):
    """Adds ``tbptt``."""

    tbptt: tuple[int, int] | list[int] | None = parameter(
        default=None,
        constraint=[list, tuple, None],
        type="(int, int)",
        description=(
            "Truncated backpropagation through time (k1, k2): an update every k1 time steps, backpropagated through "
            "k2 >= k1 time steps, with the state carried over; None makes one update per batch, backpropagated "
            "through whole sequences. See `Truncation`."
        ),
        group=Group.TRAINING,
    )

    def _validate_params(self) -> None:
        super()._validate_params()  # type: ignore[misc]
        # by itself: a search may set it before bidirectional=; fit validates the combination
        check_tbptt(self.tbptt, bidirectional=False, owner=type(self).__name__)

    def _truncation(self) -> Truncation | None:
        return check_tbptt(self.tbptt, bidirectional=vars(self).get("bidirectional", False), owner=type(self).__name__)
