"""Mixed precision: runs the forward pass of training in bfloat16 where that is safe."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["autocast", "check_precision"]


def autocast(enabled: bool, device: torch.device) -> AbstractContextManager[object]:
    """Return a context of autocast to bfloat16, or of full precision if not enabled.

    bfloat16 has the range of float32, so gradients need no scaling.
    """
    if not enabled and not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def check_precision(mixed_precision: bool, dtype: str, device: str) -> None:
    """Check that mixed precision suits the dtype and is supported by the device.

    Raises
    ------
    ValueError
        If dtype is not "float32", or the device does not support bfloat16.
    """
    if not mixed_precision:
        return
    if dtype != "float32":
        raise ValueError(
            f"mixed_precision=True computes in bfloat16 and float32, but dtype={dtype!r}. Set mixed_precision=False or "
            "dtype='float32'."
        )
    kind = torch.device(device).type
    if kind == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.amp.is_autocast_available(kind)
    if not able:
        raise ValueError(
            f"mixed_precision=True, but the device {device!r} does not support bfloat16. Set mixed_precision=False."
        )
