"""Functions that treat a state, a tensor or a tuple of tensors, uniformly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import State

__all__ = ["map_state", "stack_states", "state_at", "state_tensors"]


def state_tensors(state: State) -> tuple[Tensor, ...]:
    """Return the tensors of a state."""
    return tuple(state) if isinstance(state, tuple) else (state,)


def map_state(function: Callable[..., Tensor], *states: State) -> State:
    """Apply a function to corresponding tensors of several states."""
    if isinstance(states[0], tuple):
        return tuple(function(*tensors) for tensors in zip(*states))
    return function(*states)


def stack_states(states: list[Any]) -> State:
    """Stack the states of all layers and directions along a new first axis."""
    if len(states) == 1:
        return map_state(lambda tensor: tensor[None], states[0])
    return map_state(lambda *tensors: torch.stack(tensors), *states)


def state_at(states: State, k: int) -> State:
    """Return the state of cell ``k`` from stacked states."""
    return map_state(lambda tensor: tensor[k], states)
