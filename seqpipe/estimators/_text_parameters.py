"""The parameters of estimators that read or write texts, each with its default."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions

from seqpipe.estimators._declared import DeclaredEstimator, Group, parameter
from seqpipe.transformers import FORMS, LEVELS, Form, Level

__all__ = ["TokenParameters", "UnknownTokenParameters", "WritingParameters"]


class TokenParameters(DeclaredEstimator):
    """How texts are split into tokens."""

    level: Level = parameter(
        default="char",
        constraint=[StrOptions(set(LEVELS))],
        type='{"char", "word", "token"}',
        description="What a token is: a character, a word between white space, or an item of each list.",
        group=Group.DATA,
    )
    normalize: Form | None = parameter(
        default="NFC",
        constraint=[StrOptions(set(FORMS)), None],
        type='{"NFC", "NFD", "NFKC", "NFKD"} or None',
        description=(
            'Unicode normalization form of texts before they are split, so that "é" is the same token as "e" with a combining '
            "accent; None leaves texts as they are."
        ),
        group=Group.DATA,
    )


class UnknownTokenParameters(DeclaredEstimator):
    """What happens to tokens that the training data does not have, or rarely has."""

    unknown: str = parameter(
        default="error",
        constraint=[StrOptions({"error", "token"})],
        type='{"error", "token"}',
        description=(
            "How tokens of X that were not seen in ``fit`` are handled: by an error with their position, or as one token for "
            "unknown tokens, which is never generated."
        ),
        group=Group.DATA,
    )
    min_count: int = parameter(
        default=1,
        constraint=[Interval(Integral, 1, None, closed="left")],
        type="int",
        description=(
            'Tokens of X that occur less often in ``fit`` are unknown; a value above 1 requires ``unknown="token"`` and trains '
            "that token."
        ),
        group=Group.DATA,
    )


class WritingParameters(DeclaredEstimator):
    """How texts are written, in training and in prediction."""

    scheduled_sampling: float = parameter(
        default=0.0,
        constraint=[Interval(Real, 0, 1, closed="both")],
        type="float",
        description=(
            "Fraction of the true previous tokens that are replaced, in training, by tokens of the decoder (Bengio et al., "
            "2015, arXiv:1506.03099), drawn in a first pass over the whole target (Mihaylova and Martins, 2019, "
            "arXiv:1906.07651); 0 is teacher forcing."
        ),
        group=Group.TRAINING,
    )
    max_length: str | int = parameter(
        default="auto",
        constraint=[StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        type='int or "auto"',
        description='Maximum number of tokens of a prediction; "auto" is 1.5 times the longest target of the training data.',
        group=Group.PREDICTION,
    )
    beam_width: int = parameter(
        default=1,
        constraint=[Interval(Integral, 1, None, closed="left")],
        type="int",
        description=(
            "Number of candidates in beam search; 1 takes the most probable token at each step. Like ``max_length`` and "
            "``length_penalty`` it may be set after ``fit``."
        ),
        group=Group.PREDICTION,
    )
    length_penalty: float = parameter(
        default=0.0,
        constraint=[Interval(Real, 0, None, closed="left")],
        type="float",
        description=(
            "Values above 0 favor longer texts: scores are divided by ((5 + n) / 6)^length_penalty, n being the number of "
            "tokens with the end (Wu et al., 2016, arXiv:1609.08144)."
        ),
        group=Group.PREDICTION,
    )
