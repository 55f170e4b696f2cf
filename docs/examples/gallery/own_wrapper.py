"""
Wrap any cell
=============

Wrappers change a cell of any kind: residual connections, layer normalisation, dropout with one mask per sequence, zoneout, a projection, attention over its own past. They are named in a list, and
can be searched like any parameter; a wrapper of your own is a small class. Here a stack of four plain RNN layers learns faster with residual connections.
"""

from seqpipe import SequenceRegressor
from seqpipe.datasets import make_adding
from seqpipe.diagnostics import plot_learning_curves
from seqpipe.recurrence.wrappers import Wrapper


class Half(Wrapper):
    """Halve the outputs: a residual stack then grows less from layer to layer."""

    def step(self, x_t, state):
        output, state = self.cell.step(x_t, state)
        return 0.5 * output, state


X, y = make_adding(600, 12, random_state=0)
settings = {"hidden_size": 16, "num_layers": 4, "max_epochs": 15, "batch_size": 32, "random_state": 0}
curves = {}
for name, wrappers in {"plain": None, "residual": ["residual"], "Half, residual": [Half, "residual"]}.items():
    model = SequenceRegressor("rnn", wrappers=wrappers, **settings).fit(X[:450], y[:450])
    curves[name] = model.history_
    print(f"{name:15} R² {model.score(X[450:], y[450:]):.2f}")

# %%
plot_learning_curves(curves)
