import io

import matplotlib as mpl
import pytest


@pytest.fixture
def drawn():
    """Draw a figure, which makes matplotlib warn about a layout that does not fit, and return it."""

    def draw(figure):
        figure.savefig(io.BytesIO(), format="png")
        return figure

    backend, before = mpl.rcParams["backend"], dict(mpl.rcParams)
    yield draw
    assert (mpl.rcParams["backend"], dict(mpl.rcParams)) == (backend, before)
