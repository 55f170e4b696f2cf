"""Recurrent cells, each defined by a single time step."""

from seqpipe.cells._cell import Cell, State, recurrent_init_
from seqpipe.cells._gru import GRUCell
from seqpipe.cells._lstm import LSTMCell
from seqpipe.cells._min_gru import MinGRUCell
from seqpipe.cells._mlp import MLPCell
from seqpipe.cells._rnn import RNNCell

__all__ = ["Cell", "GRUCell", "LSTMCell", "MLPCell", "MinGRUCell", "RNNCell", "State", "recurrent_init_"]
