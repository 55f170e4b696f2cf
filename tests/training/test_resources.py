"""The device a fit runs on, and its peak memory; GPUs that are not there are played by a faked report."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from seqpipe.training import _resources, peak_memory_mib, reset_peak_memory, resolve_device


def with_gpus(monkeypatch: pytest.MonkeyPatch, n: int, current: int = 0) -> None:
    """Let torch report ``n`` GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: current)
    monkeypatch.setattr(_resources, "_is_usable", lambda device: device.type in ("cpu", "cuda"))


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpus(monkeypatch, 0)
    assert resolve_device("auto") == "cpu"


def test_auto_is_the_current_gpu_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpus(monkeypatch, 4, current=2)
    assert resolve_device("auto") == "cuda:2"


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0", "cuda:1"])
def test_a_device_that_is_there_is_taken_as_it_is_named(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    with_gpus(monkeypatch, 2)
    assert resolve_device(device) == device


@pytest.mark.parametrize(("device", "n"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1), ("cuda:7", 2)])
def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, device: str, n: int) -> None:
    with_gpus(monkeypatch, n)
    words = f"device={device!r}, but torch sees {n} CUDA devices here. Use device='auto' or 'cpu'"
    with pytest.raises(ValueError, match=re.escape(words)):
        resolve_device(device)


@pytest.mark.parametrize("device", ["gpu", "", "cuda:-1", "cuda:x", "CPU"])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(ValueError, match="'device' parameter must be 'auto' or a torch device such as 'cpu'"):
        resolve_device(device)


def test_a_device_that_holds_no_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="device='meta', but torch cannot compute on it here"):
        resolve_device("meta")


def test_the_peak_of_a_process_is_what_it_holds() -> None:
    reset_peak_memory("cpu")
    before = peak_memory_mib("cpu")
    assert 20 < before < 1e6
    assert peak_memory_mib("cpu") >= before


def test_the_peak_of_a_gpu_is_its_own_since_the_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: asked.append(("reset", device)))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: asked.append(("peak", device)) or 3 * 2**20)
    reset_peak_memory("cuda:1")
    assert peak_memory_mib("cuda:1") == 3
    assert asked == [("reset", "cuda:1"), ("peak", "cuda:1")]


@pytest.mark.parametrize(("platform", "unit"), [("linux", 2**10), ("darwin", 1)])
def test_the_systems_unit_of_memory_is_known(monkeypatch: pytest.MonkeyPatch, platform: str, unit: int) -> None:
    class Usage:
        ru_maxrss = 5 * 2**20 // unit

    monkeypatch.setattr("resource.getrusage", lambda who: Usage)
    monkeypatch.setattr(_resources.sys, "platform", platform)
    assert peak_memory_mib("cpu") == 5
