"""Default batch size and number of epochs, chosen for a minimum number of updates."""

from __future__ import annotations

import math

__all__ = ["auto_batch_size", "auto_epochs"]

_MIN_UPDATES = 600
_MIN_EPOCHS = 10
#: More epochs for data on which they take few updates.
_EPOCHS, _FEW_UPDATES = 30, 2000


def auto_batch_size(n_samples: int) -> int:
    """Return a power of two from 32 to 256 for about 32 batches per epoch or more; at most ``n_samples``."""
    size = 2 ** int(math.log2(max(n_samples / 32, 1)))
    return min(n_samples, max(32, min(size, 256)))


def auto_epochs(n_batches: int) -> int:
    """Return the number of epochs for at least 600 updates: at least 10, and 30 if these make at most 2,000 updates."""
    return max(_MIN_EPOCHS, math.ceil(_MIN_UPDATES / n_batches), min(_EPOCHS, _FEW_UPDATES // n_batches))
