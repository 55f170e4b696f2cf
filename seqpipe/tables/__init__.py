"""Tables: what times their rows have, and whether the rows are in that order."""

from seqpipe.tables._row_order import check_one_series, check_sequences_order

__all__ = ["check_one_series", "check_sequences_order"]
