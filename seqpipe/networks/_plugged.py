"""The check of modules that plug-ins offer."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from seqpipe.plugins import Registered
from seqpipe.recurrence import forked_generators

__all__ = ["check_shape"]


def check_shape(
    found: Registered, module: nn.Module, given: tuple[int, ...], wanted: tuple[int, ...], *more: Any
) -> None:
    """Raise `PluginError` unless a module maps zeros of the given shape, and ``more``, to an output of the wanted one."""
    training = module.training
    with torch.no_grad(), forked_generators():
        try:
            output = module.eval()(torch.zeros(given), *more)
        except Exception as error:
            raise found.error(f"failed for an input of shape {given} with {type(error).__name__}: {error}") from error
    module.train(training)
    shape = tuple(getattr(output, "shape", ()))
    if shape != wanted:
        raise found.error(f"must map an input of shape {given} to {wanted}. Its output has shape {shape}")
