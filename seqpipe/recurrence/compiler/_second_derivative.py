"""What every compiled backward pass says to those who would differentiate it again."""

from __future__ import annotations

import torch

__all__ = ["refuse_second_derivative"]


def refuse_second_derivative() -> None:
    """Raise where torch records the backward pass, which no engine but the plain loop can differentiate."""
    if torch.is_grad_enabled():
        raise RuntimeError(
            "The compiled recurrence cannot be differentiated twice (create_graph=True). "
            'Use Recurrent(…, engine="loop"), or set the environment variable SEQPIPE_ENGINE=loop.'
        )
