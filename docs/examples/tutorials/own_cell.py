"""
Write a cell of your own
========================

A cell is one time step, written in PyTorch. seqpipe adds the loop over time, ragged batches, layers, both directions, gradients checked against a plain
loop, native code, and the estimators.
"""

# %%
# The step
# --------
# The cell here is a leaky integrator with a gate: it keeps a share ``a`` of its state, which it learns for each unit, and writes through a gate that reads
# input and state.
#
# .. code-block:: text
#
#    i_t = sigmoid(W_i x_t + U_i h_{t-1} + b_i)
#    h_t = a * h_{t-1} + (1 - a) * i_t * tanh(W_c x_t + b_c)
#
# ``step`` returns the output and the new state. ``project`` is optional: it computes the part that does not depend on the state, for all steps at once.

import torch
from torch import nn

from seqpipe import Cell


class LeakyCell(Cell):
    """A leaky integrator with an input gate and learned leaks."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recur = nn.Linear(hidden_size, hidden_size, bias=False)
        self.leak = nn.Parameter(torch.linspace(-1, 4, hidden_size))

    def project(self, x):
        return self.input(x)

    def step(self, x_t, h):
        x_i, x_c = x_t.chunk(2, dim=-1)
        i = torch.sigmoid(x_i + self.recur(h))
        a = torch.sigmoid(self.leak)
        h = a * h + (1 - a) * i * torch.tanh(x_c)
        return h, h


# %%
# Check it
# --------
# ``check_cell`` runs the checks that every built-in cell passes: shapes, ragged batches, NaN in the padding, causality, states carried on, saved and loaded
# weights, gradients, and that all engines agree. Its error lists what fails and what to change; its report has a line per check.

from seqpipe.testing import check_cell

report = check_cell(LeakyCell, exclude=["speed_is_graded"])
report.passed

# %%
# Run it
# ------
# ``Recurrent`` runs a cell along time. Outputs after the end of a sequence are zero, and the returned state is that of the last valid step.

from seqpipe import Recurrent

net = Recurrent(LeakyCell(3, 8), num_layers=2, bidirectional=True)
outputs, state = net(torch.randn(4, 7, 3), lengths=[7, 2, 5, 7])
print(outputs.shape, state.shape)

# %%
# ``explain()`` shows which engine runs each layer and direction. With a C compiler on the machine the step is traced and compiled, forward and backward.

for choice in net.explain():
    print(choice)

# %%
# Train it
# --------
# Every parameter that takes the name of a cell also takes the class. The task: the sum of the two marked numbers among forty.

import numpy as np

from seqpipe import SequenceRegressor
from seqpipe.datasets import make_adding

X, y = make_adding(900, 40, random_state=0)
settings = {"hidden_size": 32, "pooling": "last", "max_epochs": 25, "batch_size": 32, "random_state": 0}
models = {
    name: SequenceRegressor(cell, **settings).fit(X[:700], y[:700])
    for name, cell in {"rnn": "rnn", "gru": "gru", "leaky": LeakyCell}.items()
}
for name, model in models.items():
    print(f"{name:6} R² {model.score(X[700:], y[700:]):.2f}, {model.n_parameters_} parameters")

# %%
from seqpipe.diagnostics import plot_learning_curves

plot_learning_curves({name: model.history_ for name, model in models.items()})

# %%
# What did it learn to keep? The leaks after training, from units that forget at once to units that keep nearly everything:

leaks = torch.sigmoid(models["leaky"].net_.module_.recurrent.cells[0].leak).detach().numpy()
print(np.sort(leaks).round(2))

# %%
# Give it a name
# --------------
# In a distribution with an entry point in the group ``seqpipe``, one hook makes the cell available as ``cell="leaky"``, in grids and recipes too. See
# :doc:`Plug-ins </plugins>`.
#
# .. code-block:: python
#
#    @seqpipe.hookimpl
#    def seqpipe_cells():
#        return [seqpipe.CellSpec("leaky", LeakyCell, summary="leaky integrator with an input gate")]
