"""Networks for each kind of task: encoder and head, encoder–decoder, captioning, language modelling."""

from seqpipe.networks._attention import ATTENTIONS
from seqpipe.networks._average import AveragedLanguage, averaged_logits
from seqpipe.networks._beam import Hypotheses, beam_search
from seqpipe.networks._caption import CaptionNetwork
from seqpipe.networks._decoding import WritingNetwork
from seqpipe.networks._encoder_decoder import EncoderDecoder
from seqpipe.networks._inputs import StandardisedInput
from seqpipe.networks._language import LanguageNetwork
from seqpipe.networks._limited_size import limited_size
from seqpipe.networks._members import join_members
from seqpipe.networks._patching import Patching
from seqpipe.networks._pooling import AttentionPooling, LastMeanPooling, LastPooling, MaxPooling, MeanPooling, Pooling
from seqpipe.networks._sequence import SequenceNetwork
from seqpipe.networks._sequence_scaling import SequenceScaling
from seqpipe.networks._steps import StepNetwork
from seqpipe.networks._token_decoder import END

__all__ = [
    "AttentionPooling",
    "LastMeanPooling",
    "LastPooling",
    "MaxPooling",
    "MeanPooling",
    "Pooling",
    "ATTENTIONS",
    "AveragedLanguage",
    "CaptionNetwork",
    "END",
    "EncoderDecoder",
    "Hypotheses",
    "LanguageNetwork",
    "Patching",
    "SequenceNetwork",
    "SequenceScaling",
    "StandardisedInput",
    "StepNetwork",
    "WritingNetwork",
    "averaged_logits",
    "beam_search",
    "join_members",
    "limited_size",
]
