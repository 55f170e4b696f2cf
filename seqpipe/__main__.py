"""``python -m seqpipe`` is ``seqpipe``."""

from seqpipe.cli import main

main()
