"""Each wrapper against its equations, written out step by step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe.cells import Cell, GRUCell, LSTMCell, MLPCell, RNNCell
from seqpipe.exceptions import CellError
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.wrappers import Attention, Dropout, LayerNorm, Projection, Residual, Zoneout


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def run_by_hand(cell: Cell, x: Tensor, change: Any = lambda t, output, state: (output, state)) -> Tensor:
    state, outputs = cell.initial_state(len(x)), []
    for t in range(x.shape[1]):
        output, state = change(t, *cell(x[:, t], state))
        outputs.append(output)
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("activation", ["identity", "tanh", "sigmoid", "relu"])
def test_a_projection_maps_every_output_and_leaves_the_state_alone(activation: str) -> None:
    cell, x = LSTMCell(3, 5), torch.randn(2, 4, 3)
    projected = Projection(cell, 2, activation=activation)
    outputs, state = Recurrent(projected)(x)
    h, plain_state = Recurrent(cell)(x)
    y = h @ projected.output.weight.T + projected.output.bias
    expected = {"identity": y, "tanh": y.tanh(), "sigmoid": y.sigmoid(), "relu": y.clamp(min=0)}[activation]
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(state, plain_state)


def test_a_residual_is_an_identity_or_a_linear_map_of_the_input() -> None:
    same, other, x = GRUCell(5, 5), GRUCell(5, 3), torch.randn(2, 4, 5)
    assert not [name for name, _ in Residual(same).named_parameters() if name.startswith("shortcut")]
    torch.testing.assert_close(Recurrent(Residual(same))(x)[0], Recurrent(same)(x)[0] + x)
    wrapped = Residual(other)
    expected = Recurrent(other)(x)[0] + x @ wrapped.shortcut.weight.T
    torch.testing.assert_close(Recurrent(wrapped)(x)[0], expected)


def test_layer_norm_normalises_the_input_or_the_output() -> None:
    cell, x = GRUCell(3, 5), torch.randn(2, 4, 3)
    before, after = LayerNorm(cell, on="input"), LayerNorm(cell)
    for parameter in (*before.norm.parameters(), *after.norm.parameters()):
        torch.nn.init.normal_(parameter)
    normed = F.layer_norm(x, (3,)) * before.norm.weight + before.norm.bias
    torch.testing.assert_close(Recurrent(before)(x)[0], Recurrent(cell)(normed)[0])
    outputs = F.layer_norm(Recurrent(cell)(x)[0], (5,)) * after.norm.weight + after.norm.bias
    torch.testing.assert_close(Recurrent(after)(x)[0], outputs)


def test_zoneout_gives_the_expected_state_after_eval() -> None:
    cell, x = LSTMCell(3, 5), torch.randn(2, 4, 3)
    states = [cell.initial_state(2)]

    def change(t: int, output: Tensor, state: Any) -> Any:
        h, c = (p * old + (1 - p) * new for p, old, new in zip((0.25, 0.5), states[-1], state))
        states.append((h, c))
        return h, (h, c)

    expected = run_by_hand(cell, x, change)
    torch.testing.assert_close(Recurrent(Zoneout(cell, p=[0.25, 0.5])).eval()(x)[0], expected)


def test_zoneout_keeps_units_at_random_in_training() -> None:
    cell = Zoneout(RNNCell(1, 400), 0.25)
    before = cell.initial_state(50)
    x, kept = torch.ones(50, 6, 1), []
    state = before
    for x_t in cell.project(x).unbind(1):
        output, new = cell.step(x_t, state)
        assert output is new
        kept.append(new == state)
        state = new
    share = torch.stack(kept).float().mean(dim=(1, 2))
    assert ((share - 0.25).abs() < 0.02).all()  # 20,000 draws each: 6.5 standard deviations
    assert not torch.equal(kept[0], kept[1])


def test_dropout_zeroes_the_same_outputs_at_every_step_and_scales_the_others() -> None:
    cell, x = GRUCell(3, 200), torch.randn(3, 4, 3)
    outputs, (_, mask) = Recurrent(Dropout(cell, 0.25))(x)
    assert mask.unique().tolist() == pytest.approx([0, 4 / 3])
    assert abs(float((mask == 0).float().mean()) - 0.25) < 0.09
    torch.testing.assert_close(outputs, Recurrent(cell)(x)[0] * mask[0][:, None])
    assert len({tuple(row.tolist()) for row in mask[0]}) == 3


@pytest.mark.parametrize("cls", [RNNCell, LSTMCell])
def test_dropout_on_the_state_masks_what_the_gates_read_of_it(cls: type[Cell]) -> None:
    cell, x = cls(3, 8), torch.randn(3, 4, 3)
    net = Recurrent(Dropout(cell, 0.5, on="state"))
    outputs, state = net(x)
    mask = state[-1][0]

    def change(t: int, output: Tensor, state: Any) -> Any:
        return output, (state[0] * mask, state[1]) if isinstance(state, tuple) else state * mask

    torch.testing.assert_close(outputs, run_by_hand(cell, x, change))


def test_dropout_on_the_state_of_a_gru_leaves_what_it_carries() -> None:
    cell, x = GRUCell(3, 8), torch.randn(3, 4, 3)
    outputs, (last, mask) = Recurrent(Dropout(cell, 0.5, on="state"))(x)
    h, steps = torch.zeros(3, 8), []
    for t in range(4):
        x_r, x_z, x_n = cell.project(x)[:, t].chunk(3, dim=1)
        h_r, h_z, h_n = cell.recur(h * mask[0]).chunk(3, dim=1)
        z = torch.sigmoid(x_z + h_z)
        h = (1 - z) * torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n) + z * h
        steps.append(h)
    torch.testing.assert_close(outputs, torch.stack(steps, dim=1))
    torch.testing.assert_close(last[0], h)


def test_dropout_on_the_state_reaches_the_cell_through_other_wrappers() -> None:
    cell, x = LSTMCell(3, 8), torch.randn(3, 4, 3)
    wrapped = Dropout(Residual(LayerNorm(cell)), 0.5, on=["state", "output"])
    assert wrapped.on == ("output", "state")
    outputs, state = Recurrent(wrapped)(x)
    inner, inner_state = Recurrent(Dropout(cell, 0.5, on="state"))(x, None, (*state[:2], state[3]))
    whole, whole_state = Recurrent(wrapped)(x, None, state)
    torch.testing.assert_close(whole_state[1], inner_state[1])
    assert (whole[:, :, state[2][0, 0] == 0][0] == 0).all()
    assert outputs.shape == inner.shape


def test_a_sequence_that_goes_on_keeps_its_masks() -> None:
    net, x = Recurrent(Dropout(LSTMCell(3, 8), 0.5, on=["state", "output"]), num_layers=2), torch.randn(3, 6, 3)
    first, between = net(x[:, :4])
    _, after = net(x[:, 4:], None, between)
    for a, b in zip(between[2:], after[2:]):
        assert torch.equal(a, b)
    torch.manual_seed(1)
    whole, _ = net(x)
    torch.manual_seed(1)
    first, between = net(x[:, :4])
    torch.testing.assert_close(torch.cat([first, net(x[:, 4:], None, between)[0]], dim=1), whole)


def test_dropout_on_the_state_needs_to_know_where_the_cell_reads_it() -> None:
    with pytest.raises(CellError, match=r"needs a cell with a method recur\(h\).*MLPCell has none\. Define one, or"):
        Dropout(LayerNorm(MLPCell(3, 5)), on="state")


def test_attention_follows_its_equations() -> None:
    cell, x = GRUCell(3, 5).double(), torch.randn(2, 6, 3).double()
    a = Attention(cell, n=3)
    m, d, h, steps = [torch.zeros(2, 5).double()] * 3, torch.zeros(2, 5).double(), cell.initial_state(2), []
    for t in range(6):
        o, h = cell(a.input(x[:, t]) + d @ a.reading.weight.T, h)
        e = torch.stack([torch.tanh(m_i @ a.key.weight.T + a.query(o)) @ a.score.weight[0] for m_i in m], dim=1)
        d = sum(w[:, None] * m_i for w, m_i in zip(e.softmax(dim=1).unbind(1), m))
        y = a.output(torch.cat([o, d], dim=1))
        m = [*m[1:], y]
        steps.append(y)
    outputs, (last, memory, read) = Recurrent(a)(x)
    torch.testing.assert_close(outputs, torch.stack(steps, dim=1))
    torch.testing.assert_close((last[0], memory[0], read[0]), (h, torch.stack(m, dim=1), d))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: Dropout(c, 1), r"'p' parameter of Dropout must be a number in the range \[0, 1\)\. Got 1 "),
        (lambda c: Dropout(c, "x"), r"'p' parameter of Dropout must be .* Got 'x' instead"),
        (lambda c: Dropout(c, on="outptu"), r"one or several of \['output', 'state'\]\. Got 'outptu'.* Did you mean"),
        (lambda c: Zoneout(c, -0.1), r"'p' parameter of Zoneout must be .* Got -0\.1 instead"),
        (
            lambda c: Zoneout(c, [0.1, 0.2]),
            r"one for each of the 1 tensors of the state of GRUCell\. Got \[0\.1, 0\.2\]",
        ),
        (lambda c: LayerNorm(c, on="state"), r"'on' parameter of LayerNorm must be 'input' or 'output'\. Got 'state'"),
        (lambda c: Projection(c, 0), r"'size' parameter of Projection must be an int >= 1\. Got 0"),
        (lambda c: Projection(c, 2, activation="elu"), r"\['identity', 'relu', 'sigmoid', 'tanh'\]\. Got 'elu'"),
        (lambda c: Attention(c, 2.5), r"'n' parameter of Attention must be an int >= 1\. Got 2\.5"),
    ],
)
def test_a_parameter_out_of_range_is_refused_with_its_range(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(GRUCell(3, 5))
