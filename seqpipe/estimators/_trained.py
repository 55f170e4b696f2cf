"""`TrainedEstimator`: how an estimator creates its net, and trains it on samples."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from seqpipe.estimators._declared import fitted
from seqpipe.estimators._listeners import CallbackSupportMixin, FitListeners
from seqpipe.estimators._net_params import NetParamsMixin, own_callbacks, resolved_net_params
from seqpipe.estimators._parameters import CellParameters, ComputingParameters, TrainingParameters
from seqpipe.estimators._resuming import generator_state, kept_fit, restored_generator
from seqpipe.estimators._seeded import FirstUpdate, Turn, seeded
from seqpipe.estimators._state import net_state, restore_net
from seqpipe.estimators._user_warning import warn_user
from seqpipe.estimators._validation_split import validation_split
from seqpipe.exceptions import DivergenceWarning
from seqpipe.recurrence import compile_seconds
from seqpipe.training import (
    Diverged,
    EarlyStopping,
    EpochListener,
    GradientGuard,
    Keeper,
    Objective,
    ProgressBar,
    Samples,
    Schedule,
    SequenceNet,
    StopTraining,
    Truncation,
    as_checkpoint,
    auto_batch_size,
    auto_epochs,
    check_precision,
    depends_on_epochs,
    find_optimizer,
    optimizer_settings,
    peak_memory_mib,
    reset_peak_memory,
    resolve_device,
)

__all__ = ["PlannedFit", "TrainedEstimator", "TrainingData"]


@dataclass(frozen=True)
class TrainingData:
    """What a fit is about.

    Attributes
    ----------
    samples : Samples
    sizes : dict of int
        Arguments of the network that depend on the data, such as n_outputs.
    labels : array, or None
        Classes that validation data are stratified by.
    partial : bool
        Whether to train for one epoch at a constant learning rate.
    """

    samples: Samples
    sizes: dict[str, int]
    labels: Any
    partial: bool


@dataclass
class PlannedFit:
    """What a fit of one network depends on besides parameters.

    Attributes
    ----------
    train : Samples
    validation : Samples or None
    seed : int
        Seed of initial weights and batches.
    device : str
    """

    train: Samples
    validation: Samples | None
    seed: int
    device: str


class TrainedEstimator(
    ComputingParameters, TrainingParameters, CellParameters, NetParamsMixin, CallbackSupportMixin, BaseEstimator
):
    """Base class of estimators with a skorch net: its creation, its training, and what describes a fit."""

    _network: ClassVar[type[torch.nn.Module]]

    n_iter_: int = fitted("int", "Number of epochs trained.")
    n_parameters_: int = fitted("int", "Number of trainable parameters.")
    history_: list[dict[str, Any]] = fitted(
        "list of dict",
        "One record per epoch: epoch, train_loss, valid_loss with early stopping, lr, grad_norm, dur (seconds).",
    )
    compile_seconds_: float = fitted(
        "float", "Seconds spent planning, compiling and checking engines; not included in ``dur`` of ``history_``."
    )
    device_: str = fitted("str", "Device of the network.")
    net_: SequenceNet = fitted("skorch net", "The fitted net; ``net_.module_`` is the torch module.")

    def _continues(self, partial: bool) -> bool:
        return (partial or self.warm_start) and hasattr(self, "net_")

    def _train(
        self, samples: Samples, sizes: dict[str, int], listeners: FitListeners, *, partial: bool, labels: Any = None
    ) -> None:
        """Train the net, or a new one, on samples; set the attributes that all fitted estimators share.

        ``sizes`` are the arguments of the network that depend on the data, such as n_outputs.
        """
        checkpoint = None if partial else as_checkpoint(self.checkpoint)
        initial = net_state(self.net_) if checkpoint is not None and self._continues(partial) else None
        data = TrainingData(samples, sizes, labels, partial)
        grows = not depends_on_epochs(self.lr_schedule, self.lr_schedule_params)
        with kept_fit(self, checkpoint, samples, initial, listeners.interrupted, grows=grows) as keeper:
            self._train_networks(data, self._generator(data, listeners, keeper), listeners, keeper)

    def _generator(self, data: TrainingData, listeners: FitListeners, keeper: Keeper | None) -> np.random.RandomState:
        """Try out what the training depends on, and return the generator of seeds; or as the checkpoint has them."""
        if keeper is not None and keeper.facts is not None:
            self.__dict__.update(keeper.facts["tried"])
            return restored_generator(keeper.facts["random"])
        if not (data.partial or self._continues(data.partial)):
            self._try_out(data, listeners)
        random = check_random_state(self.random_state)
        if keeper is None:
            return random
        facts = {"tried": self._tried(), "random": generator_state(random)}
        begun = keeper.begin(facts, decisive=["tried"] if self.random_state is None else ["tried", "random"])
        return random if begun is facts else restored_generator(begun["random"])

    def _try_out(self, data: TrainingData, listeners: FitListeners) -> None:
        """Learn from the data what the training depends on."""

    def _tried(self) -> dict[str, Any]:
        """Return the attributes that `_try_out` has set."""
        return {}

    def _train_networks(
        self, data: TrainingData, random: np.random.RandomState, listeners: FitListeners, keeper: Keeper | None
    ) -> None:
        """Train the net, or a new one, with seeds from ``random``."""
        fit = self._planned(data, random)
        with seeded(fit.seed, fit.device) as turn:
            net, epochs = self._prepare_net(fit, data, listeners, turn)
            reset_peak_memory(fit.device)
            try:
                stop_reason = net.train(fit.train, fit.validation, epochs, keeper)
            except Diverged as fault:
                stop_reason = self._diverged(fault, net)
            self._finish(fit, net, stop_reason, listeners)

    def _planned(self, data: TrainingData, random: np.random.RandomState) -> PlannedFit:
        """Determine the seed, the device and the validation data of a fit."""
        seed = int(random.randint(np.iinfo(np.int32).max))
        samples, labels = data.samples, data.labels
        train, validation = samples, None
        if not data.partial and self._stops_early(samples):
            counted = self._counted(samples)
            indices = validation_split(samples.X, self.validation_fraction, seed=seed, labels=labels, counted=counted)
            train, validation = samples.take(indices[0]), samples.take(indices[1])
        device = resolve_device(self.device)
        check_precision(self.mixed_precision, self.dtype, device)
        return PlannedFit(train, validation, seed, device)

    def _finish(self, fit: PlannedFit, net: SequenceNet, stop_reason: str | None, listeners: FitListeners) -> None:
        """Adapt a trained net to validation data, and describe the fit."""
        if fit.validation is not None:
            self._calibrate(net, fit.train, fit.validation)
        listeners.summary = self._summary(net, stop_reason or "all epochs done")

    def _prepare_net(
        self, fit: PlannedFit, data: TrainingData, listeners: FitListeners, turn: Turn | None
    ) -> tuple[SequenceNet, int]:
        """Return a net with initial weights, or those of the last fit if this one continues, and the number of epochs.

        The net ends ``turn`` as soon as its training is known to use no random numbers.
        """
        train, device, seed, partial = fit.train, fit.device, fit.seed, data.partial
        stopping = [] if fit.validation is None else [("early_stopping", EarlyStopping(self.n_iter_no_change))]
        batch_size = self._samples_per_batch(train)
        n_batches = -(-len(train) // batch_size)
        epochs = 1 if partial else self._n_epochs(train)
        _, most = self._updates_per_batch(train)
        schedule = None if partial else self._schedule(epochs, n_batches, most)
        callbacks = self._callbacks(epochs, schedule, listeners, stopping, turn)
        own = (self.net_params or {}).get("callbacks")
        if turn is not None and not own:  # callbacks of the user may draw random numbers at any time
            callbacks.append(("first_update", FirstUpdate(turn)))
        fresh = self._make_net(data.sizes, device, seed, batch_size, callbacks)
        if self._continues(partial):
            restore_net(fresh, net_state(self.net_))
        else:
            self.history_ = []
            self.compile_seconds_ = 0.0
            self._standardize_inputs(fresh, train)
        self.net_ = fresh
        self._sizes = data.sizes
        self.device_ = device
        return fresh, epochs

    def _samples_per_batch(self, train: Samples) -> int:
        return auto_batch_size(len(train)) if self.batch_size == "auto" else int(self.batch_size)

    def _n_epochs(self, train: Samples) -> int:
        """Return the number of epochs of a fit to training samples."""
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        usual, _ = self._updates_per_batch(train)
        return auto_epochs(-(-len(train) // self._samples_per_batch(train)) * usual)

    def _stops_early(self, samples: Samples) -> bool:
        """Return whether to hold out validation data."""
        return bool(self.early_stopping)

    def _calibrate(self, net: SequenceNet, train: Samples, validation: Samples) -> None:
        """Adapt the trained net to validation data, which it has stopped on."""

    def _counted(self, samples: Samples) -> NDArray[np.bool_] | None:
        """Return a mask of samples that contribute to the loss, shape (n_samples,), or None if all do."""
        return None

    def _truncation(self) -> Truncation | None:
        """Return how backpropagation through time is truncated; None, unless there is an output per time step."""
        return None

    def _updates_per_batch(self, samples: Samples) -> tuple[int, int]:
        """Return the number of updates per batch, for sequences of mean and of maximum length."""
        truncation = self._truncation()
        if truncation is None:
            return 1, 1
        lengths = np.diff(samples.step_offsets)
        return truncation.n_updates(int(lengths.mean())), truncation.n_updates(int(lengths.max()))

    def _schedule(self, epochs: int, n_batches: int, updates_per_batch: int) -> Schedule | None:
        if self.lr_schedule is None:
            return None
        params = self.lr_schedule_params
        return Schedule(self.lr_schedule, epochs, n_batches, params=params, updates_per_batch=updates_per_batch)

    def _normalized(self, weight: NDArray[np.float64] | None) -> NDArray[Any] | None:
        """Return weights scaled to mean 1, in the network's dtype."""
        return None if weight is None else (weight / weight.mean()).astype(self.dtype)

    @abstractmethod
    def _network_settings(self) -> dict[str, Any]:
        """Return the arguments of the network that are set by parameters."""

    @abstractmethod
    def _criterion_settings(self) -> dict[str, Any]:
        """Return ``criterion`` and its arguments, under skorch's names."""

    @abstractmethod
    def _objective(self) -> Objective:
        """Return the objective, which reduces the criterion over a batch."""

    def _standardize_inputs(self, net: SequenceNet, train: Samples) -> None:
        """Set the mean and scale of the network's input layer, if it has them."""

    def _make_net(
        self, sizes: dict[str, int], device: str, seed: int, batch_size: int, callbacks: list[Any]
    ) -> SequenceNet:
        optimizer = find_optimizer(self.optimizer, owner=type(self).__name__)
        settings = self._net_settings(sizes, device, batch_size) | {
            "truncation": self._truncation(),
            "mixed_precision": self.mixed_precision,
            "optimizer": optimizer,
            "lr": self.lr,
        }
        own = resolved_net_params(self.net_params, owner=type(self).__name__)
        settings |= optimizer_settings(optimizer, device, weight_decay=self.weight_decay, given=own)
        guard = GradientGuard(self.gradient_clip_norm)
        callbacks = [("guard", guard), *callbacks]
        settings |= {"callbacks": callbacks, "guard": guard, "random": np.random.default_rng(seed), **own}
        return SequenceNet(**settings).initialize()

    def _make_net_to_predict(self, sizes: dict[str, int], device: str, batch_size: int) -> SequenceNet:
        """Return a net for prediction, without settings of training; of ``net_params`` only the criterion is used."""
        own = resolved_net_params(self.net_params, owner=type(self).__name__)
        loss = {name: value for name, value in own.items() if name.split("__")[0] == "criterion"}
        settings = self._net_settings(sizes, device, batch_size) | loss
        guard, random = GradientGuard(None), np.random.default_rng(0)
        return SequenceNet(callbacks=[], guard=guard, random=random, **settings).initialize()

    def _net_settings(self, sizes: dict[str, int], device: str, batch_size: int) -> dict[str, Any]:
        """Return the arguments of the skorch net that do not concern training."""
        return {
            "module": self._network,
            **{f"module__{name}": value for name, value in (sizes | self._network_settings()).items()},
            "objective": self._objective(),
            **self._criterion_settings(),
            "criterion__reduction": "none",
            "batch_size": batch_size,
            "train_split": None,
            "callbacks__print_log": None,
            "device": device,
            "verbose": 0,
        }

    def _callbacks(
        self, epochs: int, schedule: Schedule | None, listeners: FitListeners, stopping: list[Any], turn: Turn | None
    ) -> list[Any]:
        counted = compile_seconds()

        def listen(record: dict[str, Any]) -> bool:
            nonlocal counted
            compiled, counted = compile_seconds() - counted, compile_seconds()
            self.compile_seconds_ += compiled
            if "dur" in record:
                record["dur"] = max(0.0, record["dur"] - compiled)
            record["epoch"] = len(self.history_) + 1
            stops = notify(record)
            counted = compile_seconds()  # what a callback has compiled, such as to predict, is in no epoch's time
            return stops

        def notify(record: dict[str, Any], *, replayed: bool = False) -> bool:
            self.history_.append(record)
            # a callback may predict, or wait for other fits
            with self.net_.mode_kept(), nullcontext() if turn is None else turn.lent():
                return listeners.epoch(record, replayed=replayed)

        callbacks: list[Any] = [("listener", EpochListener(listen, partial(notify, replayed=True)))]
        if schedule is not None:
            callbacks.append(("schedule", schedule))
        callbacks += stopping
        if self.verbose:
            callbacks.append(("progress", ProgressBar(epochs)))
        return [*callbacks, *own_callbacks(self.net_params, owner=type(self).__name__)]

    def _diverged(self, fault: StopTraining, net: SequenceNet) -> str:
        """Warn that training diverged, and return the reason why it stopped."""
        message = (
            f"Training of {type(self).__name__} stopped at update {net.guard.n_updates_ + 1}, in epoch "
            f"{len(self.history_) + 1}: {fault}. The last weights with a finite loss are kept. Lower lr (now "
            f"{self.lr!r}), set gradient_clip_norm, or check X and y for outliers."
        )
        warn_user(message, DivergenceWarning)
        return f"diverged: {fault}"

    def _summary(self, net: SequenceNet, stop_reason: str) -> dict[str, Any]:
        self.n_iter_ = max(1, len(self.history_))
        self.n_parameters_ = sum(p.numel() for p in net.module_.parameters())
        return {
            "n_parameters": self.n_parameters_,
            "n_updates": net.guard.n_updates_,
            "device": self.device_,
            "fit_seconds": sum(epoch.get("dur", 0.0) for epoch in self.history_),
            "compile_seconds": self.compile_seconds_,
            "peak_memory_mib": peak_memory_mib(self.device_),
            "stop_reason": stop_reason,
            "engine": "; ".join(str(choice) for layers in net.recurrents for choice in layers.explain()),
        }
