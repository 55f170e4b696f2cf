import dataclasses

import pytest

from seqpipe.specs import CellSpec, TaskSpec


def test_a_spec_keeps_name_factory_and_summary():
    spec = CellSpec("mgu", dict, summary="minimal gated unit")
    assert (spec.name, spec.factory, spec.summary) == ("mgu", dict, "minimal gated unit")


def test_a_spec_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError, match="name"):
        CellSpec("mgu", dict).name = "gru"


@pytest.mark.parametrize("name", ["MGU", "2rnn", "", "a-b", "a b", "gru\n", None, 3])
def test_a_name_that_users_could_not_write_is_refused(name):
    with pytest.raises(ValueError, match=r"The 'name' of TaskSpec must consist of lower case letters.*Got .* instead"):
        TaskSpec(name, dict)


def test_a_factory_that_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match=r"The 'factory' of CellSpec 'mgu' must be callable. Got 'MGUCell' instead"):
        CellSpec("mgu", "MGUCell")
