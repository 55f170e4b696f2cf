"""The cells of torchrecurrent as cells for seqpipe: a class each, of the same name."""

from __future__ import annotations

import seqpipe
from seqpipe_torchrecurrent._cells import CELLS

globals().update(CELLS)

__all__ = ["seqpipe_cells", *sorted(CELLS)]

SEQPIPE_API = 1


@seqpipe.hookimpl
def seqpipe_cells() -> list[seqpipe.CellSpec]:
    """Offer the cells, as "torchrecurrent_" and the name of the class in lower case, without "Cell"."""
    return [
        seqpipe.CellSpec(
            "torchrecurrent_antisymmetricrnn",
            CELLS["AntisymmetricRNNCell"],
            summary="a stable differential equation in Euler steps",
        ),
        seqpipe.CellSpec(
            "torchrecurrent_atr", CELLS["ATRCell"], summary="addition-subtraction twin-gated recurrent network"
        ),
        seqpipe.CellSpec("torchrecurrent_br", CELLS["BRCell"], summary="bistable cell"),
        seqpipe.CellSpec("torchrecurrent_cfn", CELLS["CFNCell"], summary="chaos free network"),
        seqpipe.CellSpec("torchrecurrent_cornn", CELLS["coRNNCell"], summary="coupled oscillators"),
        seqpipe.CellSpec("torchrecurrent_dsgu", CELLS["DSGUCell"], summary="deep simple gated unit"),
        seqpipe.CellSpec(
            "torchrecurrent_fastgrnn",
            CELLS["FastGRNNCell"],
            summary="RNN with a residual connection and a gate that shares its weights",
        ),
        seqpipe.CellSpec(
            "torchrecurrent_fastrnn",
            CELLS["FastRNNCell"],
            summary="RNN with a residual connection of two scalar weights",
        ),
        seqpipe.CellSpec(
            "torchrecurrent_gatedantisymmetricrnn",
            CELLS["GatedAntisymmetricRNNCell"],
            summary="a stable differential equation in Euler steps, with an input gate",
        ),
        seqpipe.CellSpec("torchrecurrent_indrnn", CELLS["IndRNNCell"], summary="independently recurrent units"),
        seqpipe.CellSpec(
            "torchrecurrent_intersectionrnn", CELLS["IntersectionRNNCell"], summary="gated mixtures of input and state"
        ),
        seqpipe.CellSpec("torchrecurrent_janet", CELLS["JANETCell"], summary="LSTM with the forget gate alone"),
        seqpipe.CellSpec(
            "torchrecurrent_lem", CELLS["LEMCell"], summary="long expressive memory, of several time scales"
        ),
        seqpipe.CellSpec("torchrecurrent_lightru", CELLS["LightRUCell"], summary="light recurrent unit"),
        seqpipe.CellSpec("torchrecurrent_ligru", CELLS["LiGRUCell"], summary="GRU of ReLU units without a reset gate"),
        seqpipe.CellSpec(
            "torchrecurrent_mclstm",
            CELLS["MCLSTMCell"],
            summary="LSTM whose output and recurrent signal have gates of their own",
        ),
        seqpipe.CellSpec("torchrecurrent_mgu", CELLS["MGUCell"], summary="minimal gated unit"),
        seqpipe.CellSpec(
            "torchrecurrent_minimalrnn", CELLS["MinimalRNNCell"], summary="RNN that is interpreted by its latent states"
        ),
        seqpipe.CellSpec("torchrecurrent_miru1", CELLS["MiRU1Cell"], summary="minion gated unit with a reset gate"),
        seqpipe.CellSpec(
            "torchrecurrent_miru2", CELLS["MiRU2Cell"], summary="minion gated unit with two constants for gates"
        ),
        seqpipe.CellSpec(
            "torchrecurrent_multiplicativelstm",
            CELLS["MultiplicativeLSTMCell"],
            summary="LSTM with recurrent weights that depend on the input",
        ),
        seqpipe.CellSpec("torchrecurrent_mut1", CELLS["MUT1Cell"], summary="found by an evolutionary search"),
        seqpipe.CellSpec("torchrecurrent_mut2", CELLS["MUT2Cell"], summary="found by an evolutionary search"),
        seqpipe.CellSpec("torchrecurrent_mut3", CELLS["MUT3Cell"], summary="found by an evolutionary search"),
        seqpipe.CellSpec("torchrecurrent_nas", CELLS["NASCell"], summary="found by reinforcement learning"),
        seqpipe.CellSpec("torchrecurrent_nbr", CELLS["NBRCell"], summary="bistable cell with neuromodulation"),
        seqpipe.CellSpec(
            "torchrecurrent_originallstm", CELLS["OriginalLSTMCell"], summary="LSTM without a forget gate"
        ),
        seqpipe.CellSpec(
            "torchrecurrent_peepholelstm", CELLS["PeepholeLSTMCell"], summary="LSTM whose gates see the cell state"
        ),
        seqpipe.CellSpec("torchrecurrent_ran", CELLS["RANCell"], summary="recurrent additive network"),
        seqpipe.CellSpec("torchrecurrent_reslstm", CELLS["ResLSTMCell"], summary="residual LSTM"),
        seqpipe.CellSpec(
            "torchrecurrent_scrn", CELLS["SCRNCell"], summary="structurally constrained network with a slow context"
        ),
        seqpipe.CellSpec("torchrecurrent_sgrn", CELLS["SGRNCell"], summary="simple gated recurrent network"),
        seqpipe.CellSpec("torchrecurrent_sgu", CELLS["SGUCell"], summary="simple gated unit"),
        seqpipe.CellSpec("torchrecurrent_star", CELLS["STARCell"], summary="stackable recurrent cell"),
        seqpipe.CellSpec("torchrecurrent_taugru", CELLS["tauGRUCell"], summary="GRU with delayed feedback"),
        seqpipe.CellSpec("torchrecurrent_tgru", CELLS["TGRUCell"], summary="strongly typed GRU"),
        seqpipe.CellSpec("torchrecurrent_tlstm", CELLS["TLSTMCell"], summary="strongly typed LSTM"),
        seqpipe.CellSpec("torchrecurrent_trnn", CELLS["TRNNCell"], summary="strongly typed RNN"),
        seqpipe.CellSpec("torchrecurrent_ugrnn", CELLS["UGRNNCell"], summary="update gate RNN"),
        seqpipe.CellSpec("torchrecurrent_unicornn", CELLS["UnICORNNCell"], summary="undamped independent oscillators"),
        seqpipe.CellSpec(
            "torchrecurrent_wmclstm", CELLS["WMCLSTMCell"], summary="LSTM with working memory connections"
        ),
    ]
