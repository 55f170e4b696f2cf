"""What a cell is: everything that its step may read, so that two cells are known to take the same step.

``_modules`` lists its modules and tensors. ``_code_reads`` tells what the code of its step mentions, and ``_tokens``
turns each value that this leads to into a token by its content. ``_contents`` puts the tokens together into a
signature: equal signatures mean equal steps, but for the numbers in tensors. ``_copies`` makes copies to try things on,
``_computed`` puts plain tensors in the place of parametrized weights, and ``_declared`` tells which declarations of a
class are still true.
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
