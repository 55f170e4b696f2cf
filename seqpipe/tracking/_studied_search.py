"""The searches of optuna-integration, whose trials are those of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sklearn.base import clone
from sklearn.metrics import check_scoring

from seqpipe.tracking._fingerprint import DataSet, fingerprint
from seqpipe.tracking._params import as_text, scalar_params
from seqpipe.tracking._search import SearchResults

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["StudiedSearch", "results_of_study"]

#: User attributes of a trial that are scores of a candidate.
_SCORES = ("mean_test_score", "std_test_score")


@dataclass(frozen=True)
class StudiedSearch:
    """What is known of a search by its objective.

    Attributes
    ----------
    estimator : estimator
        The one that is searched.
    data : DataSet or None
        The data on which candidates are evaluated.
    scoring : dict
        The parameter "scoring", unless it is the default.
    """

    estimator: Any
    data: DataSet | None
    scoring: dict[str, str]

    @classmethod
    def of(cls, objective: Any, data_name: str) -> StudiedSearch | None:
        """Return the search that an objective belongs to; None if it was written by the user."""
        if not type(objective).__module__.startswith("optuna_integration."):
            return None
        try:
            estimator, X, y, scorer = objective.estimator, objective.X, objective.y, objective.scoring
        except AttributeError:  # in another version
            return None
        given, default = as_text(scorer), as_text(check_scoring(estimator))
        return cls(estimator, fingerprint(X, y, name=data_name), {} if given == default else {"scoring": given})

    def is_refit(self, estimator: Any, params: dict[str, Any]) -> bool:
        """Return whether an estimator is that which the search fits at its end, with the best ``params``."""
        try:
            expected = clone(self.estimator).set_params(**params)
        except ValueError:
            return False
        return type(expected) is type(estimator) and scalar_params(expected) == scalar_params(estimator)


def results_of_study(study: Study) -> SearchResults:
    """Return the scores of the complete trials of a study with one objective."""
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    numbers = [trial.number for trial in complete]
    scores = [{name: value for name, value in trial.user_attrs.items() if name in _SCORES} for trial in complete]
    return SearchResults(
        params=[{name: as_text(value) for name, value in trial.params.items()} for trial in complete],
        candidates=scores,
        folds=[[] for _ in complete],
        best_score=None,
        best=numbers.index(study.best_trial.number),
    )
