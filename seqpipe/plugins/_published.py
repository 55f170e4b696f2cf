"""Names provided by distributions of the same project, so that an error can name the one to install."""

from __future__ import annotations

__all__ = ["PUBLISHED", "published_by"]

#: Names by distribution and kind.
PUBLISHED: dict[str, dict[str, tuple[str, ...]]] = {
    "seqpipe-anomaly": {
        "dataset": ("vibrations",),
        "task": ("anomaly",),
    },
    "seqpipe-classic": {
        "cell": (
            "antisymmetric",
            "clockwork",
            "coupled_lstm",
            "echo_state",
            "indrnn",
            "layer_norm_lstm",
            "mgu",
            "narx",
            "peephole_lstm",
            "unitary",
        ),
    },
    "seqpipe-conv": {
        "cell": ("convgru", "convlstm"),
    },
    "seqpipe-ctc": {
        "dataset": ("tones",),
        "loss": ("ctc_of_steps",),
        "metric": ("label_error_rate", "sequence_accuracy"),
        "task": ("ctc",),
    },
    "seqpipe-delta": {
        "cell": ("delta_net", "gated_delta_net", "rwkv7"),
    },
    "seqpipe-linear": {
        "cell": ("lru", "min_lstm", "rg_lru", "s5", "sru"),
    },
    "seqpipe-torchrecurrent": {
        "cell": (
            "torchrecurrent_antisymmetricrnn",
            "torchrecurrent_atr",
            "torchrecurrent_br",
            "torchrecurrent_cfn",
            "torchrecurrent_cornn",
            "torchrecurrent_dsgu",
            "torchrecurrent_fastgrnn",
            "torchrecurrent_fastrnn",
            "torchrecurrent_gatedantisymmetricrnn",
            "torchrecurrent_indrnn",
            "torchrecurrent_intersectionrnn",
            "torchrecurrent_janet",
            "torchrecurrent_lem",
            "torchrecurrent_lightru",
            "torchrecurrent_ligru",
            "torchrecurrent_mclstm",
            "torchrecurrent_mgu",
            "torchrecurrent_minimalrnn",
            "torchrecurrent_miru1",
            "torchrecurrent_miru2",
            "torchrecurrent_multiplicativelstm",
            "torchrecurrent_mut1",
            "torchrecurrent_mut2",
            "torchrecurrent_mut3",
            "torchrecurrent_nas",
            "torchrecurrent_nbr",
            "torchrecurrent_originallstm",
            "torchrecurrent_peepholelstm",
            "torchrecurrent_ran",
            "torchrecurrent_reslstm",
            "torchrecurrent_scrn",
            "torchrecurrent_sgrn",
            "torchrecurrent_sgu",
            "torchrecurrent_star",
            "torchrecurrent_taugru",
            "torchrecurrent_tgru",
            "torchrecurrent_tlstm",
            "torchrecurrent_trnn",
            "torchrecurrent_ugrnn",
            "torchrecurrent_unicornn",
            "torchrecurrent_wmclstm",
        ),
    },
    "seqpipe-xlstm": {
        "cell": ("mlstm", "slstm"),
    },
}


def published_by(kind: str, name: object) -> str | None:
    """Return the distribution that provides a name; None if there is none."""
    return next((distribution for distribution, kinds in PUBLISHED.items() if name in kinds.get(kind, ())), None)
