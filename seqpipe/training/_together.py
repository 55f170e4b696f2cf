"""Training of several nets of one kind together: one forward and backward pass, and one step of the optimizer, for all."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from seqpipe.training._batches import Batch
from seqpipe.training._guard import guard_together
from seqpipe.training._keeper import Keeper
from seqpipe.training._micro_batches import is_out_of_memory
from seqpipe.training._net import SequenceNet, Update
from seqpipe.training._objective import SampleLoss
from seqpipe.training._samples import Samples
from seqpipe.training._snapshot import snapshot
from seqpipe.training._stopping import Diverged, StopTraining

__all__ = ["Job", "train_together"]

#: Maximum number of outputs of one layer in an update of all nets. With more, nearly all time is spent in the layers, and
#: the stored activations of all nets take memory that the allocator returns to the system after each update.
_MOST_OUTPUTS = 2**20

#: Returns a module that runs networks of one kind, each over its block of rows.
Join = Callable[[Sequence[nn.Module]], nn.Module]


@dataclass(frozen=True)
class Job:
    """A net with the samples that it is trained on for some epochs, and those that it is validated on."""

    net: SequenceNet
    train: Samples
    validation: Samples | None
    epochs: int

    def updates(self, start: dict[str, Any] | None) -> Generator[Update]:
        """Yield each update; see `SequenceNet.updates`."""
        return self.net.updates(self.train, self.validation, self.epochs, start)


def train_together(jobs: Sequence[Job], join: Join, keeper: Keeper | None = None) -> list[StopTraining | None]:
    """Train several nets; one that stops leaves the others.

    Each net has its own batches, losses, callbacks and clipped gradient, as if it were trained alone.

    Parameters
    ----------
    jobs : sequence of Job
        Nets of one kind, on a CPU, without truncation; the optimizer treats each parameter by itself.
    join : callable
        Joins the networks to one module.
    keeper : Keeper, optional
        Writes checkpoints, and holds the one that the fits continue from.

    Returns
    -------
    stops : list of StopTraining or None
        Why each net stopped early.
    """
    nets = [job.net for job in jobs]
    stops: list[StopTraining | None] = [None] * len(nets)
    starts = [None] * len(nets) if keeper is None or keeper.states is None else keeper.states
    crew: _Crew | None = None

    def states() -> list[dict[str, Any]]:
        return [snapshot(net, stop=stops[i], ended=i not in running) for i, net in enumerate(nets)]

    with ExitStack() as stack:
        stack.enter_context(nets[0]._threads(nets[0].batch_size * len(nets)))
        if keeper is not None:
            stack.enter_context(keeper.training())
        running = {
            i: stack.enter_context(closing(job.updates(start))) for i, (job, start) in enumerate(zip(jobs, starts))
        }
        while coming := dict(_next_updates(running, stops)):
            if keeper is not None:
                keeper.before_update(states)
            for i, update in coming.items():
                nets[i].notify("on_batch_begin", batch=update.batch, training=True)
            if crew is None or len(crew.nets) != len(coming):
                crew = _Crew([nets[i] for i in coming], join)
            faults = crew.make(list(coming.values()))
            for i in [i for i, net in zip(coming, crew.nets) if net in faults]:
                stops[i] = faults[nets[i]]
                running.pop(i).close()
            del coming, update  # else two batches and their activations are in memory at a time
        if keeper is not None:
            keeper.end(states())
    return stops


def _next_updates(
    running: dict[int, Generator[Update]], stops: list[StopTraining | None]
) -> Iterator[tuple[int, Update]]:
    """Yield the next update of each net that goes on; forget the others."""
    for i, updates in list(running.items()):
        try:
            update = next(updates, None)
        except StopTraining as stop:
            stops[i], update = stop, None
        if update is None:
            del running[i]
        else:
            yield i, update


class _Crew:
    """The nets that are trained together at present."""

    def __init__(self, nets: Sequence[SequenceNet], join: Join) -> None:
        self.nets = nets
        self._module = join([net.module_ for net in nets])
        self._width = max(layers.output_size for layers in nets[0].recurrents)
        learned = [p for net in nets for p in getattr(net.criterion_, "parameters", list)()]
        self._same_loss = isinstance(nets[0].objective, SampleLoss) and not learned
        self._optimizer: Optimizer | None = None
        self._too_large = False

    def make(self, updates: Sequence[Update]) -> dict[SequenceNet, Diverged]:
        """Make an update of each net; return the error of those that diverged, which are not changed."""
        if self._too_large or not self._fits([update.batch[0]["x"] for update in updates]):
            return self._make_in_turn(updates)
        for net in self.nets:
            net._set_training(True)
            _forget_gradients(net)
        try:
            self._losses(updates).sum().backward()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._too_large = True
        if self._too_large:
            return self._make_in_turn(updates)
        faults = guard_together([net.guard for net in self.nets])
        for i in faults:
            _forget_gradients(self.nets[i])
        self._step()
        return {self.nets[i]: fault for i, fault in faults.items()}

    def _fits(self, batches: Sequence[Tensor]) -> bool:
        """Return whether batches of these sequences are equally large, and small enough to be run together."""
        longest = max(x.shape[1] for x in batches)
        size = sum(map(len, batches)) * longest * self._width
        return len({len(x) for x in batches}) == 1 and size <= _MOST_OUTPUTS

    def _make_in_turn(self, updates: Sequence[Update]) -> dict[SequenceNet, Diverged]:
        faults = {}
        for net, update in zip(self.nets, updates):
            try:
                update.step = net.train_step(update.batch)
            except Diverged as fault:
                faults[net] = fault
        return faults

    def _losses(self, updates: Sequence[Update]) -> Tensor:
        """Run forward, and set the step of each update; return the losses of the nets."""
        x, lengths = _joined_inputs([update.batch for update in updates])
        outputs = self._module(x, lengths)
        parts = outputs.split(len(x) // len(updates))
        if self._same_loss:
            losses = self._losses_at_once(updates, outputs)
        else:
            losses = torch.stack([_loss(*each) for each in zip(self.nets, updates, parts)])
        for net, update, loss, y_pred in zip(self.nets, updates, losses.detach(), parts):
            net.guard.on_loss_computed(loss)
            update.step = {"loss": loss, "y_pred": y_pred.detach()}
        return losses

    def _losses_at_once(self, updates: Sequence[Update], outputs: Tensor) -> Tensor:
        first = self.nets[0]
        assert isinstance(first.objective, SampleLoss)
        weights = [update.batch[0].get("weight") for update in updates]
        weight = None if weights[0] is None else torch.cat([w for w in weights if w is not None])
        y = torch.cat([update.batch[1] for update in updates])
        of_samples = first.objective.of_samples(first.criterion_, outputs, y, weight)
        return of_samples.reshape(len(self.nets), -1).mean(dim=1)

    def _step(self) -> None:
        """Take a step of all optimizers, as one if their settings are equal, but the first, which creates their states."""
        optimizers = [net.optimizer_ for net in self.nets]
        settings = [_settings(optimizer) for optimizer in optimizers]
        if self._optimizer is None or settings[0] is None or any(other != settings[0] for other in settings[1:]):
            for optimizer in optimizers:
                optimizer.step()
            self._optimizer = _joined(optimizers)
        else:
            self._optimizer.param_groups[0].update(settings[0])
            self._optimizer.step()


def _loss(net: SequenceNet, update: Update, y_pred: Tensor) -> Tensor:
    inputs, y = update.batch
    if y_pred.ndim > 2:  # one output per step
        y_pred = y_pred[:, : inputs["x"].shape[1]]
    return net.get_loss(y_pred, y, X=inputs)


def _forget_gradients(net: SequenceNet) -> None:
    for parameter in net.guard.parameters_:
        parameter.grad = None


def _joined_inputs(batches: Sequence[Batch]) -> tuple[Tensor, Tensor | None]:
    """Return the sequences of all batches, padded to equal length, and their lengths, None if these are equal."""
    inputs = [inputs for inputs, _ in batches]
    longest = max(each["x"].shape[1] for each in inputs)
    x = torch.cat([F.pad(each["x"], (0, 0, 0, longest - each["x"].shape[1])) for each in inputs])
    if all("lengths" not in each and each["x"].shape[1] == longest for each in inputs):
        return x, None
    return x, torch.cat([_lengths(each) for each in inputs])


def _lengths(inputs: dict[str, Any]) -> Tensor:
    n, n_timesteps = inputs["x"].shape[:2]
    lengths: Tensor = inputs["lengths"] if "lengths" in inputs else torch.full((n,), n_timesteps)
    return lengths


def _settings(optimizer: Optimizer) -> dict[str, Any] | None:
    """Return the settings of an optimizer without groups of parameters, else None."""
    if len(optimizer.param_groups) > 1:
        return None
    return {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}


def _joined(optimizers: Sequence[Optimizer]) -> Optimizer:
    """Return an optimizer of all parameters, which shares the state of each."""
    owners = {p: optimizer for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]}
    joined = copy.copy(optimizers[0])
    joined.param_groups = [{**optimizers[0].param_groups[0], "params": list(owners)}]
    joined.state = defaultdict(dict, {p: optimizer.state[p] for p, optimizer in owners.items()})
    return joined
