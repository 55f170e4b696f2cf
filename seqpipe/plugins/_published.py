"""Names provided by distributions of the same project, so that an error can name the one to install."""

from __future__ import annotations

__all__ = ["PUBLISHED"]

#: Distributions by kind and name.
PUBLISHED = {"cell convlstm": "seqpipe-conv", "cell mgu": "seqpipe-classic"}
