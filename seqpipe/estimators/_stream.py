"""Online prediction: streams of predictions on a sequence whose time steps arrive one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import _check_feature_names
from torch import Tensor

from seqpipe.estimators._running import RunningPooling, running_pooling
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.networks import Patching
from seqpipe.sequences import as_numbers, familiar_item, last_names
from seqpipe.training import SequenceNet

__all__ = ["EnsembleStream", "SequenceStream", "StepStream", "Stream"]


class Stream(ABC):
    """Base class of streams, which predict on one sequence while its time steps arrive.

    Streams are created by the method ``stream`` of an estimator. They store the recurrent state instead of the time
    steps, and each step has the same cost. A stream keeps using the net with which it was created; create a new one
    after the estimator is fitted again.

    Attributes
    ----------
    n_steps : int
        Number of time steps since the beginning or the last `reset`.
    """

    n_steps: int

    @abstractmethod
    def reset(self) -> None:
        """Reset the state; the next time step begins a new sequence."""

    @abstractmethod
    def push(self, steps: Any) -> Any:
        """Process the next time steps, of shape (n_features,) or (n_timesteps, n_features)."""


class EnsembleStream(Stream):
    """Stream of an ensemble: predictions from the average over its networks.

    Parameters
    ----------
    streams : list of Stream
        Streams of the networks' outputs.
    average : callable
        Function that maps a list of outputs (n_rows, n_outputs) to their average.
    finish : callable
        Function that maps outputs (n_rows, n_outputs) to predictions.
    """

    def __init__(
        self,
        streams: list[Stream],
        average: Callable[[list[NDArray[Any]]], NDArray[Any]],
        finish: Callable[[NDArray[Any]], NDArray[Any]],
    ) -> None:
        self._streams = streams
        self._average = average
        self._finish = finish
        self.n_steps = 0

    def reset(self) -> None:
        """Reset the state; the next time step begins a new sequence."""
        self.n_steps = 0
        for stream in self._streams:
            stream.reset()

    def push(self, steps: Any) -> Any:
        """Process the next time steps; return the result of the networks' streams, averaged.

        Parameters
        ----------
        steps : array of shape (n_features,) or (n_timesteps, n_features)
            One or several consecutive time steps; a data frame, or a row of one, with the feature names of fit.

        Raises
        ------
        InvalidSequencesError
            If the steps have an invalid shape or are not finite; the stream is then left unchanged.
        ValueError
            If names of features are not those of fit, in the same order; the stream is then left unchanged.
        """
        outputs = [stream.push(steps) for stream in self._streams]
        self.n_steps = self._streams[0].n_steps
        predictions = self._finish(self._average([np.atleast_2d(each) for each in outputs]))
        return predictions[0] if outputs[0].ndim == 1 else predictions


class _NetStream(Stream):
    """Base class of streams of one network.

    Parameters
    ----------
    net : SequenceNet
        Fitted unidirectional net.
    offset : array of shape (n_features,), or None
        What is subtracted from each feature before the cast to the network's type.
    feature_names : array of str, shape (n_features,), or None
        Names of the features in fit, which those of frames must match.

    Raises
    ------
    ValueError
        If the net is bidirectional or standardizes each sequence, and requires the end of a sequence for its first output.
    """

    def __init__(
        self, net: SequenceNet, offset: NDArray[np.float64] | None, feature_names: NDArray[Any] | None
    ) -> None:
        self._offset = offset
        self.feature_names_in_ = feature_names
        self._network: Any = net.module_.eval()  # a SequenceNetwork or a StepNetwork
        if self._network.recurrent.bidirectional:
            raise ValueError(
                "A bidirectional net processes sequences from their end and does not support streams. Fit with "
                "bidirectional=False."
            )
        if getattr(self._network, "scaling", None) is not None:
            raise ValueError(
                "A net that standardizes each sequence needs all of its steps and does not support streams. Fit with "
                "scale_inputs=True."
            )
        self._like = next(self._network.parameters())
        self._n_features = int(net.module__n_features)
        self._n_tokens: int | None = None if net.module__embedding is None else int(net.module__n_tokens)
        self._dtype = np.dtype(str(self._like.dtype).removeprefix("torch."))
        self.reset()

    def reset(self) -> None:
        """Reset the state; the next time step begins a new sequence."""
        self.n_steps = 0
        self._state: Any = None

    def _counted(self, x: NDArray[Any]) -> Tensor:
        """Count validated steps; return them as a batch (1, n_timesteps, n_features)."""
        self.n_steps += len(x)
        return torch.from_numpy(x)[None].to(self._like.device)

    def _check(self, steps: Any) -> NDArray[Any]:
        n_features = self._n_features
        given, steps = steps, familiar_item(steps, "steps")
        self._check_names(given, steps)
        x = as_numbers([steps] if _is_number(steps) else steps, "steps")
        found = x.shape
        x = x[None] if x.ndim == 1 else x
        if x.ndim != 2 or x.shape[1] != n_features or not len(x):
            raise InvalidSequencesError(
                f"push expects one time step of shape ({n_features},), or at least one in an array of shape "
                f"(n_timesteps, {n_features}). Got shape {found} instead."
            )
        if not np.isfinite(x).all():
            step, column = np.argwhere(~np.isfinite(x))[0]
            raise InvalidSequencesError(
                f"The steps contain NaN or infinity: step {self.n_steps + step}, feature {column}. Fill it in before "
                "push."
            )
        if self._n_tokens is not None:
            self._check_tokens(x, self._n_tokens)
        return self._as_input(x)

    def _check_names(self, given: Any, steps: Any) -> None:
        """Raise scikit-learn's error unless names that come with the steps are those of fit; arrays have none."""
        names = (
            getattr(steps, "columns", getattr(steps, "index", None)) if hasattr(steps, "iloc") else last_names(given)
        )
        if self.feature_names_in_ is not None and names is not None and all(isinstance(name, str) for name in names):
            _check_feature_names(self, pd.DataFrame(columns=list(names)), reset=False)

    def _as_input(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return finite steps in the network's type; the offset is subtracted before, in float64."""
        with np.errstate(over="ignore"):  # overflow raises an error below
            found: NDArray[Any] = (x if self._offset is None else x - self._offset).astype(self._dtype)
        if not np.isfinite(found).all():
            step, column = np.argwhere(~np.isfinite(found))[0]
            raise InvalidSequencesError(
                f"The steps contain a value that is too large for {self._dtype}, in which it is infinity: step "
                f"{self.n_steps + step}, feature {column}. Rescale it as in fit."
            )
        return found

    def _check_tokens(self, x: NDArray[Any], n_tokens: int) -> None:
        wrong = np.flatnonzero((x < 0) | (x != np.floor(x)) | (x >= n_tokens))
        if len(wrong):
            raise InvalidSequencesError(
                f"push expects token numbers from 0 to {n_tokens - 1}, as in fit. Got {x[wrong[0], 0]} at step "
                f"{self.n_steps + wrong[0]}. Map unknown tokens to one of the training data."
            )


def _is_number(step: Any) -> bool:
    """Return whether a time step of one feature is given as a number."""
    return isinstance(step, Real) or getattr(step, "shape", None) == ()


class SequenceStream(_NetStream):
    """Stream of predictions for the sequence so far, created by `SequenceClassifier` and `SequenceRegressor`.

    Parameters
    ----------
    net : SequenceNet
        Fitted unidirectional net.
    finish : callable
        Function that maps the network's outputs (1, n_outputs) to predictions.
    offset : array of shape (n_features,), optional
        What is subtracted from each feature before the cast to the network's type.
    feature_names : array of str, shape (n_features,), optional
        Names of the features in fit, which those of frames must match.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import SequenceRegressor
    >>> X = np.random.default_rng(0).normal(size=(100, 12, 1))
    >>> model = SequenceRegressor(hidden_size=8, max_epochs=2, random_state=0).fit(X, X.sum(axis=(1, 2)))
    >>> stream = model.stream()
    >>> for step in X[0]:
    ...     so_far = stream.push(step)
    >>> bool(np.isclose(so_far, model.predict(X[:1])[0], atol=1e-5))
    True
    """

    def __init__(
        self,
        net: SequenceNet,
        finish: Callable[[NDArray[Any]], NDArray[Any]],
        offset: NDArray[np.float64] | None = None,
        feature_names: NDArray[Any] | None = None,
    ) -> None:
        self._finish = finish
        super().__init__(net, offset, feature_names)

    def reset(self) -> None:
        """Reset the state; the next time step begins a new sequence."""
        super().reset()
        self._pooling: RunningPooling = running_pooling(self._network.pooling)
        #: Outputs of the input layer from the first step of the next patch on, (1, n_timesteps, n_features), if any.
        self._next: Tensor | None = None

    def push(self, steps: Any) -> Any:
        """Process the next time steps; return the prediction for the sequence so far.

        Parameters
        ----------
        steps : array of shape (n_features,) or (n_timesteps, n_features)
            One or several consecutive time steps; a data frame, or a row of one, with the feature names of fit.

        Returns
        -------
        prediction : object
            The prediction of the estimator's method for the sequence so far.

        Raises
        ------
        InvalidSequencesError
            If the steps have an invalid shape or are not finite; the stream is then left unchanged.
        ValueError
            If names of features are not those of fit, in the same order; the stream is then left unchanged.
        """
        x = self._check(steps)
        with torch.inference_mode():
            inputs = self._network.input(self._counted(x))
            logits = self._network.head(self._pooled(inputs)).cpu().numpy()
        return self._finish(logits)[0]

    def _pooled(self, inputs: Tensor) -> Tensor:
        """Process the outputs of the input layer for the next steps; return the pooled outputs so far."""
        patching: Patching | None = self._network.patching
        if patching is None:
            return self._pooling.update(self._advance(inputs))
        waiting = inputs if self._next is None else torch.cat([self._next, inputs], dim=1)
        n_whole = max(0, (waiting.shape[1] - patching.length) // patching.stride + 1)
        self._next = waiting[:, n_whole * patching.stride :].clone()  # a view would keep all
        patches, _ = patching(waiting)
        pooled = self._pooling.update(self._advance(patches[:, :n_whole])) if n_whole else None
        if patches.shape[1] == n_whole:
            assert pooled is not None  # there is at least one patch
            return pooled
        # The last patch is incomplete, and replaced when more steps arrive.
        outputs, _ = self._network.recurrent(patches[:, n_whole:], None, self._state)
        return copy(self._pooling).update(outputs)

    def _advance(self, inputs: Tensor) -> Tensor:
        """Run the recurrent layers on their next inputs (1, n_inputs, n_features); return their outputs."""
        outputs: Tensor
        outputs, self._state = self._network.recurrent(inputs, None, self._state)
        return outputs


class StepStream(_NetStream):
    """Stream of predictions at each time step, created by `StepClassifier` and `StepRegressor`.

    Parameters
    ----------
    net : SequenceNet
        Fitted unidirectional net.
    finish : callable
        Function that maps the network's outputs (n_timesteps, n_outputs) to predictions.
    offset : array of shape (n_features,), optional
        What is subtracted from each feature before the cast to the network's type.
    feature_names : array of str, shape (n_features,), optional
        Names of the features in fit, which those of frames must match.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import StepRegressor
    >>> X = np.random.default_rng(0).normal(size=(60, 12, 1))
    >>> model = StepRegressor(hidden_size=8, max_epochs=2, random_state=0).fit(X, X.cumsum(axis=1)[:, :, 0])
    >>> stream = model.stream()
    >>> one_by_one = [stream.push(step) for step in X[0]]
    >>> bool(np.allclose(one_by_one, model.predict(X[:1])[0], atol=1e-5))
    True
    """

    def __init__(
        self,
        net: SequenceNet,
        finish: Callable[[NDArray[Any]], NDArray[Any]],
        offset: NDArray[np.float64] | None = None,
        feature_names: NDArray[Any] | None = None,
    ) -> None:
        self._finish = finish
        super().__init__(net, offset, feature_names)

    def push(self, steps: Any) -> Any:
        """Process the next time steps; return the prediction at each.

        Parameters
        ----------
        steps : array of shape (n_features,) or (n_timesteps, n_features)
            One or several consecutive time steps; a data frame, or a row of one, with the feature names of fit. Of an
            estimator with ``patch``, their number must be a multiple of the stride, since a prediction depends on the later time steps of its patch.

        Returns
        -------
        prediction : object or array
            The prediction at the step; an array with one entry per step if ``steps`` has two dimensions.

        Raises
        ------
        InvalidSequencesError
            If the steps have an invalid shape, are not finite or end within a patch; the stream is then left unchanged.
        ValueError
            If names of features are not those of fit, in the same order; the stream is then left unchanged.
        """
        x = self._check(steps)
        with torch.inference_mode():
            outputs, self._state = self._network.advance(self._counted(x), None, self._state)
            predictions = self._finish(outputs[0].cpu().numpy())
        return predictions[0] if np.ndim(steps) < 2 else predictions

    def _check(self, steps: Any) -> NDArray[Any]:
        x = super()._check(steps)
        patching: Patching | None = self._network.patching
        if patching is not None and len(x) % patching.stride:
            raise InvalidSequencesError(
                f"push expects a multiple of {patching.stride} time steps, since patch=({patching.length}, "
                f"{patching.stride}) predicts {patching.stride} time steps at once. Got {len(x)}. Collect time steps "
                "before push, or fit with patch=None. Only predict takes a sequence that ends within a patch."
            )
        return x
