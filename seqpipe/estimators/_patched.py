"""Patches of neighbouring time steps: the parameter's check, and the sizes that it gives the network."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

from seqpipe.estimators._declared import fitted
from seqpipe.estimators._sequence_estimator import SequenceEstimator
from seqpipe.saved import LONGEST, Items, Whole, optional
from seqpipe.sequences import Sequences, Windows

__all__ = ["PatchedEstimator"]


class PatchedEstimator(SequenceEstimator):
    """Base class of estimators with a parameter ``patch``, which subclasses declare."""

    patch: Any

    patch_: tuple[int, int] | None = fitted(
        "tuple of int, or None",
        "Length and stride of the patches; None if the network reads single time steps.",
        saved=optional(Items(Whole(1, LONGEST), most=2, fewest=2)),
    )

    #: Values of ``patch`` other than (length, stride), in words.
    _no_patches: ClassVar[str] = "None"

    def _validate_params(self) -> None:
        super()._validate_params()
        if isinstance(self.patch, tuple | list) and not _is_patch(self.patch):
            raise ValueError(
                f"The 'patch' parameter of {type(self).__name__} must be {self._no_patches} or (length, stride), with "
                f"1 <= stride <= length. Got {self.patch!r} instead."
            )

    def _choose_patch(self, X: Sequences | Windows) -> None:
        """Set ``patch_`` for the training data."""
        self.patch_ = None if self.patch is None else (int(self.patch[0]), int(self.patch[1]))
        if self.patch_ is not None and self.element_shape_ is not None:
            raise ValueError(
                f"The 'patch' parameter of {type(self).__name__} requires time steps that are vectors. X has time steps of "
                f"shape {self.element_shape_}: set patch=None."
            )

    def _input_sizes(self, X: Sequences | Windows) -> dict[str, int]:
        length, stride = self.patch_ or (1, 1)
        return {**super()._input_sizes(X), "patch_length": length, "patch_stride": stride}


def _is_patch(patch: tuple[Any, ...] | list[Any]) -> bool:
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in patch)
    return len(patch) == 2 and whole and 1 <= patch[1] <= patch[0]
