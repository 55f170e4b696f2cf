"""The machine's processor and vector unit."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

__all__ = ["machine_kind", "processor", "vector_unit"]


@cache
def vector_unit() -> tuple[int, int]:
    """Return the bytes per vector and the number of vector registers."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return 16, 32
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux: AVX2, available on any recent x86 processor
        return 32, 16
    if " avx512f" in flags:
        return 64, 32
    return (32, 16) if " avx2" in flags else (16, 16)


@cache
def machine_kind() -> dict[str, str | int]:
    """Return what timings depend on: the processor's name, its bytes per vector, and the number of cores."""
    named = [line.partition(":")[2].strip() for line in processor().splitlines() if line.startswith("model name")]
    return {
        "processor": named[0] if named else platform.processor(),
        "vector_bytes": vector_unit()[0],
        "cores": os.cpu_count() or 1,
    }


@cache
def processor() -> str:
    """Return the name and features of the processor, which determine the code it can run."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = [platform.processor()]
    wanted = ("model name", "flags", "Features", "CPU part")
    found = {line for line in lines if line.startswith(wanted)} or set(lines[:1])
    return "\n".join([platform.machine(), *sorted(found)])
