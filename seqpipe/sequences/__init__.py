"""Ragged sequences: containers, validation, and readers for tables and files."""

from seqpipe.sequences._arrays import as_numbers
from seqpipe.sequences._arrow import arrow_from_sequences, sequences_from_arrow
from seqpipe.sequences._cast import cast, lost_changes, offset_of
from seqpipe.sequences._container import Sequences
from seqpipe.sequences._finite import check_finite
from seqpipe.sequences._foreign import familiar, familiar_item, last_names, listed
from seqpipe.sequences._frame import frame_from_sequences, sequences_from_frame
from seqpipe.sequences._numbers import check_real, object_numbers
from seqpipe.sequences._validation import as_sequences, is_table, readable, recorded
from seqpipe.sequences._windows import Windows
from seqpipe.tables import read_table

__all__ = [
    "Sequences",
    "Windows",
    "arrow_from_sequences",
    "as_numbers",
    "as_sequences",
    "cast",
    "check_finite",
    "check_real",
    "familiar",
    "familiar_item",
    "frame_from_sequences",
    "is_table",
    "last_names",
    "listed",
    "lost_changes",
    "object_numbers",
    "offset_of",
    "read_table",
    "readable",
    "recorded",
    "sequences_from_arrow",
    "sequences_from_frame",
]
