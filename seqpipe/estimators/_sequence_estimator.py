"""`SequenceEstimator`: the base of classifiers and regressors of sequences."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from seqpipe.estimators._cells import network_settings
from seqpipe.estimators._constant import ConstantComparisonMixin, target_rows
from seqpipe.estimators._declared import Group, fitted, parameter
from seqpipe.estimators._ensemble import EnsembleEstimator
from seqpipe.estimators._input import check_X
from seqpipe.estimators._parameters import (
    BidirectionalParameter,
    EmbeddingParameter,
    InitialStateParameter,
)
from seqpipe.estimators._scaled_inputs import ScaledInputsMixin
from seqpipe.estimators._stream import EnsembleStream, Stream
from seqpipe.estimators.targets import TargetCodec
from seqpipe.plugins import host
from seqpipe.saved import Flag, Instance, Items, Schema, Whole, optional
from seqpipe.sequences import Sequences, Windows
from seqpipe.training import Samples

__all__ = ["SequenceEstimator"]


class SequenceEstimator(
    ConstantComparisonMixin,
    ScaledInputsMixin,
    EmbeddingParameter,
    InitialStateParameter,
    BidirectionalParameter,
    EnsembleEstimator,
):
    """Base class of classifiers and regressors of sequences.

    A layout, one target per sequence or per time step, is combined with a mixin that chooses the codec of the targets.
    """

    head: str = parameter(
        default="linear",
        constraint=[str],
        type="str",
        description='Output layer: "linear", or the head of a plug-in.',
        group=Group.NETWORK,
    )
    early_stopping: bool | str = parameter(
        default="auto",
        constraint=["boolean", StrOptions({"auto"})],
        type='bool or "auto"',
        description=(
            "Whether to hold out validation data, stop when the validation loss stops improving, and restore the best "
            'moving average of the weights. "auto" does so where sequences can be spared, except of `Windows`: with a '
            "target per time step, from 100 sequences on; with numbers per sequence, from 200 on; with labels per "
            "sequence, if a short trial fit to 200 to 5000 of them is hardly better than a constant prediction."
        ),
        group=Group.TRAINING,
    )

    n_features_in_: int = fitted(
        "int", "Number of features per time step; number of time steps if X was of shape (n_samples, n_timesteps)."
    )

    _saved: ClassVar[dict[str, Schema]] = {
        "_codec": Instance(TargetCodec),
        "_takes_table": Flag(),
        "element_shape_": optional(Items(Whole(1), most=10)),
        "n_tokens_": Whole(1),
    }

    #: The possible codecs of a fitted estimator.
    _codecs: ClassVar[tuple[type[TargetCodec], ...]]

    @staticmethod
    @abstractmethod
    def _codec_for(n_targets: int) -> type[TargetCodec]:
        """Return the class of codec for a given number of columns of y."""

    @abstractmethod
    def _learn(
        self, values: NDArray[Any], weight: NDArray[Any] | None, seen: NDArray[Any], *, goes_on: bool, ndim: int
    ) -> None:
        """Set ``_codec`` from the targets to train on and their weights; ``seen`` also has targets without a loss."""

    def _check_range(self, values: NDArray[Any], X: Sequences | Windows, *, goes_on: bool) -> None:
        """Raise an error if a target does not fit the network's type, and warn if it rounds them; labels always fit."""

    @abstractmethod
    def _target_weights(
        self, values: NDArray[Any], weight: NDArray[Any] | None
    ) -> Callable[[NDArray[Any]], NDArray[Any]] | None:
        """Return a function that maps targets to weights, or None if weights do not depend on targets."""

    @abstractmethod
    def _answer(self, X: Any, finish: Callable[[NDArray[Any]], NDArray[Any]]) -> Any:
        """Return the predictions that ``finish`` makes from the network's outputs for X."""

    @abstractmethod
    def _score(self, X: Any, y: Any, sample_weight: Any) -> float:
        """Return the score of the network's outputs for X."""

    def _stream(self, finish: Callable[[NDArray[Any]], NDArray[Any]]) -> Stream:
        """Return a stream whose predictions ``finish`` makes from the outputs, averaged over the networks."""
        if not self.members_:
            return self._stream_of_net(finish)
        return EnsembleStream(
            self._of_members(lambda each: each._stream_of_net(lambda outputs: outputs)), self._codec.average, finish
        )

    @property
    def _names_of_steps(self) -> NDArray[Any] | None:
        """Names of the features of a time step, if X had any in fit; the columns of a table are time steps."""
        return None if self._takes_table else getattr(self, "feature_names_in_", None)

    @abstractmethod
    def _stream_of_net(self, finish: Callable[[NDArray[Any]], NDArray[Any]]) -> Stream:
        """Return a stream whose predictions ``finish`` makes from the network's outputs."""

    def _selected_steps(self, samples: Samples) -> NDArray[np.bool_] | None:
        """Return a mask of the steps that contribute to the loss, if there is one target per time step."""
        return None

    def _constant_outputs(self, train: Samples) -> NDArray[np.float64]:
        return self._codec.constant(*target_rows(train, self._selected_steps(train)))

    def _criterion_settings(self) -> dict[str, Any]:
        params = self._codec.criterion_params()
        dtype = getattr(torch, self.dtype)
        return {
            "criterion": self._codec.criterion,
            **{f"criterion__{name}": value.to(dtype) for name, value in params.items()},
        }

    def _check_input(self, X: Any, *, reset: bool) -> Sequences | Windows:
        """Validate X; return it in the network's type."""
        found = check_X(self, X, reset=reset)
        return self._as_inputs(found, reset=reset) if self.embedding is None else found.astype(self.dtype)

    def _input_sizes(self, X: Sequences | Windows) -> dict[str, int]:
        """Return the arguments of the network that depend on the data."""
        tokens = {} if self.embedding is None else {"n_tokens": int(self.n_tokens_)}
        return {"n_features": int(X.n_features), "n_outputs": self._codec.n_outputs, **tokens}

    def _validate_params(self) -> None:
        super()._validate_params()
        host().find("head", self.head, parameter=f"The 'head' parameter of {type(self).__name__}")

    def _can_join(self) -> bool:
        return self.head == "linear" and super()._can_join()

    def _network_settings(self) -> dict[str, Any]:
        return {**network_settings(self), "head": self.head}

    def __setstate__(self, state: dict[str, Any]) -> None:
        codec = state.get("_codec")
        fits = isinstance(codec, self._codecs) and state["_sizes"]["n_outputs"] == codec.n_outputs
        if "_net_state" in state and not fits:
            raise ValueError(f"The state of a {type(self).__name__} has no target codec that matches its network.")
        super().__setstate__(state)
