"""A short trial fit that shows whether a classifier overfits, and the default of early stopping that depends on it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from sklearn.utils import check_random_state

from seqpipe.estimators._constant import constant_loss
from seqpipe.estimators._listeners import FitListeners, SilentListeners
from seqpipe.estimators._pooled import PooledEstimator
from seqpipe.estimators._seeded import seeded
from seqpipe.estimators._trained import TrainingData
from seqpipe.saved import Flag, Schema
from seqpipe.sequences import Windows
from seqpipe.training import Samples, StopTraining

__all__ = ["TrialEstimator"]

#: Numbers of sequences with a trial: of fewer none can be spared, and more are not memorised in the usual epochs.
_FEWEST, _MOST = 200, 5000
#: Share of the epochs that a trial takes, and the fewest updates that show whether a network has learned.
_SHARE, _UPDATES = 0.35, 150
#: A network overfits if its validation loss is at least this share of that of a constant prediction, and its training
#: loss at most this share of the validation loss: else it has not learned yet.
_WEAK, _GAP = 0.75, 0.95


class TrialEstimator(PooledEstimator):
    """Base class of classifiers of sequences, which decide by a trial fit whether to stop early."""

    _saved: ClassVar[dict[str, Schema]] = {"_overfits": Flag()}

    def _stops_early(self, samples: Samples) -> bool:
        return getattr(self, "_overfits", False) if self.early_stopping == "auto" else super()._stops_early(samples)

    def _try_out(self, data: TrainingData, listeners: FitListeners) -> None:
        self._overfits: bool = (
            self.early_stopping == "auto"
            and self._can_try(data.samples)
            and self._trial_overfits(data, SilentListeners(listeners))
        )

    def _tried(self) -> dict[str, Any]:
        return {"_overfits": getattr(self, "_overfits", False)}

    def _can_try(self, samples: Samples) -> bool:
        known = "criterion" not in (self.net_params or {})  # outputs of others mean other things
        spared = _FEWEST <= len(samples) <= _MOST and not isinstance(samples.X, Windows)
        n_batches = -(-len(samples) // self._samples_per_batch(samples))
        return known and spared and n_batches * self._trial_epochs(samples) >= _UPDATES

    def _trial_epochs(self, samples: Samples) -> int:
        return math.ceil(_SHARE * self._n_epochs(samples))

    def _trial_overfits(self, data: TrainingData, listeners: SilentListeners) -> bool:
        """Return whether a network trained for some epochs has learned, but hardly what generalizes."""
        trial = self._member(self.random_state, {})
        trial.__dict__.update(early_stopping=True, n_iter_no_change=self._n_epochs(data.samples) + 1, verbose=0)
        trial.max_epochs = self._trial_epochs(data.samples)
        trial.net_params = {name: value for name, value in (self.net_params or {}).items() if name != "callbacks"}
        fit = trial._planned(data, check_random_state(self.random_state))
        assert fit.validation is not None
        with seeded(fit.seed, fit.device) as turn:
            net, epochs = trial._prepare_net(fit, data, listeners, turn)
            try:
                net.train(fit.train, fit.validation, epochs)
            except StopTraining:  # it diverged, as the fit may
                return False
        constant = constant_loss(net, fit.validation, self._constant_outputs(fit.train))
        trained, validated = net.history[-1, ("train_loss", "valid_loss")]
        return bool(validated >= _WEAK * constant and trained <= _GAP * validated)
