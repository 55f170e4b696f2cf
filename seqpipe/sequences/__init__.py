"""Ragged sequences: the containers, their checks, and readers for tables and files."""

from seqpipe.sequences._arrow import arrow_from_sequences, sequences_from_arrow
from seqpipe.sequences._container import Sequences
from seqpipe.sequences._frame import frame_from_sequences, sequences_from_frame
from seqpipe.sequences._validation import as_sequences, check_finite, is_table
from seqpipe.sequences._windows import Windows
from seqpipe.tables import read_table

__all__ = [
    "Sequences",
    "Windows",
    "arrow_from_sequences",
    "as_sequences",
    "check_finite",
    "frame_from_sequences",
    "is_table",
    "read_table",
    "sequences_from_arrow",
    "sequences_from_frame",
]
