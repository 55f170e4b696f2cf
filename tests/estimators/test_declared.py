"""Parameters that are declared once: signature, checks and docstring agree, for every estimator that declares any."""

from __future__ import annotations

import inspect
import pickle
import pydoc
import re
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import Ridge

import seqpipe
from seqpipe.estimators._declared import DeclaredEstimator, Group, fitted, parameter
from seqpipe.exceptions import CellError, SeqpipeError
from seqpipe.plugins import host

ESTIMATORS = [
    seqpipe.SequenceClassifier,
    seqpipe.SequenceRegressor,
    seqpipe.StepClassifier,
    seqpipe.StepRegressor,
    seqpipe.SequenceTranslator,
    seqpipe.SequenceCaptioner,
    seqpipe.LanguageModel,
]
HEADINGS = ["Network", "Training", "Data", "Prediction", "Computing"]


def section(doc: str, title: str) -> str:
    text = inspect.cleandoc(doc)
    begin = text.index(f"{title}\n{'-' * len(title)}\n") + 2 * len(title) + 2
    end = re.search(r"\n\n[\w ]+\n---", text[begin:])
    return text[begin : begin + end.start()] if end else text[begin:]


def entries(doc: str, title: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) : (.*)$", section(doc, title), re.MULTILINE))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_the_docstring_lists_the_parameters_of_the_signature_in_order_with_their_defaults(cls: Any) -> None:
    signature = inspect.signature(cls)
    documented = entries(cls.__doc__, "Parameters")
    assert list(documented) == list(signature.parameters)
    for name, head in documented.items():
        default = signature.parameters[name].default
        shown = f'"{default}"' if isinstance(default, str) else repr(default)
        assert head.endswith(f"default={shown}") or (head.endswith(", optional") and default is None), name


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_parameters_stand_under_short_headings(cls: Any) -> None:
    found = re.findall(r"^\*\*(\w+)\*\*$", section(cls.__doc__, "Parameters"), re.MULTILINE)
    assert found == [heading for heading in HEADINGS if heading in found]
    assert {"Network", "Training", "Computing"} <= set(found)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_parameter_has_a_constraint_that_its_default_meets(cls: Any) -> None:
    assert cls._parameter_constraints.keys() == inspect.signature(cls).parameters.keys()
    cls()._validate_params()


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_an_estimator_only_assigns_its_parameters(cls: Any) -> None:
    names = list(inspect.signature(cls).parameters)
    marks = {name: object() for name in names}
    made = cls(**marks)
    assert vars(made) == marks
    assert cls(marks["cell"]).cell is marks["cell"]
    with pytest.raises(TypeError, match="positional"):
        cls("gru", {})
    with pytest.raises(TypeError, match="unexpected keyword argument 'hiden_size'"):
        cls(hiden_size=3)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_what_fit_sets_is_documented_and_there_after_fit_alone(cls: Any) -> None:
    documented = entries(cls.__doc__, "Attributes")
    assert {"n_iter_", "n_parameters_", "history_", "compile_seconds_", "device_", "net_"} <= documented.keys()
    assert not [name for name in documented if hasattr(cls(), name)]


def test_the_signature_of_a_classifier_is_this_one() -> None:
    assert str(inspect.signature(seqpipe.SequenceClassifier)) == (
        "(cell='gru', *, cell_params=None, hidden_size=64, num_layers=1, dropout=0.0, wrappers=None, bidirectional=False, "
        "initial_state='zeros', embedding=None, head='linear', patch='auto', pooling='last_mean', lr=0.01, max_epochs='auto', "
        "batch_size='auto', optimizer='AdamW', lr_schedule='OneCycleLR', lr_schedule_params=None, weight_decay=0.01, "
        "gradient_clip_norm=1.0, "
        "early_stopping='auto', validation_fraction='auto', n_iter_no_change=25, warm_start=False, checkpoint=None, "
        "net_params=None, n_members=1, "
        "scale_inputs=True, class_weight=None, dtype='float32', mixed_precision=False, device='auto', memory='keep', "
        "engine='auto', unroll=None, random_state=None, verbose=0)"
    )


