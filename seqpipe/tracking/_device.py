"""The processor or GPU that a fit ran on."""

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
        As torch calls it: "cpu", "cuda:0".
    name : str
        The processor's or the GPU's model.
    total_memory_mib : float or None
        Memory of the GPU, in MiB.
    peak_memory_mib : float or None
        Most memory that torch held on the GPU in this process, in MiB.
    utilisation_percent : float or None
        Share of the last second in which the GPU computed; None without nvidia-ml-py.
    """

    device: str
    name: str
    total_memory_mib: float | None = None
    peak_memory_mib: float | None = None
    utilisation_percent: float | None = None

    def tags(self) -> dict[str, str]:
        """Return what the device is, as a run's tags."""
        tags = {"device": self.device, "device.name": self.name}
        if self.total_memory_mib is not None:
            tags["device.total_memory_mib"] = f"{self.total_memory_mib:.0f}"
        return tags

    def metrics(self) -> dict[str, float]:
        """Return how it was used, as a run's metrics."""
        used = {
            "device_peak_memory_mib": self.peak_memory_mib,
            "device_utilisation_percent": self.utilisation_percent,
        }
        return {name: value for name, value in used.items() if value is not None}


def describe_device(device: str, *, cuda: Any = None, nvml: Any = None) -> DeviceReport:
    """Return what is known of a device that this process computes on.

    Parameters
    ----------
    device : str
        As torch calls it: "cpu", "cuda:0". Other GPUs of the host are not looked at.
    cuda : module, optional
        Stands in for ``torch.cuda``.
    nvml : module, optional
        Stands in for ``pynvml``.
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
    """Ask the driver about one GPU by its identity: its number there ignores CUDA_VISIBLE_DEVICES."""
    if nvml is None:
        return None
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}")
        return float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except nvml.NVMLError:
        return None
