"""`RecurrentEstimator`: a scikit-learn estimator that holds a skorch net."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from typing import Any, ClassVar, Self

from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import PARTIAL_FIT
from seqpipe.estimators._cells import cell_factory
from seqpipe.estimators._listeners import FitListeners, listened_fit, with_callbacks
from seqpipe.estimators._net_params import NetParams, check_net_params, own_callbacks
from seqpipe.estimators._seeded import seeded
from seqpipe.estimators._state import check_state, net_state, restore_weights
from seqpipe.estimators._trained import TrainedEstimator
from seqpipe.estimators._user_warning import frames_to_user
from seqpipe.networks import limited_size
from seqpipe.recurrence import check_engine, engine_or_unroll, warn_of_unroll
from seqpipe.recurrence.wrappers import check_wrappers
from seqpipe.saved import ArrayOf, Entries, Items, Nothing, Plain, Record, Schema, TextOf, Whole, is_writing, optional
from seqpipe.training import (
    Samples,
    check_optimizer_params,
    check_schedule,
    check_schedule_params,
    device_or_cpu,
    find_optimizer,
)

__all__ = ["OPTIONS", "RecurrentEstimator"]

#: Options of cells, wrappers and losses that a file may contain: names and numbers of moderate size.
OPTIONS = optional(Entries(Plain(longest_text=100, largest=100_000), most=100))


class RecurrentEstimator(TrainedEstimator):
    """Base class of all estimators with a network of their own: `fit`, checks of parameters, and persistence.

    A subclass defines the network and its arguments, the criterion and the objective; its `_fit` passes samples to
    `_train`.
    """

    _saved: ClassVar[dict[str, Schema]] = {
        "_net_state": Record(
            {"module": Entries(ArrayOf("fiub")), "batch_size": Whole(1)},
            {"optimizer": Entries(Plain()), "optimizer_kind": Items(TextOf(most=100), most=10)},
        ),
        "_sizes": Entries(Whole(), most=100),
        "cell_params": OPTIONS,
        "checkpoint": Nothing(),
        "lr_schedule_params": OPTIONS,
        "net_params": optional(NetParams()),
        "num_layers": Whole(1, 10_000),
        "wrappers": optional(Items(Plain(longest_text=100, largest=100_000), most=100)),
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # ---- fit

    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit to X and y.

        Parameters
        ----------
        X : samples
            Training data, in any form that the class docstring lists.
        y : targets
            Targets, in any form that the class docstring lists; required.
        sample_weight : array of shape (n_samples,), optional
            Weight of each sample in the loss. With one target per time step, also weights of time steps: an array of
            shape (n_samples, n_timesteps), or a list of arrays of shape (n_timesteps,); a time step of weight 0 is
            excluded.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid.
        """
        return self._listened_fit(X, y, sample_weight, partial=False)

    @with_callbacks
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Continue training for one epoch at a constant learning rate.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. The encoding of targets, such as their scale or vocabulary, is determined in the first call.

        Returns
        -------
        self : estimator
            The fitted estimator.
        """
        return self._listened_fit(X, y, sample_weight, partial=True)

    def _listened_fit(self, X: Any, y: Any, sample_weight: Any, *, partial: bool, **known: Any) -> Self:
        """Fit, and notify callbacks; ``known`` are additional arguments of a subclass's `_fit`."""
        task, n_epochs = (PARTIAL_FIT, None) if partial else ("fit", self._known_epochs())
        with listened_fit(self, X, y, task=task, n_epochs=n_epochs) as listeners:
            self._fit(X, y, sample_weight, listeners, partial=partial, **known)
        return self

    @abstractmethod
    def _fit(self, X: Any, y: Any, sample_weight: Any, listeners: FitListeners, *, partial: bool) -> None:
        """Check parameters and data, set what predictions depend on, and train."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def _validate_params(self) -> None:
        super()._validate_params()
        check_engine(engine_or_unroll(self.engine, self.unroll), owner=type(self).__name__)
        check_wrappers(self.wrappers)
        find_optimizer(self.optimizer, owner=type(self).__name__)
        check_schedule(self.lr_schedule, owner=type(self).__name__)

    def _check_parameters(self) -> None:
        self._validate_params()
        owner = type(self).__name__
        check_net_params(self)
        self._truncation()
        cell_factory(self.cell, self.cell_params, owner=owner)

    def _known_epochs(self) -> int | None:
        """Return the number of epochs of a fit, if it does not depend on the data."""
        return self.max_epochs if isinstance(self.max_epochs, int) else None

    def _begin(self, partial: bool) -> bool:
        """Check the parameters; return whether the fit continues from the current weights, which are deleted if not."""
        self._check_parameters()
        owner = type(self).__name__
        own_callbacks(self.net_params, owner=owner)  # before training: none is created to predict
        if self.unroll is not None:
            warn_of_unroll(self.unroll, owner=owner, stacklevel=frames_to_user())
        check_optimizer_params(find_optimizer(self.optimizer, owner=owner), self.net_params, owner=owner)
        check_schedule_params(self.lr_schedule, self.lr_schedule_params, owner=owner)
        goes_on = self._continues(partial)
        if not goes_on:
            self.__dict__.pop("net_", None)  # a fit that fails must not leave an old net with new labels
        return goes_on

    # ---- diagnostics

    def as_samples(self, X: Any, y: Any = None) -> Samples:
        """Return data in the form that `fit` passes to the network, such as for `seqpipe.diagnostics`.

        Parameters
        ----------
        X, y
            As in `fit`. If y is None, the samples have no targets; where texts are written, the predictions are the targets.

        Returns
        -------
        samples : Samples
            Samples for the methods of ``net_``. Time steps without a target have weight 0.
        """
        check_is_fitted(self)
        return self._samples_of(X, y)

    @abstractmethod
    def _samples_of(self, X: Any, y: Any) -> Samples:
        """Return `as_samples` of a fitted estimator."""

    # ---- persistence

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Return the default values of the parameters, for estimators saved before some of them existed."""
        parameters = inspect.signature(cls).parameters.values()
        return {each.name: each.default for each in parameters if each.default is not each.empty}

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if is_writing():
            state["checkpoint"] = None
        net = state.pop("net_", None)
        if net is not None:
            state["_net_state"] = {**net_state(net), "batch_size": int(net.batch_size)}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        kept = state.pop("_net_state", None)
        check_state(self, state)
        super().__setstate__({**self._defaults(), **state})
        if kept is None:
            return
        self._check_parameters()  # a file may contain any values
        self._sizes = {str(name): int(size) for name, size in self._sizes.items()}
        self.device_ = device_or_cpu(self.device_)
        with seeded(0, self.device_), limited_size(kept["module"]):
            self.net_ = self._make_net_to_predict(self._sizes, self.device_, int(kept["batch_size"]))
        restore_weights(self.net_, kept)
