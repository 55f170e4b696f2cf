"""The base of transformers that apply others to the features of sequences and join the results per time step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin, clone
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import CallbackSupportMixin
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.saved import Inert, Items, Schema, TextOf
from seqpipe.sequences import Sequences, Windows
from seqpipe.transformers._input import SequenceInput
from seqpipe.transformers._join import joined, picked
from seqpipe.transformers._no_data_frame import NoDataFrameMixin
from seqpipe.transformers._part import fit_part, transform_part

__all__ = ["Part", "SequenceComposition"]

#: A name, a transformer and the indices of the features that it is applied to.
Part = tuple[str, Any, NDArray[np.int64]]


class SequenceComposition(
    NoDataFrameMixin,
    CallbackSupportMixin,  # type: ignore[call-arg]
    SequenceInput,
    TransformerMixin,
    _BaseComposition,
    auto_wrap_output_keys=None,
):
    """Base class: subclasses define which features each transformer is applied to.

    A transformer of sequences gets them; any other transformer of scikit-learn gets one row per time step.
    """

    _saved: ClassVar[dict[str, Schema]] = {"_names_out": Items(TextOf()), "transformers_": Items(Inert())}
    transformers: list[Any]
    transformers_: list[Part]
    _names_out: list[str]

    @abstractmethod
    def _given(self, X: Sequences | Windows) -> Iterator[Part]:
        """Yield the unfitted parts for the features of X."""

    # ---- nested parameters

    @property
    def _named(self) -> list[tuple[str, Any]]:
        """The pairs of a name and a transformer in ``transformers``, for get_params and set_params."""
        return [(name, transformer) for name, transformer, *_ in self.transformers]

    @_named.setter
    def _named(self, pairs: list[tuple[str, Any]]) -> None:
        self.transformers = [
            (*pair, *features) for pair, (_, _, *features) in zip(pairs, self.transformers, strict=True)
        ]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, including those of the transformers as ``name__parameter``."""
        params: dict[str, Any] = self._get_params("_named", deep=deep)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, replace a transformer by its name, or set one of its parameters by ``name__parameter``."""
        if "transformers" in params:
            self.transformers = params.pop("transformers")
        self._set_params("_named", **params)
        return self

    # ---- fit and transform

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit all transformers to sequences X of any kind; y is passed to those of sequences."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit all transformers, and return the joined sequences."""
        self._validate_names([name for name, _ in self._named])
        found = self._sequences(X, reset=True)
        fitted: list[Part] = []
        results, names_out = [], []
        for name, transformer, features in self._kept(found):
            own = clone(transformer, safe=False)
            result, names = fit_part(own, picked(found, features), self._names_of(features), y)
            fitted.append((name, own, features))
            results.append(result)
            names_out += [f"{name}__{each}" for each in names]
        self.transformers_, self._names_out = fitted, names_out
        return self._output(X, found, results)

    def transform(self, X: Any) -> Any:
        """Return the joined sequences, of the kind of X: an array for an array of three dimensions.

        Raises
        ------
        InvalidSequencesError
            If a transformer changes the number of time steps.
        """
        check_is_fitted(self)
        found = self._sequences(X, reset=False)
        results = [transform_part(own, picked(found, features)) for _, own, features in self.transformers_]
        return self._output(X, found, results)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Return the names of the joined features, ``name__feature``; the argument is ignored."""
        check_is_fitted(self)
        return np.array(self._names_out, dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "transformers_")

    def _sequences(self, X: Any, *, reset: bool) -> Sequences | Windows:
        found = self._check_input(X, reset=reset)
        if isinstance(found, np.ndarray):
            raise InvalidSequencesError(
                f"X of {type(self).__name__} must be sequences. Got a table of shape {found.shape} instead: X[:, :, None] "
                "has one feature per time step, and scikit-learn's FeatureUnion and ColumnTransformer are for tables."
            )
        return found

    def _names_of(self, features: NDArray[np.int64]) -> list[str]:
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)])
        return [str(names[i]) for i in features]

    def _kept(self, X: Sequences | Windows) -> list[Part]:
        """Return the unfitted parts that are not dropped."""
        parts = [part for part in self._given(X) if not (isinstance(part[1], str) and part[1] == "drop")]
        for name, transformer, _ in parts:
            if isinstance(transformer, str) and transformer != "passthrough":
                raise InvalidSequencesError(
                    f"The transformer {name!r} of {type(self).__name__} must be a transformer, 'drop' or "
                    f"'passthrough'. Got {transformer!r} instead."
                )
        if not parts:
            raise InvalidSequencesError(f"{type(self).__name__} drops all features. Keep at least one.")
        return parts

    def _output(self, X: Any, found: Sequences | Windows, results: list[Sequences | Windows]) -> Any:
        labelled = {name: result for (name, _, _), result in zip(self.transformers_, results, strict=True)}
        named = self._names_out if found.feature_names is not None else None
        result = joined(found, labelled, named, owner=type(self).__name__)
        if isinstance(result, Sequences) and getattr(X, "ndim", 1) > 2:
            return result.values.reshape(len(result), -1, result.n_features)
        return result
