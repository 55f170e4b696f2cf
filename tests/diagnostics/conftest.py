import io

import matplotlib as mpl
import pytest


@pytest.fixture
def drawn():
    """Draw a figure, which is when matplotlib finds out whether everything fits, and return it."""

    def draw(figure):
        figure.savefig(io.BytesIO(), format="png")
        return figure

    backend, before = mpl.rcParams["backend"], dict(mpl.rcParams)
    yield draw
    assert (mpl.rcParams["backend"], dict(mpl.rcParams)) == (backend, before)
