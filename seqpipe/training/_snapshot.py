"""The state of a fit at an update, and its return to a net that is about to make this update."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from seqpipe.training._stopping import Diverged, StopTraining

__all__ = ["Place", "continuing", "open_end", "restore", "snapshot", "stop_of"]


@dataclass
class Place:
    """The next update of a fit.

    Attributes
    ----------
    epoch : int
        Number of finished epochs.
    batch : int
        Number of finished batches of the epoch; if all are finished, validation comes next.
    part : int
        Number of finished parts of the batch.
    state : tensor or tuple of tensors, or None
        State carried from the part before.
    order : dict
        State of the generator from which the order of the epoch's batches is drawn.
    """

    epoch: int = 0
    batch: int = 0
    part: int = 0
    state: Any = None
    order: dict[str, Any] = field(default_factory=dict)


def snapshot(net: Any, *, stop: StopTraining | None = None, ended: bool = False) -> dict[str, Any]:
    """Return the state of a net before the update at ``net.place_``, or at the end of its fit.

    Parameters
    ----------
    net : SequenceNet
    stop : StopTraining, optional
        Why its training has stopped early.
    ended : bool, default=False
        Whether its training has ended.
    """
    return {
        "place": None if ended else vars(net.place_),
        "stop": None if stop is None else [isinstance(stop, Diverged), str(stop)],
        "modules": {name: module.state_dict() for name, module in _modules(net)},
        "buffers": {name: dict(module.named_buffers()) for name, module in _modules(net)},
        "optimizer": net.optimizer_.state_dict(),
        "callbacks": {name: callback.state_dict() for name, callback in _lasting(net)},
        "most_rows": net.micro_batches.most_rows,
        "history": list(net.history),
        "random": _generator_states(net.device),
    }


def open_end(net: Any, epochs: int) -> dict[str, Any]:
    """Return what the end of training may change in the state of a net after its last epoch, such as early stopping.

    Together with the state at its end, `continuing` makes of it that of a fit with more epochs.
    """
    net.place_ = Place(epochs, order=dict(net.random.bit_generator.state))
    state = snapshot(net)
    changing = {name: copy.deepcopy(state[name]) for name in ("modules", "buffers")}
    return {**changing, "place": state["place"], "callbacks": state["callbacks"], "random": state["random"]}


def continuing(last: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the state after the last checkpoint of a fit, in one with more epochs; None if that is not known.

    If the fit stopped early, the other one would have stopped there, too.
    """
    states, end = last["states"], last.get("open_end")
    if states is None or len(states) > 1:
        return None
    if states[0]["stop"] is not None:
        return dict(states[0])
    return None if end is None else {**states[0], **end}


def restore(net: Any, state: dict[str, Any]) -> None:
    """Set the state of a net whose callbacks know of the epoch; the fit continues as if it had not been interrupted."""
    for name, module in _modules(net):
        module.load_state_dict(state["modules"][name])
        for buffer, value in state["buffers"][name].items():
            _set_buffer(module, buffer, value)
    net.optimizer_.load_state_dict(state["optimizer"])
    for name, callback in _lasting(net):
        callback.load_state_dict(state["callbacks"][name])
    net.micro_batches.most_rows = state["most_rows"]
    net.history.clear()
    net.history.extend(state["history"])
    _set_generator_states(net.device, state["random"])


def stop_of(state: dict[str, Any]) -> StopTraining | None:
    """Return why training has stopped early in a state."""
    if state["stop"] is None:
        return None
    diverged, message = state["stop"]
    return (Diverged if diverged else StopTraining)(message)


def _modules(net: Any) -> Iterator[tuple[str, torch.nn.Module]]:
    for name in ("module_", "criterion_"):
        module = getattr(net, name)
        if isinstance(module, torch.nn.Module):
            yield name, module


def _set_buffer(module: torch.nn.Module, name: str, value: Tensor) -> None:
    """Set a buffer, also one that `state_dict` leaves out or whose shape changes in training."""
    *path, last = name.split(".")
    owner = module.get_submodule(".".join(path))
    buffer = getattr(owner, last)
    if buffer.shape == value.shape:
        buffer.data.copy_(value)
    else:
        setattr(owner, last, value.to(buffer.device))


def _lasting(net: Any) -> Iterator[tuple[str, Any]]:
    """Yield the callbacks with a state that lasts from one update to another."""
    for name, callback in net.callbacks_:
        if callable(getattr(callback, "state_dict", None)) and callable(getattr(callback, "load_state_dict", None)):
            yield name, callback


def _generator_states(device: str) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.device(device).type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _set_generator_states(device: str, states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.device(device).type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
