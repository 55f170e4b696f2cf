"""Checkpoints made by an enemy."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe.exceptions import CheckpointError, CheckpointWarning
from seqpipe.training import CheckpointFolder


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def forge(folder: Path, payload: bytes) -> None:
    """Write a checkpoint with a valid digest."""
    folder.mkdir()
    head = b"seqpipe checkpoint 1\n" + hashlib.sha256(payload).hexdigest().encode() + b"\n"
    (folder / "00000001.checkpoint").write_bytes(head + payload)


def zipped(state: Any, path: Path) -> bytes:
    torch.save(state, path)
    return path.read_bytes()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["pickle", "zip"])
def test_a_pickle_with_a_valid_digest_is_not_executed(form: str, tmp_path: Path) -> None:
    payload = Payload(tmp_path / "marker")
    forge(tmp_path / "fit", pickle.dumps(payload) if form == "pickle" else zipped(payload, tmp_path / "payload"))
    folder = CheckpointFolder(tmp_path / "fit", 2)
    try:
        with pytest.warns(CheckpointWarning, match="is damaged"), pytest.raises(CheckpointError, match="can be read"):
            folder.newest()
    finally:
        folder.close()
    assert not (tmp_path / "marker").exists()


def test_the_payload_does_run_when_it_is_unpickled(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "marker")))
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("state", [[1, 2], {"facts": None}, {"versions": 3}], ids=str)
def test_a_state_of_another_form_is_damaged(state: Any, tmp_path: Path) -> None:
    forge(tmp_path / "fit", zipped(state, tmp_path / "payload"))
    folder = CheckpointFolder(tmp_path / "fit", 2)
    try:
        with pytest.warns(CheckpointWarning, match="is damaged"), pytest.raises(CheckpointError, match="can be read"):
            folder.newest()
    finally:
        folder.close()
