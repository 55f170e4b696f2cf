"""The command of the MLflow interface, and the newest experiment."""

import pytest

from seqpipe.exceptions import TrackingError
from seqpipe.tracking import MLflowTracker, newest_experiment, ui_command


def test_the_interface_serves_the_store_on_loopback(uri, client):
    command, environment = ui_command(tracking_uri=uri, port=5001)
    assert command[1:4] == ["-m", "mlflow", "server"]
    assert command[command.index("--backend-store-uri") + 1] == uri
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "5001"
    assert environment["PATH"]


def test_the_interface_needs_a_store(tmp_path):
    with pytest.raises(TrackingError, match="There are no runs yet"):
        ui_command(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("foo://x", "The tracking store 'foo://x' cannot be used"),
        ("http://127.0.0.1:1", "is a server: open that address in a browser"),
        ("postgresql://127.0.0.1:1/runs", "cannot be used .*Connection refused"),
    ],
)
def test_a_store_that_cannot_be_served_is_told_before_a_server_starts(uri, match):
    with pytest.raises(TrackingError, match=match):
        ui_command(tracking_uri=uri)


def test_the_newest_experiment_is_that_of_the_last_run(net, data, uri):
    for name in ("one", "two", "one"):
        net().set_callbacks(MLflowTracker(name, tracking_uri=uri, log_model=False)).fit(*data)
    assert newest_experiment(uri) == "one"
