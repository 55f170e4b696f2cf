"""The command ``seqpipe``.

Exit codes: 0 success, 1 failure, 2 usage error (including invalid recipes), 130 interrupted by Ctrl-C, 141 output
closed by its reader, 143 terminated by SIGTERM. Imports are lazy, so that ``--help`` is instant.
"""

from seqpipe.cli._app import app, main

__all__ = ["app", "main"]
