"""The GPU table, measured on a CPU at tiny sizes."""

import gpu
import pytest
import torch


@pytest.mark.slow
def test_every_side_that_runs_here_has_a_line() -> None:
    lines = list(gpu.rows(["lstm", "MGU"], ["A"], torch.device("cpu"), 1, tiny=True))
    found = {tuple(part.strip() for part in line.split("|")[1:5]) for line in lines}
    modes, sides = ("training", "inference"), ("torch.nn", "loop", "fused", "torch")
    assert found >= {("lstm", "A", mode, side) for mode in modes for side in sides}
    assert found >= {("MGU", "A", mode, side) for mode in modes for side in ("loop", "torch")}
    assert all(line.count("|") == 8 for line in lines)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([]) == 1
    assert capsys.readouterr() == ("", "There is no GPU here: nothing is measured.\n")
