"""Patches of neighbouring time steps, for estimators with one target per sequence."""

from __future__ import annotations

from sklearn.utils._param_validation import StrOptions

from seqpipe.estimators._declared import Group, parameter
from seqpipe.estimators._patched import PatchedEstimator
from seqpipe.sequences import Sequences, Windows

__all__ = ["PatchedSequencesEstimator"]

#: Mean lengths of sequences, in time steps, with the patch from each on.
_AUTO_PATCHES = {250: (16, 8), 120: (8, 4)}


class PatchedSequencesEstimator(PatchedEstimator):
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

    _no_patches = "'auto', None"

    def _choose_patch(self, X: Sequences | Windows) -> None:
        if self.patch != "auto":
            super()._choose_patch(X)
            return
        suits = self.embedding is None and self.element_shape_ is None
        self.patch_ = _auto_patch(X) if suits else None


def _auto_patch(X: Sequences | Windows) -> tuple[int, int] | None:
    mean_length = float(X.window if isinstance(X, Windows) else X.lengths.mean())
    return next((patch for shortest, patch in _AUTO_PATCHES.items() if mean_length >= shortest), None)
