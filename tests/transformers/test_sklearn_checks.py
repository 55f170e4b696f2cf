"""scikit-learn's own checks of the transformers, without exemption."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from seqpipe.transformers import PadSequences, SequenceScaler


@parametrize_with_checks(
    [
        SequenceScaler(),
        SequenceScaler("minmax"),
        SequenceScaler("robust"),
        PadSequences(),
        PadSequences(1, truncating="pre"),
        PadSequences(9, padding="pre", pad_value=-1.0),
    ]
)
def test_a_transformer_passes_every_check_of_scikit_learn(estimator, check):
    check(estimator)
