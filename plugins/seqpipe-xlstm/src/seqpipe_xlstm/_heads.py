"""The check of the number of heads, which both cells share."""

from __future__ import annotations

__all__ = ["head_size"]


def head_size(hidden_size: int, num_heads: int, owner: str) -> int:
    """Return the number of features per head.

    Raises
    ------
    ValueError
        If the number of heads does not divide hidden_size.
    """
    if num_heads < 1 or hidden_size % num_heads:
        raise ValueError(
            f"The 'num_heads' parameter of {owner} must be a positive divisor of hidden_size={hidden_size}. Got "
            f"{num_heads!r} instead."
        )
    return hidden_size // num_heads
