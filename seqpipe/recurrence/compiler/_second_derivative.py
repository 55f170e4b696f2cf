"""The error of compiled backward passes that are differentiated again."""

from __future__ import annotations

import torch

__all__ = ["refuse_second_derivative"]


def refuse_second_derivative() -> None:
    """Raise if torch records the backward pass, which compiled engines cannot differentiate.

    Raises
    ------
    RuntimeError
        If gradients are enabled.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(
            "The compiled recurrence cannot be differentiated twice (create_graph=True). "
            'Use Recurrent(…, engine="loop"), or set the environment variable SEQPIPE_ENGINE=loop.'
        )
