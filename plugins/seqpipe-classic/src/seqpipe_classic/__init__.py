"""Recurrent cells of the literature for seqpipe, a file each with the equations of its paper, and echo state estimators."""

from __future__ import annotations

import seqpipe
from seqpipe_classic._antisymmetric import AntisymmetricCell
from seqpipe_classic._clockwork import ClockworkCell
from seqpipe_classic._coupled_lstm import CoupledLSTMCell
from seqpipe_classic._echo_state import EchoStateCell
from seqpipe_classic._echo_state_estimators import EchoStateClassifier, EchoStateRegressor
from seqpipe_classic._indrnn import IndRNNCell
from seqpipe_classic._layer_norm_lstm import LayerNormLSTMCell
from seqpipe_classic._mgu import MGUCell
from seqpipe_classic._narx import NARXCell
from seqpipe_classic._peephole_lstm import PeepholeLSTMCell
from seqpipe_classic._unitary import UnitaryCell

__all__ = [
    "AntisymmetricCell",
    "ClockworkCell",
    "CoupledLSTMCell",
    "EchoStateCell",
    "EchoStateClassifier",
    "EchoStateRegressor",
    "IndRNNCell",
    "LayerNormLSTMCell",
    "MGUCell",
    "NARXCell",
    "PeepholeLSTMCell",
    "UnitaryCell",
    "seqpipe_cells",
]

SEQPIPE_API = 1


@seqpipe.hookimpl
def seqpipe_cells() -> list[seqpipe.CellSpec]:
    """Offer the cells."""
    return [
        seqpipe.CellSpec("antisymmetric", AntisymmetricCell, summary="a stable differential equation in Euler steps"),
        seqpipe.CellSpec("clockwork", ClockworkCell, summary="modules that update at periods of 1, 2, 4, … steps"),
        seqpipe.CellSpec("coupled_lstm", CoupledLSTMCell, summary="LSTM with coupled input and forget gate"),
        seqpipe.CellSpec("echo_state", EchoStateCell, summary="leaky reservoir of fixed random weights"),
        seqpipe.CellSpec("indrnn", IndRNNCell, summary="independently recurrent units"),
        seqpipe.CellSpec("layer_norm_lstm", LayerNormLSTMCell, summary="LSTM with layer normalization"),
        seqpipe.CellSpec("mgu", MGUCell, summary="minimal gated unit"),
        seqpipe.CellSpec("narx", NARXCell, summary="the last inputs and its last outputs, through tapped delay lines"),
        seqpipe.CellSpec("peephole_lstm", PeepholeLSTMCell, summary="LSTM whose gates see the cell state"),
        seqpipe.CellSpec("unitary", UnitaryCell, summary="complex state under a unitary matrix"),
    ]