def test_what_an_estimator_has_no_use_for_it_does_not_take() -> None:
    def lacks(cls: Any) -> set[str]:
        every = {name for each in ESTIMATORS for name in inspect.signature(each).parameters}
        return every - set(inspect.signature(cls).parameters)

    assert {"bidirectional", "scale_inputs", "pooling", "class_weight"} <= lacks(seqpipe.LanguageModel)
    assert {"bidirectional", "initial_state", "tbptt"} <= lacks(seqpipe.SequenceCaptioner)
    assert {"scale_inputs", "embedding", "tbptt"} <= lacks(seqpipe.SequenceTranslator)
    assert {"tbptt", "loss_on", "scale_targets"} <= lacks(seqpipe.SequenceClassifier)
    assert {"pooling", "class_weight"} <= lacks(seqpipe.StepRegressor)


def test_a_declaration_again_takes_the_place_of_the_first_one() -> None:
    names = list(inspect.signature(seqpipe.LanguageModel).parameters)
    assert seqpipe.LanguageModel().tbptt == (64, 64)
    assert names.index("batch_size") == names.index("max_epochs") + 1
    assert "streams that one long text is cut into" in seqpipe.LanguageModel.__doc__
    assert seqpipe.SequenceTranslator().bidirectional is True


def test_help_shows_signature_parameters_and_attributes() -> None:
    shown = " ".join(pydoc.plain(pydoc.render_doc(seqpipe.SequenceClassifier)).replace("|", " ").split())
    assert re.search(r"SequenceClassifier\( ?cell='gru', \*,", shown)
    for words in (
        "Learning rate; the maximum of the schedule.",
        "classes_ : array",
    ):
        assert words in shown


class Base(DeclaredEstimator, BaseEstimator):
    """Something."""

    a: int = parameter(default=1, constraint=[int], type="int", description="First.", group=Group.DATA)
    b: int = parameter(default=2, constraint=[int], type="int", description="Second.", group=Group.NETWORK)
    found_: int = fitted("int", "Found.")


class Derived(Base):
    """Something else.

    Examples
    --------
    None.
    """

    c: str = parameter(default="x", constraint=[str], type="str", description="Third.", group=Group.NETWORK)
    a: int = parameter(default=5, constraint=[int], type="int", description="Other.", group=Group.DATA)


def test_a_class_of_ones_own_inherits_and_replaces() -> None:
    assert str(inspect.signature(Derived)) == "(*, b=2, c='x', a=5)"
    assert str(inspect.signature(Base)) == "(*, b=2, a=1)"
    assert entries(Derived.__doc__ or "", "Parameters") == {
        "b": "int, default=2",
        "c": 'str, default="x"',
        "a": "int, default=5",
    }
    assert clone(Derived(a=7)).get_params() == {"a": 7, "b": 2, "c": "x"}
    assert pickle.loads(pickle.dumps(Derived(c="y"))).c == "y"
    assert repr(Derived(a=9)) == "Derived(a=9)"


