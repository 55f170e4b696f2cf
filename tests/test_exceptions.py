import re

import pytest

from seqpipe import exceptions
from seqpipe.exceptions import SeqpipeError, SeqpipeWarning, did_you_mean

CLASSES = [value for value in vars(exceptions).values() if isinstance(value, type) and issubclass(value, Exception)]


@pytest.mark.parametrize("kind", CLASSES)
def test_everything_raised_derives_from_a_root_of_ours(kind):
    assert issubclass(kind, SeqpipeError | SeqpipeWarning)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind not in (SeqpipeError, SeqpipeWarning)])
def test_the_tree_in_the_docstring_shows_every_class(kind):
    builtin = next((base.__name__ for base in kind.__bases__ if base.__module__ == "builtins"), None)
    drawn = re.escape(kind.__name__ if builtin is None else f"{kind.__name__} ({builtin})")
    assert re.search(rf"── {drawn}\s", exceptions.__doc__)


def test_errors_can_be_caught_as_the_builtin_that_fits():
    with pytest.raises(ValueError, match="no place"):
        raise exceptions.InvalidSequencesError("no place")


def test_the_closest_name_is_suggested():
    assert did_you_mean("gruu", ["lstm", "gru"]) == " Did you mean 'gru'?"


@pytest.mark.parametrize("name", ["zzz", "", None, 3])
def test_nothing_is_suggested_where_nothing_is_close(name):
    assert did_you_mean(name, ["lstm", "gru"]) == ""
