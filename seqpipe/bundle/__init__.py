"""Fitted models in files that run no code when they are read: written with skops, without pickle.

`save` and `load` are for everyone; `read` and `trusted_types` are what `seqpipe.tracking` logs models with.
Which types a file may hold is decided in `_trust`.
"""

from seqpipe.bundle._files import load, read, save, trusted_types
from seqpipe.bundle._trust import plugins

__all__ = ["load", "plugins", "read", "save", "trusted_types"]
