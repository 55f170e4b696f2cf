"""Which types a model may hold."""

import pytest

from seqpipe.bundle._trust import foreign_types


@pytest.mark.parametrize(
    ("name", "is_foreign"),
    [
        ("sklearn.tree._tree.Tree", True),
        ("sklearn.neighbors._kd_tree.KDTree", True),
        ("sklearn.linear_model._logistic.LogisticRegression", False),
        ("seqpipe.estimators._classifier.SequenceClassifier", False),
        ("seqpipe.cells._gru.GRUCell", False),
        ("torch.optim.sgd.SGD", False),
        ("torch.optim.swa_utils.SWALR", True),
        ("torch.hub.load", True),
        ("seqpipe.tracking._store.FileLock", True),
        ("seqpipe.tracking._writer.Writer", True),
        ("seqpipe.__main__.main", True),
        ("seqpipe.nowhere.Cell", True),
        ("seqpipe.cells._gru.GRUCell.forward", True),
        ("os.system", True),
        ("sklearn.metrics._scorer._Scorer", False),
        ("sklearn.metrics._classification.accuracy_score", False),
        ("sklearn.metrics._scorer.make_scorer", True),
    ],
)
def test_only_classes_that_hold_data_and_metrics_are_trusted(name, is_foreign):
    assert foreign_types([name]) == ([name] if is_foreign else [])
