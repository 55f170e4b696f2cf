"""Device reports; GPUs are simulated by objects with the interfaces of torch and NVML."""

from types import SimpleNamespace

import pytest

from seqpipe.tracking import DeviceReport, describe_device

GIB = 2**30


class NVMLError(Exception):
    pass


class Nvml(SimpleNamespace):
    """Two GPUs, of which the second is busy; they are found by UUID only."""

    NVMLError = NVMLError

    def nvmlInit(self):
        self.asked = []

    def nvmlDeviceGetHandleByUUID(self, uuid):
        self.asked.append(uuid)
        if uuid not in ("GPU-aaaa", "GPU-bbbb"):
            raise NVMLError("not found")
        return uuid

    def nvmlDeviceGetUtilizationRates(self, handle):
        return SimpleNamespace(gpu=93 if handle == "GPU-bbbb" else 0)


def make_cuda(uuid="bbbb"):
    properties = SimpleNamespace(name="Big GPU", total_memory=80 * GIB, uuid=uuid)
    return SimpleNamespace(
        current_device=lambda: 1,
        get_device_properties=lambda number: {1: properties}[number],
        max_memory_allocated=lambda number: {1: 3 * GIB}[number],
    )


@pytest.mark.parametrize("device", ["cuda:1", "cuda"])
def test_a_gpu_is_named_with_its_memory_and_utilisation(device):
    report = describe_device(device, cuda=make_cuda(), nvml=Nvml())
    assert report == DeviceReport("cuda:1", "Big GPU", 80 * 1024, 3 * 1024, 93.0)


def test_only_the_used_gpu_is_looked_at():
    nvml = Nvml()
    describe_device("cuda:1", cuda=make_cuda(), nvml=nvml)
    assert nvml.asked == ["GPU-bbbb"]


def test_a_gpu_that_the_driver_does_not_show_has_no_utilisation():
    report = describe_device("cuda:1", cuda=make_cuda("cccc"), nvml=Nvml())
    assert (report.peak_memory_mib, report.utilisation_percent) == (3 * 1024, None)


def test_a_gpu_report_becomes_tags_and_metrics():
    report = describe_device("cuda:1", cuda=make_cuda(), nvml=Nvml())
    assert report.tags() == {
        "device": "cuda:1",
        "device.name": "Big GPU",
        "device.total_memory_mib": "81920",
    }
    assert report.metrics() == {"device_peak_memory_mib": 3072.0, "device_utilisation_percent": 93.0}


def test_a_cpu_has_a_name_only():
    report = describe_device("cpu")
    assert report.name
    assert report == DeviceReport("cpu", report.name)
    assert report.metrics() == {}


def test_a_fit_on_a_gpu_puts_the_report_into_its_runs(net, data, make_tracker, runs, monkeypatch):
    def describe(device):
        return describe_device("cuda:1", cuda=make_cuda(), nvml=Nvml())

    monkeypatch.setattr("seqpipe.tracking._task_events.describe_device", describe)
    net().set_callbacks(make_tracker()).fit(*data)

    (run,) = runs()
    assert run.data.tags["seqpipe.device.name"] == "Big GPU"
    assert run.data.metrics["device_utilisation_percent"] == 93.0


def test_a_report_that_fails_does_not_stop_the_fit(net, data, make_tracker, runs, monkeypatch):
    def describe(device):
        raise RuntimeError("driver is gone")

    monkeypatch.setattr("seqpipe.tracking._task_events.describe_device", describe)
    with pytest.warns(UserWarning, match="not recorded: RuntimeError: driver is gone"):
        net().set_callbacks(make_tracker()).fit(*data)
    assert runs()[0].info.status == "FINISHED"
