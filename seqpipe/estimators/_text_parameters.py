"""Parameters of estimators for texts, with their defaults."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions

from seqpipe.estimators._declared import DeclaredEstimator, Group, parameter
from seqpipe.transformers import FORMS, LEVELS, Form, Level

__all__ = ["TokenParameters", "UnknownTokenParameters", "WritingParameters"]


class TokenParameters(DeclaredEstimator):
    """Tokenization of texts."""

    level: Level = parameter(
        default="char",
        constraint=[StrOptions(set(LEVELS))],
        type='{"char", "word", "token"}',
        description="Tokens are characters, words separated by whitespace, or the items of lists.",
        group=Group.DATA,
    )
    normalize: Form | None = parameter(
        default="NFC",
        constraint=[StrOptions(set(FORMS)), None],
        type='{"NFC", "NFD", "NFKC", "NFKD"} or None',
        description=(
            'Unicode normalization form that is applied before texts are split, so that "é" is the same token as "e" '
            "with a combining accent; None disables normalization."
        ),
        group=Group.DATA,
    )


class UnknownTokenParameters(DeclaredEstimator):
    """Handling of unknown and rare tokens."""

    unknown: str = parameter(
        default="error",
        constraint=[StrOptions({"error", "token"})],
        type='{"error", "token"}',
        description=(
            "How tokens of X that were not seen in ``fit`` are handled: they raise an error with their position, or "
            "are mapped to a token for unknown tokens, which is never generated."
        ),
        group=Group.DATA,
    )
    min_count: int = parameter(
        default=1,
        constraint=[Interval(Integral, 1, None, closed="left")],
        type="int",
        description=(
            "Tokens of X that occur less often in ``fit`` are treated as unknown; a value above 1 requires "
            '``unknown="token"`` and trains that token.'
        ),
        group=Group.DATA,
    )


class WritingParameters(DeclaredEstimator):
    """Generation of texts, in training and in prediction."""

    scheduled_sampling: float = parameter(
        default=0.0,
        constraint=[Interval(Real, 0, 1, closed="both")],
        type="float",
        description=(
            "Fraction of the true previous tokens that are replaced in training by tokens sampled from the decoder "
            "(Bengio et al., 2015, arXiv:1506.03099) in a first pass over the whole target (Mihaylova and Martins, "
            "2019, arXiv:1906.07651); 0 is teacher forcing."
        ),
        group=Group.TRAINING,
    )
    max_length: str | int = parameter(
        default="auto",
        constraint=[StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        type='int or "auto"',
        description=(
            'Maximum number of tokens of a prediction; "auto" is 1.5 times the length of the longest training target.'
        ),
        group=Group.PREDICTION,
    )
    beam_width: int = parameter(
        default=1,
        constraint=[Interval(Integral, 1, None, closed="left")],
        type="int",
        description=(
            "Number of candidates in beam search; 1 is greedy search. Like ``max_length`` and ``length_penalty``, it "
            "may be changed after ``fit``."
        ),
        group=Group.PREDICTION,
    )
    length_penalty: float = parameter(
        default=0.0,
        constraint=[Interval(Real, 0, None, closed="left")],
        type="float",
        description=(
            "Values above 0 favor longer texts: scores are divided by ((5 + n) / 6)^length_penalty, where n is the "
            "number of tokens including the end-of-sequence token (Wu et al., 2016, arXiv:1609.08144)."
        ),
        group=Group.PREDICTION,
    )
