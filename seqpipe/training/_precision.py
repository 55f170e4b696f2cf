"""Mixed precision: what of a training step runs in bfloat16."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["autocast", "check_precision"]


def autocast(enabled: bool, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which torch computes in bfloat16 what loses nothing by it, or, if not enabled, in full precision.

    bfloat16 has float32's range, so gradients need no scaling.
    """
    if not enabled and not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def check_precision(mixed_precision: bool, dtype: str, device: str) -> None:
    """Refuse mixed precision where it would have no meaning, or no hardware.

    Raises
    ------
    ValueError
        If dtype is "float64", or the device does not compute in bfloat16.
    """
    if not mixed_precision:
        return
    if dtype != "float32":
        raise ValueError(
            f"mixed_precision=True computes in bfloat16 and float32, but dtype={dtype!r} asks for more. Set one of them back."
        )
    kind = torch.device(device).type
    if kind == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.amp.is_autocast_available(kind)
    if not able:
        raise ValueError(
            f"mixed_precision=True, but the device {device!r} does not compute in bfloat16. Set it to False."
        )
