"""Networks shaped by what they are for."""

from seqpipe.networks._inputs import StandardisedInput
from seqpipe.networks._pooling import POOLINGS
from seqpipe.networks._sequence import SequenceNetwork
from seqpipe.networks._steps import StepNetwork

__all__ = ["POOLINGS", "SequenceNetwork", "StandardisedInput", "StepNetwork"]
