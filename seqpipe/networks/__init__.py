"""Networks shaped by what they are for."""

from seqpipe.networks._pooling import POOLINGS
from seqpipe.networks._sequence import SequenceNetwork

__all__ = ["POOLINGS", "SequenceNetwork"]
