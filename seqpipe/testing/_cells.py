"""`check_cell`: conformance checks for cells, to be run in the tests of plug-ins."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence import Recurrent, check_initial_state, check_step, copied
from seqpipe.testing import _invariants

__all__ = ["check_cell"]

#: Batch sizes for which a cell must provide an initial state, since that of predictions is not known in advance.
_BATCH_SIZES = (1, 3, 4099)


def check_cell(
    factory: Callable[[int, int], Cell],
    *,
    input_size: int = 3,
    hidden_size: int = 5,
    dtype: torch.dtype = torch.float64,
) -> None:
    """Check that a cell conforms to the cell protocol, alone, stacked and bidirectional.

    The checks cover the shapes of a step, initial states for any batch size, siblings, coefficients of a linear
    recurrence, padding, NaN in the padding, permuted batches, causality, chunks with the state passed on, single
    sequences, agreement of engines, saving and loading of weights, and in float64 the gradients.

    Parameters
    ----------
    factory : callable (input_size, hidden_size) -> Cell
        The class of the cell, or a function that creates one.
    input_size, hidden_size : int
        Sizes to test.
    dtype : torch.dtype, default=torch.float64
        Data type to test.

    Raises
    ------
    AssertionError, CellError
        If a check fails; the message names it.

    Examples
    --------
    >>> from seqpipe import GRUCell
    >>> from seqpipe.testing import check_cell
    >>> check_cell(GRUCell)
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        cell = factory(input_size, hidden_size).to(dtype)
        check_step(cell)
        for batch_size in _BATCH_SIZES:
            check_initial_state(cell, copied(cell).initial_state(batch_size), batch_size)
        _check_sibling(cell)
        x = torch.randn(4, 7, input_size, dtype=dtype)
        _check_linear_coefficients(cell, x[:, :1])
        for num_layers in (1, 2):
            for bidirectional in (False, True):
                recurrent = Recurrent(copied(cell), num_layers=num_layers, bidirectional=bidirectional).eval()
                _check_recurrent(recurrent, x)
                _check_engines_agree(recurrent, x)
                _check_saved_and_loaded(recurrent, x)
        if dtype == torch.float64:
            _check_gradients(Recurrent(copied(cell)).eval(), x[:2, :3])


def _check_recurrent(recurrent: Recurrent, x: Tensor) -> None:
    lengths = torch.tensor([7, 2, 1, 5])
    _invariants.check_padding(recurrent, x, lengths, extra=3)
    _invariants.check_nan_in_padding(recurrent, x, lengths)
    _invariants.check_permutation(recurrent, x, lengths, torch.tensor([2, 0, 3, 1]))
    _invariants.check_alone_equals_batched(recurrent, x, lengths)
    if not recurrent.bidirectional:
        _invariants.check_causality(recurrent, x, 3)
        _invariants.check_chunks(recurrent, x, 4)


def _check_linear_coefficients(cell: Cell, x: Tensor) -> None:
    """Check that the coefficients of a linear recurrence agree with `step`."""
    if type(cell).linear_coefficients is Cell.linear_coefficients:
        return
    h = cell.initial_state(len(x))
    assert isinstance(h, Tensor), "the state of a cell with linear_coefficients must be a single tensor"
    with torch.no_grad():
        h = h + torch.linspace(-1, 1, h.numel(), dtype=x.dtype).view(h.shape)
        output, after = cell.step(cell.project(x)[:, 0], h)
        a, b = cell.linear_coefficients(cell.project(x))
    expected = (len(x), 1, cell.hidden_size)
    for name, tensor in (("a", a), ("b", b)):
        assert tensor.shape == expected, (
            f"linear_coefficients returns {name} of shape {tuple(tensor.shape)}, expected {expected}"
        )
    assert torch.equal(output, after), "the output of a cell with linear_coefficients must be its new state"
    difference = float((a[:, 0] * h + b[:, 0] - after).abs().max())
    tolerance = 10 * _invariants.TOLERANCE[x.dtype] * max(1.0, float(after.abs().max()))
    assert difference <= tolerance, f"linear_coefficients and the step differ by {difference:.2g}"


def _check_sibling(cell: Cell) -> None:
    sibling = cell.sibling(cell.input_size + 2)
    assert type(sibling) is type(cell), f"sibling() returns a {type(sibling).__name__}"
    assert sibling.input_size == cell.input_size + 2, "sibling() does not take the input size as its first argument"
    assert sibling.hidden_size == cell.hidden_size, "sibling() does not keep the hidden size"


def _check_engines_agree(recurrent: Recurrent, x: Tensor) -> None:
    lengths = torch.tensor([7, 2, 1, 5])
    results = []
    for engine in ("loop", "unrolled", "auto"):
        recurrent.engine = engine
        with torch.no_grad():
            results.append(recurrent(x, lengths)[0])
    for name, result in zip(("unrolled", "auto"), results[1:]):
        difference = float((result - results[0]).abs().max())
        tolerance = 10 * _invariants.TOLERANCE[x.dtype]
        assert difference <= tolerance, f'engine="{name}" differs from the loop by {difference:.2g}'


def _check_saved_and_loaded(recurrent: Recurrent, x: Tensor) -> None:
    fresh = Recurrent(
        recurrent._cell(0).sibling(recurrent.input_size).to(x.dtype),
        num_layers=recurrent.num_layers,
        bidirectional=recurrent.bidirectional,
    ).eval()
    added = sorted(recurrent.state_dict().keys() - fresh.state_dict().keys())
    assert not added, (
        f"a forward pass adds {added} to the parameters: initial_state or step assigns a parameter to an attribute, "
        "which torch registers as another parameter; assign a function of the parameter, such as weight * 1.0"
    )
    fresh.load_state_dict(recurrent.state_dict())
    with torch.no_grad():
        assert torch.equal(fresh(x)[0], recurrent(x)[0]), "a cell with the same weights gives different outputs"


def _check_gradients(recurrent: Recurrent, x: Tensor) -> None:
    names = [name for name, _ in recurrent.named_parameters()]
    weights = [p.detach().clone().requires_grad_() for p in recurrent.parameters()]

    def run(x: Tensor, *weights: Tensor) -> Tensor:
        outputs: Tensor = torch.func.functional_call(recurrent, dict(zip(names, weights)), (x,))[0]
        return outputs

    try:
        torch.autograd.gradcheck(run, (x.clone().requires_grad_(), *weights))
    except RuntimeError as error:
        raise AssertionError(f"the gradients do not match the outputs: {error}") from error
