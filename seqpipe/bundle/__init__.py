"""Fitted models in files that run no code when they are read: written with skops, without pickle.

`save` and `load` are for everyone; `seqpipe.tracking` logs models with the others. Before any object is created, a file
passes four checks: the limits of its archive (`_archive`), the way in which each object would be created (`_outline`), the
types (`_trust`), and the values of all attributes (`_states`), by the schemas that classes declare, see `seqpipe.saved`.
"""

from seqpipe.bundle._archive import read_regular_file
from seqpipe.bundle._files import load, read, save, trusted_types
from seqpipe.bundle._trust import plugins

__all__ = ["load", "plugins", "read", "read_regular_file", "save", "trusted_types"]
