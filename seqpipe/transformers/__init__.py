"""From series and sequences to what an estimator takes: windows and their splits, scaling, padding."""

from seqpipe.transformers._cut import cut_texts, cut_windows
from seqpipe.transformers._pad import PadSequences
from seqpipe.transformers._scale import SequenceScaler
from seqpipe.transformers._split import WindowSplit
from seqpipe.transformers._texts import LEVELS, Level, Text, Token, as_texts, is_texts, join_tokens, split_text
from seqpipe.transformers._tokenize import TOKEN, TokenizeTexts
from seqpipe.transformers._vocabulary import SPECIAL, Vocabulary
from seqpipe.transformers._windows import make_windows

__all__ = [
    "LEVELS",
    "SPECIAL",
    "TOKEN",
    "Level",
    "PadSequences",
    "SequenceScaler",
    "Text",
    "Token",
    "TokenizeTexts",
    "Vocabulary",
    "WindowSplit",
    "as_texts",
    "cut_texts",
    "cut_windows",
    "is_texts",
    "join_tokens",
    "make_windows",
    "split_text",
]
