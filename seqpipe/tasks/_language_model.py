"""Language modelling: predicting the next token, and generating texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, KFold, StratifiedKFold, train_test_split

from seqpipe.estimators import LanguageModel
from seqpipe.exceptions import UnknownNameError, did_you_mean
from seqpipe.tables import Roles, TargetType, check_roles, targets_of
from seqpipe.tasks._learning import learning_curves
from seqpipe.tasks._ngrams import NgramModel
from seqpipe.tasks._parameters import configured, last_step
from seqpipe.tasks._task import Task, TaskData
from seqpipe.tasks._texts import source_texts
from seqpipe.tasks._writing import NamedSamples
from seqpipe.transformers import join_tokens

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

__all__ = ["LanguageModelTask"]

_METRICS = ("bits_per_token", "perplexity")
#: Number of generated texts, or of tokens of one long text, in a report, and the sampling temperature.
_SAMPLES, _LENGTH, _TEMPERATURE = 8, 500, 0.7


class LanguageModelTask(Task):
    """Predict the next token of texts with a `LanguageModel`; with a target column, conditioned on classes."""

    needs_target: ClassVar[bool] = False
    target_type: ClassVar[TargetType] = "labels"
    constant_baseline: ClassVar[str | None] = "token frequencies"
    constant_metrics: ClassVar[tuple[str, ...]] = ("bits_per_token",)
    reads_texts: ClassVar[bool] = True

    def from_table(self, frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool = True) -> TaskData:
        """Turn a table into texts, the sequence column, and their classes, the target column if there is one.

        Raises
        ------
        InvalidSequencesError
            If a column is missing or does not hold texts; the message names the position.
        """
        check_roles(frame, roles, name=name, with_target=with_target)
        X = source_texts(frame, roles, name=name)
        y = targets_of(frame, roles, name=name).iloc[:, 0].to_numpy() if with_target and roles.target else None
        ids = None if roles.id is None else frame[roles.id].to_numpy()
        return NamedSamples(X, y, name, roles, ids)

    def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
        """Return a `LanguageModel` with ``params``.

        Raises
        ------
        UnknownNameError
            If the estimator has no such parameter.
        """
        return configured(LanguageModel(), params, task="language_model")

    def split(self, estimator: Any, data: TaskData, *, test_size: float | int, seed: int) -> tuple[TaskData, TaskData]:
        """Hold out a shuffled fraction of the texts, or a number of them; for passages of one text, the last ones.

        Raises
        ------
        ValueError
            If there is only one text, or one side would be empty.
        """
        if len(data.X) < 2:
            raise ValueError(
                f"{data.name!r} holds one text, which cannot be split into training and held-out data: give "
                "more texts, or read a text file of several words as one long text, with 'continuous: true'."
            )
        shuffled: dict[str, Any] = {"random_state": seed, "stratify": _strata(data.y)}
        order: dict[str, Any] = {"shuffle": False} if last_step(estimator).continuous is True else shuffled
        train, test = train_test_split(np.arange(len(data.X)), test_size=test_size, **order)
        return _taken(data, train), _taken(data, test)

    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> BaseCrossValidator:
        """Return shuffled folds; for passages of one text, folds of adjacent passages."""
        if last_step(estimator).continuous is True:
            return KFold(n_splits)
        folds = KFold if data.y is None else StratifiedKFold
        return folds(n_splits, shuffle=True, random_state=seed)

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return bits_per_token, and perplexity, which is 2 ** bits_per_token; lower is better for both."""
        bits = last_step(estimator).bits_per_token(data.X, data.y)
        return {"bits_per_token": bits, "perplexity": float(2**bits)}

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the metrics of unigram and bigram models."""
        kinds = {"token frequencies": False, "pairs of tokens": True}
        model = last_step(estimator)
        counted = partial(NgramModel, model.level, ends=model.continuous is not True, normalize=model.normalize)
        models = {name: counted(pairs=pairs) for name, pairs in kinds.items()}
        return {name: self.metrics(simple.fit(train.X), test) for name, simple in models.items()}

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the learning curves."""
        return learning_curves(estimator, last_step(estimator).history_, test)

    def texts(self, estimator: Any) -> dict[str, str]:
        """Return texts generated by the model, for each class if it has classes."""
        model = last_step(estimator)
        length = _LENGTH if model.continuous is True else 10 * _LENGTH
        random = np.random.RandomState(0)  # shared by all classes, which would otherwise use the same random numbers
        shared: dict[str, Any] = {"length": length, "temperature": _TEMPERATURE, "random_state": random}
        if model.continuous is True:
            written = model.generate(**shared)
        elif model.classes_ is None:
            written = model.generate(n=_SAMPLES, **shared)
        else:
            written = [
                f"{label}: {_shown(text)}"
                for label in model.classes_.tolist()
                for text in model.generate(n=3, label=label, **shared)
            ]
        return {"samples": "\n".join(map(_shown, written))}

    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return one row per text: its ``id`` or its number from 0, the most likely next token, and bits per token."""
        model = last_step(estimator)
        following = model.predict(data.X, data.y)  # first, so that an error in a text names its number
        bits = [model.bits_per_token([text], None if data.y is None else [data.y[i]]) for i, text in enumerate(data.X)]
        ids = getattr(data, "ids", None)
        return pd.DataFrame(
            {
                "id": np.arange(len(data.X)) if ids is None else ids,
                "prediction": following,
                "bits_per_token": bits,
            }
        )

    def scorer(self, name: str | None) -> Callable[..., float] | None:
        """Return a function (estimator, X, y) -> score for the name of a metric, negated.

        Raises
        ------
        UnknownNameError
            If there is no such score.
        """
        if name is None:
            return None
        if name not in _METRICS:
            raise UnknownNameError(
                f"There is no score {name!r}.{did_you_mean(name, _METRICS)} There are {', '.join(_METRICS)}."
            )
        return _minus_bits if name == "bits_per_token" else _minus_perplexity


def _minus_bits(estimator: Any, X: Any, y: Any = None) -> float:
    return -float(estimator.bits_per_token(X, y))


def _minus_perplexity(estimator: Any, X: Any, y: Any = None) -> float:
    return -float(2 ** estimator.bits_per_token(X, y))


def _taken(data: TaskData, indices: NDArray[np.int64]) -> TaskData:
    columns = {name: getattr(data, name, None) for name in ("X", "y", "ids")}
    return replace(data, **{name: column[indices] for name, column in columns.items() if column is not None})


def _strata(y: Any) -> Any:
    """Return the classes if each has at least two texts."""
    return y if y is not None and np.unique(y, return_counts=True)[1].min() > 1 else None


def _shown(text: Any) -> str:
    return text if isinstance(text, str) else str(join_tokens(text, "word"))
