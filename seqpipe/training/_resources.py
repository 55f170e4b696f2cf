"""The device of a fit and its peak memory."""

from __future__ import annotations

import sys

import psutil
import torch

__all__ = ["device_or_cpu", "peak_memory_mib", "reset_peak_memory", "resolve_device"]


def resolve_device(device: str) -> str:
    """Return the device to use: "auto" is the current GPU if torch sees one, else the CPU.

    Raises
    ------
    ValueError
        If the device is unknown or not available.
    """
    if device == "auto":
        return f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"The 'device' parameter must be 'auto' or a torch device such as 'cpu' or 'cuda:0'. Got {device!r} instead."
        ) from error
    if kind.type == "cuda" and not (torch.cuda.is_available() and (kind.index or 0) < torch.cuda.device_count()):
        raise ValueError(
            f"device={device!r}, but torch sees {torch.cuda.device_count()} CUDA devices here. Use device='auto' or 'cpu', "
            "or install a torch built for this machine's GPU."
        )
    if not _is_usable(kind):
        raise ValueError(f"device={device!r}, but torch cannot compute on it here. Use device='auto' or 'cpu'.")
    return device


def device_or_cpu(device: str) -> str:
    """Return the device if it is available, else "cpu", for nets fitted on another machine."""
    try:
        return resolve_device(device)
    except ValueError:
        return "cpu"


def _is_usable(device: torch.device) -> bool:
    """Return whether torch can compute on a device: it accepts the names of many that are not available."""
    try:
        return float(torch.ones((), device=device)) == 1
    except (RuntimeError, AssertionError):  # NotImplementedError is a RuntimeError
        return False


def reset_peak_memory(device: str) -> None:
    """Reset the peak memory of a GPU; that of the process cannot be reset."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mib(device: str) -> float:
    """Return the peak memory in MiB: allocated on the GPU since the reset, or resident in this process since its start."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
