"""The states of recurrent layers, recorded during a run."""

import pytest
import torch

from seqpipe import GRUCell, LSTMCell, Recurrent, RNNCell
from seqpipe.recurrence import recorded_states


def stacked(states):
    return torch.stack(states, dim=1)


def test_the_states_of_a_causal_layer_are_its_outputs():
    gru, x = Recurrent(GRUCell(3, 5)), torch.randn(4, 7, 3)
    with recorded_states(gru) as runs:
        outputs, last = gru(x)
    torch.testing.assert_close(stacked(runs[0].states[0][1:]), outputs, rtol=0, atol=0)
    torch.testing.assert_close(runs[0].states[0][-1], last[0], rtol=0, atol=0)


def test_recording_changes_no_output():
    lstm, x = Recurrent(LSTMCell(3, 5), num_layers=2, bidirectional=True), torch.randn(4, 7, 3)
    lengths = [7, 2, 1, 5]
    before, _ = lstm(x, lengths)
    with recorded_states(lstm):
        during, _ = lstm(x, lengths)
    torch.testing.assert_close(during, before, rtol=1e-5, atol=1e-6)


def test_nothing_is_left_of_the_recording():
    gru = Recurrent(GRUCell(3, 5), engine="unrolled")
    with pytest.raises(RuntimeError, match="in the midst"), recorded_states(gru):
        raise RuntimeError("in the midst")
    assert gru.engine == "unrolled"
    assert "step" not in vars(gru.cells[0])
    with recorded_states(gru) as runs:
        pass
    gru(torch.zeros(2, 3, 3))
    assert runs == []


def test_the_derivative_by_a_recorded_state_is_the_chain_rules():
    torch.manual_seed(0)
    rnn, x = Recurrent(RNNCell(2, 3)).double(), torch.randn(1, 4, 2, dtype=torch.float64)
    with recorded_states(rnn) as runs:
        outputs, _ = rnn(x)
    states = runs[0].states[0]
    given = torch.autograd.grad(outputs[0, -1, 0], states)
    expected = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    for t in range(4, -1, -1):
        torch.testing.assert_close(given[t], expected, rtol=0, atol=1e-14)
        expected = (expected * (1 - states[t] ** 2)) @ rnn.cells[0].weight_hh


def test_the_state_before_the_first_step_has_a_derivative():
    gru = Recurrent(GRUCell(3, 5))
    with recorded_states(gru) as runs:
        outputs, _ = gru(torch.randn(2, 4, 3))
    [gradient] = torch.autograd.grad(outputs.sum(), runs[0].states[0][0])
    assert gradient.abs().min() > 0


def test_a_call_that_goes_on_from_a_state_belongs_to_the_same_run():
    gru, x = Recurrent(GRUCell(3, 5)), torch.randn(2, 6, 3)
    with recorded_states(gru) as whole:
        gru(x)
    with recorded_states(gru) as parts:
        _, state = gru(x[:, :4])
        gru(x[:, 4:], state=state)
    assert len(parts) == 1
    assert parts[0].lengths.tolist() == [6, 6]
    torch.testing.assert_close(stacked(parts[0].states[0]), stacked(whole[0].states[0]))


def test_a_call_from_the_start_is_a_run_of_its_own():
    gru = Recurrent(GRUCell(3, 5))
    with recorded_states(gru) as runs:
        gru(torch.zeros(2, 6, 3))
        gru(torch.zeros(3, 4, 3), [4, 1, 2])
    assert [run.lengths.tolist() for run in runs] == [[6, 6], [4, 1, 2]]
