"""Preprocessing of series and sequences: windows and their splits, scaling, padding, tokenization."""

from seqpipe.transformers._column_transformer import SequenceColumnTransformer
from seqpipe.transformers._cut import cut_texts, cut_windows
from seqpipe.transformers._pad import PadSequences
from seqpipe.transformers._scale import SequenceScaler
from seqpipe.transformers._split import WindowSplit
from seqpipe.transformers._texts import (
    FORMS,
    LEVELS,
    Form,
    Level,
    Text,
    Token,
    as_texts,
    is_blank,
    is_texts,
    join_tokens,
    normalized,
    split_text,
)
from seqpipe.transformers._tokenize import TOKEN, TokenizeTexts
from seqpipe.transformers._union import SequenceUnion, sequence_union
from seqpipe.transformers._vocabulary import SPECIAL, Vocabulary
from seqpipe.transformers._windows import make_windows

__all__ = [
    "FORMS",
    "LEVELS",
    "SPECIAL",
    "TOKEN",
    "Form",
    "Level",
    "PadSequences",
    "SequenceColumnTransformer",
    "SequenceScaler",
    "SequenceUnion",
    "Text",
    "Token",
    "TokenizeTexts",
    "Vocabulary",
    "WindowSplit",
    "as_texts",
    "cut_texts",
    "cut_windows",
    "is_blank",
    "is_texts",
    "join_tokens",
    "make_windows",
    "normalized",
    "sequence_union",
    "split_text",
]
