"""`SequenceNet`: a skorch net that is trained on whole batches."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from skorch.utils import TeeGenerator
from torch import Tensor

from seqpipe.training._batches import Batch, Batches
from seqpipe.training._guard import GradientGuard
from seqpipe.training._keeper import Keeper
from seqpipe.training._micro_batches import MicroBatches
from seqpipe.training._objective import Objective, SampleLoss, StepObjective
from seqpipe.training._precision import autocast
from seqpipe.training._predicting import PredictingNet
from seqpipe.training._samples import Samples
from seqpipe.training._snapshot import Place, open_end, restore, snapshot, stop_of
from seqpipe.training._stopping import Diverged, StopTraining, requested_stops
from seqpipe.training._truncation import Truncation

__all__ = ["SequenceNet", "Update"]

#: Events of which callbacks are notified in every update.
_BATCH_EVENTS = frozenset({"on_batch_begin", "on_grad_computed", "on_batch_end"})


@dataclass
class Update:
    """One update of a fit.

    Attributes
    ----------
    batch : tuple
        Inputs and targets, as `Batches` yields them, or a part of these along time.
    step : dict
        The ``loss``, and ``y_pred``, the outputs before the update; set by whoever makes the update.
    """

    batch: Batch
    step: dict[str, Any] = field(default_factory=dict)


class SequenceNet(PredictingNet):
    """A skorch net over `Samples`, with sample weights and a guard against non-finite values; Ctrl-C ends a fit.

    Parameters
    ----------
    guard : GradientGuard
        Checks every update.
    random : numpy Generator
        Shuffles the batches.
    objective : Objective, optional
        Reduces the criterion over a batch; the mean over sequences by default.
    truncation : Truncation, optional
        Makes several updates per batch, along time; requires a `StepObjective`.
    mixed_precision : bool, default=False
        Whether the forward pass of training runs in bfloat16 where that is safe.
    **kwargs
        Parameters of `skorch.NeuralNet`.

    Attributes
    ----------
    kept_optimizer : dict or None
        State of the optimizer that trained a net loaded for prediction only; None if the net has an optimizer.
    micro_batches : MicroBatches
        How batches are split that do not fit into memory.
    keeper : Keeper or None
        Writes the checkpoints of the current fit, if this net is trained alone.
    place_ : Place
        The next update of the current fit.
    """

    kept_optimizer: dict[str, Any] | None = None
    keeper: Keeper | None = None

    def __init__(
        self,
        *args: Any,
        guard: GradientGuard,
        random: np.random.Generator,
        objective: Objective | None = None,
        truncation: Truncation | None = None,
        mixed_precision: bool = False,
        **kwargs: Any,
    ) -> None:
        self.guard = guard
        self.random = random
        self.objective: Objective = SampleLoss() if objective is None else objective
        self.truncation = truncation
        self.mixed_precision = mixed_precision
        self.micro_batches = MicroBatches()
        self._listeners: dict[str, list[Any]] | None = None
        super().__init__(*args, **kwargs)

    def train(
        self, samples: Samples, validation: Samples | None, epochs: int, keeper: Keeper | None = None
    ) -> str | None:
        """Train for some epochs; return the reason if training stopped early, else None; see `seqpipe.training._stopping`.

        With a ``keeper`` checkpoints are written, and the fit continues from the one that it has found.

        Raises
        ------
        Diverged
            If a loss, gradient or weight is not finite; the last good weights are restored.
        """
        self.keeper = keeper
        start = None if keeper is None or keeper.states is None else keeper.states[0]
        stopped: StopTraining | None = None
        with self._threads(self.batch_size), nullcontext() if keeper is None else keeper.training():
            with closing(self.updates(samples, validation, epochs, start)) as updates:
                try:
                    for update in updates:
                        self._make(update)
                        del update  # else two batches and their activations are in memory at a time
                except StopTraining as stop:
                    stopped = stop
            if keeper is not None:
                keeper.end([snapshot(self, stop=stopped, ended=True)])
        self.keeper = None
        if isinstance(stopped, Diverged):
            raise stopped
        return None if stopped is None else str(stopped)

    def _make(self, update: Update) -> None:
        if self.keeper is not None:
            self.keeper.before_update(self._states)
        self.notify("on_batch_begin", batch=update.batch, training=True)
        update.step = self.train_step(update.batch)

    def _states(self) -> list[dict[str, Any]]:
        return [snapshot(self)]

    def updates(
        self, samples: Samples, validation: Samples | None, epochs: int, start: dict[str, Any] | None = None
    ) -> Generator[Update]:
        """Yield each update of a fit, which the caller begins and makes; validate, and notify callbacks.

        Parameters
        ----------
        samples, validation : Samples
        epochs : int
        start : dict, optional
            The state to continue from, in a net with initial weights; see `seqpipe.training._snapshot`.

        Raises
        ------
        StopTraining
            If a callback stops training, or stopped it before ``start``.
        """
        self.check_training_readiness()
        batches, validated = self.get_iterator(samples, training=True), None
        if validation is not None:
            validated = self.get_iterator(validation)
        self.batches_done_ = 0.0
        self.notify("on_train_begin", X=samples, y=None)
        data = {"dataset_train": samples, "dataset_valid": validation}
        try:
            if start is not None and start["place"] is None:
                self._restore_end(start)
                return
            place = Place() if start is None else Place(**start["place"])
            for epoch in range(place.epoch, epochs):
                if start is not None and len(start["history"]) == epoch:  # it lies between two epochs
                    self._return_to(start, place)
                    start = None
                self.notify("on_epoch_begin", **data)
                if start is not None:
                    self._return_to(start, place)
                yield from self._updates_of_epoch(batches, place)
                self.run_single_epoch(validated, training=False, prefix="valid", step_fn=self.validation_step)
                self.notify("on_epoch_end", **data)
                place, start = Place(epoch + 1), None
            if self.keeper is not None:
                self.keeper.open_end = open_end(self, epochs)
        finally:
            self.notify("on_train_end", X=samples, y=None)

    def _return_to(self, state: dict[str, Any], place: Place) -> None:
        restore(self, state)
        self.random.bit_generator.state = place.order

    def _restore_end(self, state: dict[str, Any]) -> None:
        """Set the state of a fit that has ended, and end as it has."""
        restore(self, state)
        stop = stop_of(state)
        if stop is not None:
            raise stop

    def _updates_of_epoch(self, batches: Batches, place: Place) -> Iterator[Update]:
        """Yield the updates of one epoch from a place in it, and record their losses and sizes."""
        super()._set_training(True)
        place = replace(place, order=dict(self.random.bit_generator.state))
        for number, batch in enumerate(batches.after(place.batch), start=place.batch):
            before = float(place.epoch * len(batches) + number)
            place = place if number == place.batch else Place(place.epoch, number, order=place.order)
            for next_place, part in self._parts(batch, place):
                self.place_ = next_place
                update = Update(part)
                yield update
                step = update.step
                self.batches_done_ = before + part[0].get("done", 1)
                self._record("train", part, step)
                self.notify("on_batch_end", batch=part, training=True, **step)
                del part, update, step  # else two batches and their activations are in memory at a time
            self.batches_done_ = before + 1.0  # the last parts may have had no update
            del batch
        self.place_ = Place(place.epoch, len(batches), order=place.order)
        self.history.record("train_batch_count", len(batches))

    def get_iterator(self, dataset: Samples, training: bool = False) -> Batches:
        """Return whole batches: shuffled for training; for validation sorted by length, of prediction size."""
        device = torch.device(self.device)
        if training:
            return Batches(dataset, self.batch_size, device, self.random)
        return Batches(dataset, self._prediction_batch(dataset), device)

    def get_loss(self, y_pred: Tensor, y_true: Tensor, X: Any = None, *args: Any, **kwargs: Any) -> Tensor:
        """Return the objective's loss of a batch."""
        return self.objective(self.criterion_, y_pred, y_true, X)

    def run_single_epoch(
        self, iterator: Batches | None, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Validate on all batches, and record losses and sizes; do nothing if ``iterator`` is None."""
        if iterator is None:
            return
        with nullcontext() if self.keeper is None else self.keeper.validating(self._states):
            super()._set_training(training)
            for batch in iterator:
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch, **fit_params)
                self._record(prefix, batch, step)
                self.notify("on_batch_end", batch=batch, training=training, **step)
                del batch, step
                if self.keeper is not None:
                    self.keeper.during_validation()
        self.history.record(prefix + "_batch_count", len(iterator))

    def _record(self, prefix: str, batch: Batch, step: dict[str, Any]) -> None:
        self.history.record_batch(prefix + "_loss", step["loss"].item())
        self.history.record_batch(prefix + "_batch_size", len(batch[0]["x"]) * batch[0].get("share", 1))

    def _parts(self, batch: Batch, place: Place) -> Iterator[tuple[Place, Batch]]:
        """Yield the batch, or the parts of it that are updates; other parts are run for their state only."""
        if self.truncation is None:
            yield place, batch
            return
        assert isinstance(self.objective, StepObjective)
        inputs, y = batch
        parts = self.truncation.walk(inputs, y, self.objective, start=place.part, state=place.state)
        for number, part in enumerate(parts, start=place.part):
            if part[0]["share"] > 0:
                yield replace(place, part=number, state=part[0]["window"].state), part
                continue
            self._set_training(True)
            with torch.no_grad():
                self.infer(part[0])

    def _set_training(self, training: bool = True) -> None:
        """Set the mode if it changes: visiting all modules for each batch costs as much as a small step."""
        if self.module_.training != training:
            super()._set_training(training)

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Run forward and backward on one batch, in parts if it does not fit into memory."""
        self._set_training(True)
        step = self.micro_batches.run(batch, self.objective, self._backward, before=self.optimizer_.zero_grad)
        self.guard.on_loss_computed(step["loss"])
        return step

    def _backward(self, batch: Batch, share: float) -> dict[str, Any]:
        """Add the gradient of a part of a batch, whose loss is ``share`` of that of the batch."""
        inputs, y = batch
        with autocast(self.mixed_precision, torch.device(self.device)):
            y_pred = self.infer(inputs, y=y)
        y_pred = y_pred.float() if self.mixed_precision else y_pred
        loss = self.get_loss(y_pred, y, X=inputs)
        (loss if share == 1.0 else loss * share).backward()
        return {"loss": loss, "y_pred": y_pred}

    def validation_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Run forward on one batch, in parts if it does not fit into memory."""
        self._set_training(False)
        with torch.no_grad():
            return MicroBatches().run(batch, self.objective, self._forward, before=lambda: None)

    def _forward(self, batch: Batch, share: float) -> dict[str, Any]:
        inputs, y = batch
        y_pred = self.infer(inputs, y=y)
        return {"loss": self.get_loss(y_pred, y, X=inputs), "y_pred": y_pred}

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take one update; the optimizer may evaluate the loss several times."""
        steps: list[dict[str, Any]] = []

        def closure() -> Tensor:
            step = self.train_step_single(batch, **fit_params)
            steps.append(step)
            parameters = TeeGenerator(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=parameters, batch=batch, training=True)
            loss: Tensor = step["loss"]
            return loss

        self.optimizer_.step(closure)
        return steps[0]

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Notify callbacks; at the end of an epoch one may stop training."""
        if method_name in _BATCH_EVENTS:
            getattr(self, method_name)(self, **cb_kwargs)
            for callback in self._handlers(method_name):
                getattr(callback, method_name)(self, **cb_kwargs)
            return
        self._listeners = None  # callbacks may be added or removed from here on
        with requested_stops() if method_name == "on_epoch_end" else nullcontext():
            super().notify(method_name, **cb_kwargs)

    def _handlers(self, method_name: str) -> list[Any]:
        """Return the callbacks that handle an event: calling all of them costs as much as a small step."""
        if self._listeners is None:
            callbacks = [callback for _, callback in self.callbacks_]
            self._listeners = {name: [c for c in callbacks if _overrides(c, name)] for name in _BATCH_EVENTS}
        return self._listeners[method_name]


def _overrides(callback: Any, method_name: str) -> bool:
    """Return whether a callback, its class or the instance, overrides a method."""
    return getattr(getattr(callback, method_name), "__func__", None) is not getattr(Callback, method_name)