class Written(seqpipe.SequenceClassifier):
    """A classifier with its own constructor."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **seqpipe.SequenceClassifier._parameter_constraints,
        "extra": [int],
    }

    def __init__(self, *, hidden_size: int = 4, extra: int = 0) -> None:
        super().__init__(hidden_size=hidden_size, max_epochs=1, random_state=0)
        self.extra = extra


def test_a_class_that_writes_its_constructor_keeps_it() -> None:
    X = np.random.default_rng(0).normal(size=(12, 4, 1))
    model = clone(Written(extra=3)).fit(X, [0, 1] * 6)
    assert model.get_params() == {"hidden_size": 4, "extra": 3}
    with pytest.raises(ValueError, match="'extra' parameter of Written must be an instance of 'int'"):
        Written(extra="x").fit(X, [0, 1] * 6)


def test_unroll_is_a_deprecated_name_of_an_engine() -> None:
    X = np.random.default_rng(0).normal(size=(12, 4, 1))
    settings = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}
    said = "'unroll' parameter of SequenceClassifier is deprecated. Use engine='loop' instead of unroll='dynamic'"
    with pytest.warns(FutureWarning, match=said) as caught:
        old = seqpipe.SequenceClassifier(**settings, unroll="dynamic").fit(X, [0, 1] * 6)
    assert [warning.filename for warning in caught] == [__file__]
    new = seqpipe.SequenceClassifier(**settings, engine="loop").fit(X, [0, 1] * 6)
    assert [choice.engine for choice in old.net_.recurrents[0].explain()] == ["loop"]
    np.testing.assert_array_equal(old.predict_proba(X), new.predict_proba(X))


def test_an_engine_that_does_not_exist_is_told_before_anything_is_trained() -> None:
    with pytest.raises(
        ValueError, match=r"The 'engine' parameter of SequenceRegressor must be 'auto' or .* Got 'cc' instead"
    ):
        seqpipe.SequenceRegressor(engine="cc").fit(np.ones((4, 3, 1)), np.ones(4))


TEXTS = ["ab", "ba"] * 3
STEPS = [[0, 1, 0]] * 6


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (seqpipe.SequenceRegressor, (np.ones((6, 3, 1)), np.arange(6.0))),
        (seqpipe.StepClassifier, (np.ones((6, 3, 1)), STEPS)),
        (seqpipe.LanguageModel, (TEXTS,)),
        (seqpipe.SequenceTranslator, (TEXTS, TEXTS)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_estimator_warns_once_of_unroll_at_the_line_of_the_fit(kind: Any, data: tuple[Any, ...]) -> None:
    model = kind(unroll="dynamic", hidden_size=2, max_epochs=1, random_state=0)
    with pytest.warns(FutureWarning, match=f"'unroll' parameter of {kind.__name__} is deprecated") as caught:
        model.fit(*data)
    assert [warning.filename for warning in caught] == [__file__]


def test_engine_and_unroll_cannot_both_be_set() -> None:
    model = seqpipe.SequenceClassifier(engine="c", unroll="dynamic")
    with pytest.raises(ValueError, match="engine='c' and unroll='dynamic' cannot both be set: .* remove it"):
        model.fit(np.ones((4, 3, 1)), [0, 1] * 2)


def test_an_engine_that_is_not_a_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'engine' parameter of SequenceClassifier must be 'auto' or one of \['c'"):
        seqpipe.SequenceClassifier(engine=None).fit(np.ones((4, 3, 1)), [0, 1] * 2)


def test_an_unknown_engine_in_the_environment_is_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "looop")
    model = seqpipe.SequenceClassifier()
    with pytest.raises(SeqpipeError, match=r"variable SEQPIPE_ENGINE must be 'auto' or one of .* Did you mean 'loop'"):
        model._validate_params()


def test_the_description_of_cell_names_every_cell_of_seqpipe() -> None:
    offers = host().offers("cell").items()
    shipped = [f'"{name}"' for name, found in offers if any(each.is_builtin for each in found)]
    assert [name for name in shipped if name not in seqpipe.SequenceClassifier.__doc__] == []


class Unprepared(seqpipe.Cell):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input = torch.nn.Linear(input_size, hidden_size)


def test_a_cell_that_does_not_call_its_base_class_is_refused_with_the_remedy() -> None:
    with pytest.raises(CellError, match=r"must call super\(\)\.__init__\(input_size, hidden_size\) first"):
        seqpipe.SequenceClassifier(cell=Unprepared).fit(np.ones((4, 3, 1)), [0, 1] * 2)


@pytest.mark.parametrize(
    "model",
    [
        seqpipe.SequenceClassifier(),
        seqpipe.SequenceRegressor(),
        seqpipe.StepClassifier(),
        seqpipe.StepRegressor(),
        seqpipe.SequenceTranslator(),
        seqpipe.SlidingWindowRegressor(Ridge()),
        seqpipe.WindowedRegressor(Ridge()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_targets_that_are_missing_are_named(model: Any) -> None:
    X = TEXTS if isinstance(model, seqpipe.SequenceTranslator) else np.ones((6, 3, 1))
    for method in {"fit", "partial_fit"} & {*dir(model)}:
        with pytest.raises(ValueError, match=f"This {type(model).__name__} estimator requires y to be passed"):
            getattr(model, method)(X)
