"""Patches of neighbouring time steps, for estimators with one target per sequence."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn.utils._param_validation import StrOptions

from seqpipe.estimators._declared import Group, fitted, parameter
from seqpipe.estimators._sequence_estimator import SequenceEstimator
from seqpipe.sequences import Sequences, Windows

__all__ = ["PatchedEstimator"]

#: Mean lengths of sequences, in time steps, with the patch from each on.
_AUTO_PATCHES = {250: (16, 8), 120: (8, 4)}


class PatchedEstimator(SequenceEstimator):
    """Adds ``patch``, and its choice from the training data."""

    patch: str | tuple[int, int] | list[int] | None = parameter(
        default="auto",
        constraint=[StrOptions({"auto"}), tuple, list, None],
        type='"auto", (length, stride) or None',
        description=(
            "Joins each ``length`` neighbouring time steps, every ``stride`` time steps, into one input of the recurrent "
            'layers, which then run over fewer, wider inputs. "auto" uses, for sequences of numbers, '
            f"{' and '.join(f'{patch} from a mean length of {n}' for n, patch in _AUTO_PATCHES.items())} time steps, "
            "otherwise None."
        ),
        group=Group.NETWORK,
    )

    patch_: tuple[int, int] | None = fitted(
        "tuple of int, or None", "Length and stride of the patches; None if the network reads single time steps."
    )

    def _validate_params(self) -> None:
        super()._validate_params()
        if isinstance(self.patch, tuple | list):
            _check(self.patch, owner=type(self).__name__)

    def _choose_patch(self, X: Sequences | Windows) -> None:
        """Set ``patch_`` for the training data."""
        if self.patch == "auto":
            suits = self.embedding is None and self.element_shape_ is None
            self.patch_ = _auto_patch(X) if suits else None
            return
        self.patch_ = None if self.patch is None else (int(self.patch[0]), int(self.patch[1]))
        if self.patch_ is not None and self.element_shape_ is not None:
            raise ValueError(
                f"The 'patch' parameter of {type(self).__name__} requires time steps that are vectors. X has time steps of "
                f"shape {self.element_shape_}: set patch=None."
            )

    def _input_sizes(self, X: Sequences | Windows) -> dict[str, int]:
        length, stride = self.patch_ or (1, 1)
        return {**super()._input_sizes(X), "patch_length": length, "patch_stride": stride}


def _check(patch: Any, *, owner: str) -> None:
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in patch)
    if len(patch) != 2 or not whole or not 1 <= patch[1] <= patch[0]:
        raise ValueError(
            f"The 'patch' parameter of {owner} must be 'auto', None or (length, stride), with 1 <= stride <= length. "
            f"Got {patch!r} instead."
        )


def _auto_patch(X: Sequences | Windows) -> tuple[int, int] | None:
    mean_length = float(X.window if isinstance(X, Windows) else X.lengths.mean())
    return next((patch for shortest, patch in _AUTO_PATCHES.items() if mean_length >= shortest), None)
