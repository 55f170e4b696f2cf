import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("name", "choice", "hint"),
    [
        ("cafe\u0301", "caf\u00e9", r"('caf\xe9', not 'cafe\u0301')"),
        ("caf\u00e9", "cafe\u0301", r"('cafe\u0301', not 'caf\xe9')"),
        ("ac\u0441uracy", "accuracy", r"('accuracy', not 'ac\u0441uracy')"),  # a Cyrillic letter
        ("\uff47\uff52\uff55", "gru", r"('gru', not '\uff47\uff52\uff55')"),  # full width
        ("speed ", "speed", "'speed', not 'speed '"),
        ("wind\u00a0speed", "wind speed", r"'wind speed', not 'wind\xa0speed'"),
        ("gr\u200bu", "gru", r"'gru', not 'gr\u200bu'"),
    ],
)
def test_a_hint_tells_names_apart_that_look_alike(name, choice, hint):
    assert hint in did_you_mean(name, ["lstm", choice])


@pytest.mark.parametrize(("name", "choice", "hint"), [("GRU", "gru", "'gru'"), ("cafe", "caf\u00e9", "'caf\u00e9'")])
def test_a_hint_on_names_that_differ_visibly_is_short(name, choice, hint):
    assert did_you_mean(name, [choice]) == f" Did you mean {hint}?"


@given(st.text(min_size=1), st.lists(st.text()))
def test_a_hint_never_suggests_what_was_given(name, others):
    assert not did_you_mean(name, [*others, name]).startswith(f" Did you mean {name!r}")
    assert did_you_mean(name, [name]) == ""


def test_a_number_is_told_from_its_text():
    assert did_you_mean("8", [7, 8]) == " Did you mean 8?"


@pytest.mark.parametrize("name", ["gur", "rgu", "GUR"])
def test_a_name_of_the_same_letters_comes_first(name):
    assert did_you_mean(name, ["convlstm", "gru", "lstm", "mgu", "min_gru", "mlp", "rnn"]) == " Did you mean 'gru'?"


def test_swapped_letters_are_recognized_among_repeated_ones():
    assert did_you_mean("1a_1_", ["1_a1_"]).startswith(" Did you mean '1_a1_'")


@given(st.text("abcdef_1", min_size=2, max_size=12), st.lists(st.text("abcdef_1", min_size=1)), st.data())
def test_swapped_letters_are_recognized(name, others, data):
    at = data.draw(st.integers(0, len(name) - 2))
    given = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    assume(given != name and all(sorted(other) != sorted(name) for other in others))
    assert did_you_mean(given, [*others, name]).startswith(f" Did you mean {name!r}")
