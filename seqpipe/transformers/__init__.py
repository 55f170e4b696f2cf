"""From series and sequences to what an estimator takes: windows and their splits, scaling, padding."""

from seqpipe.transformers._pad import PadSequences
from seqpipe.transformers._scale import SequenceScaler
from seqpipe.transformers._split import WindowSplit
from seqpipe.transformers._windows import make_windows

__all__ = ["PadSequences", "SequenceScaler", "WindowSplit", "make_windows"]
