"""The operations that have a rule, for the documentation."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from seqpipe.recurrence.compiler.program import _complex, _elementwise_rules, _shape_rules, _sum_rules
from seqpipe.recurrence.compiler.program._decompositions import DECOMPOSITIONS

__all__ = ["compiled_operations"]


def compiled_operations() -> dict[str, tuple[str, ...]]:
    """Return the operations that are compiled, by kind: torch's names, without those of derivatives.

    Examples
    --------
    >>> from seqpipe.recurrence import compiled_operations
    >>> "tanh" in compiled_operations()["one element at a time"]
    True
    """
    return {
        "one element at a time": _named(_elementwise_rules.RULES),
        "moving columns": _named(_shape_rules.RULES),
        "sums and products": _named(_sum_rules.RULES),
        "composed of others": _named(DECOMPOSITIONS),
        "on complex numbers": _named(_complex.SUPPORTED),
    }


def _named(operations: Iterable[str]) -> tuple[str, ...]:
    public = {name for name in operations if hasattr(torch.ops.aten, name)}
    return tuple(sorted({name.strip("_") for name in public if "backward" not in name}))
