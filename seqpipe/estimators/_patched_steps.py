"""Patches of neighbouring time steps, for estimators with one target per time step."""

from __future__ import annotations

from seqpipe.estimators._declared import Group, parameter
from seqpipe.estimators._patched import PatchedEstimator
from seqpipe.estimators._truncated import TruncationMixin
from seqpipe.training import Truncation

__all__ = ["PatchedStepsEstimator"]


class PatchedStepsEstimator(TruncationMixin, PatchedEstimator):
    """Adds ``patch``, and ``tbptt`` for networks without patches."""

    patch: tuple[int, int] | list[int] | None = parameter(
        default=None,
        constraint=[tuple, list, None],
        type="(length, stride)",
        description=(
            "Joins each ``length`` neighbouring time steps, every ``stride`` time steps, into one input of the recurrent "
            "layers, which then run over fewer, wider inputs. After each, the last ``stride`` time steps are predicted at "
            "once, so that a prediction depends on up to ``stride`` - 1 later time steps. Where targets are later values "
            "of X, this would reveal them: use a stride of 1. None reads single time steps."
        ),
        group=Group.NETWORK,
    )

    def _truncation(self) -> Truncation | None:
        truncation = super()._truncation()
        if truncation is not None and self.patch is not None:
            raise ValueError(
                f"The 'tbptt' parameter of {type(self).__name__} cannot be used with patch={self.patch!r}: the state is "
                "carried between single time steps, not between patches. Set tbptt=None or patch=None."
            )
        return truncation
