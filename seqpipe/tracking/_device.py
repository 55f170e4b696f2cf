"""Describe the processor or GPU that a fit ran on."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["DeviceReport", "cpu_model", "describe_device"]

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """A device and how it was used.

    Attributes
    ----------
    device : str
        Its name in torch, such as "cpu" or "cuda:0".
    name : str
        Model of the processor or GPU.
    total_memory_mib : float or None
        Memory of the GPU, in MiB.
    peak_memory_mib : float or None
        Peak memory that torch allocated on the GPU in this process, in MiB.
    utilisation_percent : float or None
        Share of the last second in which the GPU was busy; None without nvidia-ml-py.
    """

    device: str
    name: str
    total_memory_mib: float | None = None
    peak_memory_mib: float | None = None
    utilisation_percent: float | None = None

    def tags(self) -> dict[str, str]:
        """Return the description of the device as tags of a run."""
        tags = {"device": self.device, "device.name": self.name}
        if self.total_memory_mib is not None:
            tags["device.total_memory_mib"] = f"{self.total_memory_mib:.0f}"
        return tags

    def metrics(self) -> dict[str, float]:
        """Return its usage as metrics of a run."""
        used = {
            "device_peak_memory_mib": self.peak_memory_mib,
            "device_utilisation_percent": self.utilisation_percent,
        }
        return {name: value for name, value in used.items() if value is not None}


def describe_device(device: str, *, cuda: Any = None, nvml: Any = None) -> DeviceReport:
    """Describe a device that this process uses.

    Parameters
    ----------
    device : str
        Its name in torch, such as "cpu" or "cuda:0". Other GPUs of the host are ignored.
    cuda : module, optional
        Replaces ``torch.cuda``.
    nvml : module, optional
        Replaces ``pynvml``.
    """
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return DeviceReport(device, cpu_model() if kind == "cpu" else kind)
    cuda = cuda or _torch_cuda()
    number = int(index) if index else cuda.current_device()
    properties = cuda.get_device_properties(number)
    return DeviceReport(
        device=f"cuda:{number}",
        name=properties.name,
        total_memory_mib=properties.total_memory / _MIB,
        peak_memory_mib=cuda.max_memory_allocated(number) / _MIB,
        utilisation_percent=_utilisation(str(properties.uuid), nvml or _nvml()),
    )


@cache
def cpu_model() -> str:
    """Return the processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _torch_cuda() -> Any:
    from torch import cuda

    return cuda


def _nvml() -> Any:
    try:
        import pynvml  # optional: seqpipe[gpu]
    except ImportError:
        return None
    return pynvml


def _utilisation(uuid: str, nvml: Any) -> float | None:
    """Ask the driver for the utilisation of a GPU by its UUID: the driver's index ignores CUDA_VISIBLE_DEVICES."""
    if nvml is None:
        return None
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}")
        return float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except nvml.NVMLError:
        return None
