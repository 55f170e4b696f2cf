"""The contents of a cell: everything that its step may read, which determines whether two cells take the same step.

``_modules`` lists a cell's modules and tensors. ``_code_reads`` finds the names that the code of its step reads, and
``_tokens`` turns each value behind them into a token by its content. ``_contents`` combines the tokens into a
signature: cells with equal signatures take the same step up to the values of tensors. ``_copies`` creates copies for
trials, ``_computed`` replaces parametrized weights by plain tensors, and ``_declared`` checks whether a class's
declarations still apply to a subclass.
"""

from seqpipe.recurrence.contents._computed import computed
from seqpipe.recurrence.contents._contents import (
    Contents,
    Signature,
    contents_in_run,
    contents_of,
    first_difference,
    one_run,
)
from seqpipe.recurrence.contents._copies import copied, copy_or_itself, first_states
from seqpipe.recurrence.contents._declared import declares
from seqpipe.recurrence.contents._modules import cell_tensors, device_and_type

__all__ = [
    "Contents",
    "Signature",
    "cell_tensors",
    "computed",
    "contents_in_run",
    "contents_of",
    "copied",
    "copy_or_itself",
    "declares",
    "device_and_type",
    "first_difference",
    "first_states",
    "one_run",
]
