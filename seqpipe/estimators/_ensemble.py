"""Ensembles: several networks trained in one fit, whose outputs are averaged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import CALLBACK_STATE
from seqpipe.estimators._base import RecurrentEstimator
from seqpipe.estimators._declared import Group, fitted, parameter
from seqpipe.estimators._listeners import FitListeners, SilentListeners
from seqpipe.estimators._seeded import seeded
from seqpipe.estimators._trained import TrainingData
from seqpipe.networks import SequenceNetwork, StepNetwork, join_members
from seqpipe.saved import Instance, Items
from seqpipe.training import Diverged, Job, Keeper, find_optimizer, reset_peak_memory, resolve_device, train_together

__all__ = ["EnsembleEstimator"]


class EnsembleEstimator(RecurrentEstimator):
    """Base class of estimators that may train several networks, each with its own seed."""

    n_members: int = parameter(
        default=1,
        constraint=[Interval(Integral, 1, None, closed="left")],
        type="int",
        description=(
            "Number of networks that are trained, each with its own initial weights, order of batches and validation "
            "data. Probabilities, also of each next token, or predicted numbers are averaged over them."
        ),
        group=Group.TRAINING,
    )

    members_: list[Self] = fitted(
        "list of estimators",
        "The networks of an ensemble, each a fitted estimator with one network and the seed ``random_state``, equal to "
        "one fitted alone with it but for rounding, and for the masks of dropout; empty if n_members=1. Other attributes "
        "that describe a network are those of the first.",
        saved=Items(Instance(RecurrentEstimator), most=10_000),
    )

    def _train_networks(
        self, data: TrainingData, random: np.random.RandomState, listeners: FitListeners, keeper: Keeper | None
    ) -> None:
        if self.n_members == 1:
            self.members_ = []
            super()._train_networks(data, random, listeners, keeper)
            return
        members = self._next_members(data.partial, random)
        stop = threading.Event()
        first = _FirstListeners(stop, listeners, self, members[0])
        heard = [first, *(_MemberListeners(stop, SilentListeners()) for _ in members[1:])]
        try:
            if self._can_join():
                self._train_together(members, data, heard, keeper)
            else:
                workers = Parallel(n_jobs=min(len(members), torch.get_num_threads()), backend="threading")
                workers(
                    delayed(_train_member)(member, data, each, keeper, number, stop)
                    for number, (member, each) in enumerate(zip(members, heard))
                )
        except BaseException:
            stop.set()
            raise
        self._adopt(members)
        totals = {"n_parameters": self.n_parameters_, "compile_seconds": self.compile_seconds_}
        listeners.summary = {**heard[0].summary, **totals}

    def _can_join(self) -> bool:
        """Return whether one update of all networks at once is possible, with parameters that are independent."""
        optimizer = find_optimizer(self.optimizer, owner=type(self).__name__)
        independent = optimizer.__module__.startswith("torch.optim.")  # not known of a user's
        joined = issubclass(self._network, SequenceNetwork | StepNetwork)
        plain = not (self.mixed_precision or (self.net_params or {}).get("callbacks"))
        return joined and independent and plain and self._truncation() is None and resolve_device(self.device) == "cpu"

    def _train_together(
        self, members: list[Self], data: TrainingData, heard: list[_MemberListeners], keeper: Keeper | None
    ) -> None:
        fits = [member._planned(data, check_random_state(member.random_state)) for member in members]
        jobs = []
        with seeded(fits[0].seed, fits[0].device) as turn:
            for member, fit, each in zip(members, fits, heard):
                ends = turn if member is members[0] else None
                with seeded(fit.seed, fit.device):
                    net, epochs = member._prepare_net(fit, data, each, ends)
                jobs.append(Job(net, fit.train, fit.validation, epochs))
            reset_peak_memory(fits[0].device)
            stops = train_together(jobs, join_members, keeper)
        for member, fit, job, stop, each in zip(members, fits, jobs, stops, heard):
            reason = member._diverged(stop, job.net) if isinstance(stop, Diverged) else str(stop or "") or None
            member._finish(fit, job.net, reason, each)

    def _next_members(self, partial: bool, random: np.random.RandomState) -> list[Self]:
        """Return the members to train: new ones with new seeds, or those of the last fit if it continues."""
        if self._continues(partial):
            self._check_same_number()
            seeds = [member.random_state for member in self.members_]
            nets = [member.__dict__ for member in self.members_]
        else:
            limit = np.iinfo(np.int32).max
            seeds = random.randint(limit, size=self.n_members).tolist()
            nets = [{}] * self.n_members
        return [self._member(seed, net) for seed, net in zip(seeds, nets)]

    def _check_same_number(self) -> None:
        if len(self.members_) != self.n_members:
            raise ValueError(
                f"A fit that continues requires the same number of networks. Got n_members={self.n_members} after a fit "
                f"with {len(self.members_) or 1}. Fit with warm_start=False."
            )

    def _member(self, seed: int, of_last_fit: Mapping[str, Any]) -> Self:
        """Return an estimator with one network that shares what this fit has determined so far."""
        member = object.__new__(type(self))
        own = {"members_", *CALLBACK_STATE}
        shared = {name: value for name, value in self.__dict__.items() if name not in own}
        kept = {name: of_last_fit[name] for name in _OF_NETWORK if name in of_last_fit}
        member.__dict__.update(shared | kept | {"n_members": 1, "members_": [], "random_state": seed})
        return member

    def _adopt(self, members: list[Self]) -> None:
        """Set the fitted attributes from those of the members."""
        first = members[0]
        self.__dict__.update({name: first.__dict__[name] for name in _OF_NETWORK})
        self.members_ = members
        self.n_parameters_ = sum(member.n_parameters_ for member in members)
        self.compile_seconds_ = max(member.compile_seconds_ for member in members)  # of the process, measured by each

    def _of_members(self, run: Callable[[Self], Any]) -> list[Any]:
        """Return the results of a function for each network."""
        return [run(member) for member in self.members_ or [self]]

    def _fitted_networks(self) -> list[Any]:
        """Return the torch modules, in evaluation mode."""
        return self._of_members(lambda each: each.net_.module_.eval())

    def member_predictions(self, X: Any) -> list[Any]:
        """Return the predictions of each network, whose spread is a measure of uncertainty.

        Parameters
        ----------
        X : sequences
            Input data, in any form that the class docstring lists.

        Returns
        -------
        predictions : list of n_members predictions
            Probabilities, of classes or of the next token, as `predict_proba` returns them; otherwise the results of
            `predict`: numbers or texts.

        Examples
        --------
        >>> import numpy as np
        >>> from seqpipe import SequenceRegressor
        >>> X = np.random.default_rng(0).normal(size=(50, 8, 1))
        >>> model = SequenceRegressor(n_members=3, hidden_size=8, max_epochs=5, random_state=0).fit(X, X[:, 0, 0])
        >>> members = model.member_predictions(X)
        >>> np.std(members, axis=0).shape
        (50,)
        >>> bool(np.allclose(np.mean(members, axis=0), model.predict(X), atol=1e-6))
        True
        """
        check_is_fitted(self)
        name = "predict_proba" if hasattr(self, "predict_proba") else "predict"
        return self._of_members(lambda member: getattr(member, name)(X))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if state.get("members_"):
            state.pop("_net_state", None)  # it is that of the first member
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        members = state.get("members_") or []
        if not isinstance(members, list) or any(type(member) is not type(self) for member in members):
            raise ValueError(f"The state of a {type(self).__name__} has members of another type.")
        super().__setstate__(state)
        if members:
            self._check_parameters()
            self.net_ = members[0].net_


def _train_member(
    member: EnsembleEstimator,
    data: TrainingData,
    listeners: _MemberListeners,
    keeper: Keeper | None,
    number: int,
    stop: threading.Event,
) -> None:
    own = None if keeper is None else keeper.of_member(number, stop.is_set)
    try:
        member._train_networks(data, check_random_state(member.random_state), listeners, own)
    finally:
        if own is not None:
            own.close()


#: Fitted attributes that describe a single network.
_OF_NETWORK = ("net_", "history_", "compile_seconds_", "device_", "n_iter_", "n_parameters_", "_sizes")


class _MemberListeners(SilentListeners):
    """Ends the fit of a network when that of the ensemble ends, and notifies the callbacks of one of them."""

    def __init__(self, stop: threading.Event, notified: FitListeners) -> None:
        super().__init__()
        self._stop = stop
        self._notified = notified

    def epoch(self, record: Mapping[str, Any], *, replayed: bool = False) -> bool:
        """Return whether a callback requests to stop the fit of this network, or that of the ensemble has ended."""
        return self._notified.epoch(record, replayed=replayed) or self._stop.is_set()


class _FirstListeners(_MemberListeners):
    """Notifies the callbacks of the ensemble, which predicts by its first network in the meantime."""

    def __init__(
        self, stop: threading.Event, notified: FitListeners, ensemble: EnsembleEstimator, first: EnsembleEstimator
    ) -> None:
        super().__init__(stop, notified)
        self._ensemble = ensemble
        self._first = first

    def epoch(self, record: Mapping[str, Any], *, replayed: bool = False) -> bool:
        """Notify the callbacks; return whether the fit of the first network ends."""
        with _shown_as(self._ensemble, self._first):
            return super().epoch(record, replayed=replayed)


@contextmanager
def _shown_as(ensemble: EnsembleEstimator, network: EnsembleEstimator) -> Iterator[None]:
    """Let an ensemble in training have the fitted attributes of one of its networks in this context."""
    names = (*_OF_NETWORK, "members_")
    before = {name: ensemble.__dict__[name] for name in names if name in ensemble.__dict__}
    ensemble.__dict__.update({name: network.__dict__[name] for name in names if name in network.__dict__})
    try:
        yield
    finally:
        for name in names:
            ensemble.__dict__.pop(name, None)
        ensemble.__dict__.update(before)
