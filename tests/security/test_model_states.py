"""Forged states of trusted classes: attributes, sizes and numbers that no fit sets."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from forging import Bench, Forged, Payload, array, copied, described, forged, node, put, sound, tries, type_node

PAYLOADS: list[Payload] = []
#: For text classifiers of scikit-learn, Pipelines and the like: the node of a step's state.
EXP = described("numpy.exp", "FunctionNode")


def state(
    sentence: str, refused: str | None, *, model: str = "classifier", kind: str = "parameter", **values: Any
) -> None:
    """Add a payload that is a sound model with other values of attributes."""
    forged(PAYLOADS, kind, sentence, refused, lambda f: f.set(**copied(values)), model)


# ---- parameters that decide how much is allocated or computed

SIZE = "must be an integer from"
LARGER = "larger than its weights|more layers than its weights"
state("A hidden size of a billion is refused", SIZE, hidden_size=10**9)
state("A hidden size of which the weights are terabytes allocates nothing", LARGER, hidden_size=900_000)
state("A hidden size of which the weights are gigabytes allocates nothing", LARGER, hidden_size=30_000)
state("A million layers are refused", SIZE, num_layers=10**6)
state("Ten thousand layers are not made for weights of one", LARGER, num_layers=10_000)
state("A negative hidden size is refused", SIZE, hidden_size=-3)
state("A hidden size is no text", SIZE, hidden_size="64")
state("A billion members are no parameter", SIZE, n_members=10**9)
state("An embedding of a billion is refused", "must be", embedding=10**9)
state("An embedding that the weights do not have is refused", "cannot be read", embedding=5, n_tokens_=10**6)
state(
    "Sizes of terabytes allocate nothing",
    LARGER,
    _sizes={"n_features": 10**6, "n_outputs": 2, "patch_length": 10**6, "patch_stride": 1},
)
state(
    "A size is no negative number",
    SIZE,
    _sizes={"n_features": -2, "n_outputs": 2, "patch_length": 1, "patch_stride": 1},
)
state("A size is no text", SIZE, _sizes={"n_features": "2", "n_outputs": 2})
state(
    "A size does not replace a setting of the network", None, _sizes={"n_features": 2, "n_outputs": 2, "recurrent": 5}
)
state("Missing sizes are an error", "cannot be read", _sizes={"n_outputs": 2})
state("A patch is no huge length", SIZE, patch_=(10**12, 1))
state("A patch has two numbers", "a list or tuple of 2 to 2 items", patch_=(1,))
state("A stride is not 0", SIZE, patch_=(2, 0))
state(
    "A text of a billion tokens is not written", "must be 'auto'|must be one of", model="translator", max_length=10**9
)
state("A longest target is no huge number", SIZE, model="translator", longest_target_=10**12)
state("A beam is no billion wide", SIZE, model="translator", beam_width=10**9)
state("Padding to a trillion steps is refused", SIZE, model="padding", length_=10**12)
state("A window of a forecaster is no trillion steps", SIZE, model="forecaster", window_=10**12)
state("A horizon of a forecaster is no trillion steps", SIZE, model="forecaster", horizon=10**12)
state("A season of a forecaster is not 0", SIZE, model="forecaster", season_=0)
state(
    "A million parallel processes are not started", "must be an integer from -256 to 256", model="outputs", n_jobs=10**6
)

# ---- parameters that name what is run, read or written

state("A data type is one of two", "must be one of", dtype="load")
state("A device is a name", "must be", device="/dev/sda", kind="name")
state("The device of the network is a name", "must be a text", device_="cpu;id", kind="name")
state("A device without numbers is replaced by the CPU", None, device_="meta", kind="name")
state("A device that does not exist is replaced by the CPU", None, device_="cuda:99", kind="name")
state("An engine is no path", "must be a text", engine="/tmp/engine.so", kind="name")
state("An engine is registered", "cannot be read .*'engine' parameter", engine="no_engine", kind="name")
state("How memory is used is one of three", "must be one of", memory="/tmp/x", kind="name")
state(
    "An optimizer is no path of a class", "cannot be read .*'optimizer' parameter", optimizer="os.system", kind="name"
)
state(
    "A schedule is no path of a class", "cannot be read .*'lr_schedule' parameter", lr_schedule="os.system", kind="name"
)
state("A pooling is registered", "cannot be read .*'pooling' parameter", pooling="os.system", kind="name")
state("A head is registered", "cannot be read .*'head' parameter", head="os.system", kind="name")
state("Checkpoints are not written where a file says", "checkpoint must be None", checkpoint="/tmp/there", kind="name")
state("A cell is no optimizer", "must be", cell=type_node("torch.optim.sgd.SGD"), kind="name")
state("A cell that no plug-in has is an error", "cannot be read .*'cell' parameter", cell="nowhere", kind="name")
state("An initial state is one of two", "must be one of", initial_state="load", kind="name")
forged(
    PAYLOADS,
    "name",
    "A pipeline has no cache, whose pickles it would read",
    "memory must be None",
    lambda f: f.set(memory="/tmp/cache"),
    "pipeline",
)
state(
    "How searches dispatch is not computed",
    "pre_dispatch must be",
    model="outputs",
    pre_dispatch="9**9**9",
    kind="name",
)

# ---- options that would be passed on

OPTION = "must not have the entry|must be|cannot be read"
for name, value in {
    "compile": True,
    "compile__options": {"cpp.cxx": "id"},
    "module": type_node("seqpipe.cells._gru.GRUCell"),
    "module__recurrent": EXP,
    "iterator_valid": "os.system",
    "dataset": "os.system",
    "torch_load_kwargs": {"weights_only": False},
    "callbacks": [{"checkpoint": {"dirname": "/tmp/there"}}],
    "callbacks__print_log": "/tmp",
    "criterion": type_node("seqpipe.cells._gru.GRUCell"),
    "criterion__weight": "/tmp/there",
    "optimizer__params": [EXP],
    "optimizer__foreach": EXP,
}.items():
    forged(
        PAYLOADS,
        "option",
        f"skorch gets no option {name} = {value!r:.40}",
        OPTION,
        lambda f, name=name, value=value: f.set(net_params=node({name: copied(value)})),
    )
state(
    "A callback that a file names is not created to predict",
    None,
    net_params={"callbacks": ["no_such_callback"]},
    kind="option",
)
state(
    "A loss that is not registered is an error",
    "cannot be read .*criterion",
    net_params={"criterion": "nowhere"},
    kind="option",
)
state("A function is no option of a schedule", "must be plain data", lr_schedule_params={"anneal": EXP}, kind="option")
state("A function is no option of a cell", "must be plain data", cell_params={"activation": EXP}, kind="option")
state("An option of a cell is no huge number", "must be plain data", cell_params={"n_gates": 10**9}, kind="option")
state("An option that a cell does not have is an error", "cannot be read", cell_params={"nowhere": 1}, kind="option")
state("A wrapper is no function", "must be plain data", wrappers=[EXP], kind="option")
state(
    "An option of a wrapper is no huge number",
    "must be plain data",
    wrappers=[{"projection": {"output_size": 10**9}}],
    kind="option",
)
state("A wrapper that does not exist is an error", "cannot be read", wrappers=["os.system"], kind="option")
state(
    "A wrapper that the weights do not have is an error",
    LARGER + "|cannot be read",
    wrappers=[{"projection": {"output_size": 90_000}}],
    kind="option",
)
state("Class weights hold no function", "must be", class_weight={"a": EXP}, kind="option")
state("The steps of the loss are no function", "must be", model="steps", loss_on=EXP, kind="option")

# ---- attributes of other kinds

REPLACED = "must not replace"
for name in (
    "predict",
    "_network",
    "_make_net_to_predict",
    "_parameter_constraints",
    "_saved",
    "fit",
    "__class__",
    "__setstate__",
    "score",
):
    state(f"A state does not replace {name}", REPLACED, kind="attribute", **{name: EXP})
for name in ("transform", "__call__", "_validate_data", "predict", "steps_"):
    forged(
        PAYLOADS,
        "attribute",
        f"A state of scikit-learn does not replace {name}",
        REPLACED + "|must be data or an estimator",
        lambda f, name=name: f.set(**{name: EXP}),
        "pipeline",
    )
state("A state has no other attributes", "must not have the attribute 'hook'", hook=1, kind="attribute")
state("An attribute is no function", "must be", classes_=EXP, kind="attribute")
state("An attribute is no class", "must be", classes_=type_node("seqpipe.cells._gru.GRUCell"), kind="attribute")
state("The network is not in the file", "must not have the attribute 'net_'", net_=1, kind="attribute")
state("Members are estimators", "must be", members_=[5], kind="attribute", model="ensemble")
forged(
    PAYLOADS,
    "attribute",
    "Members are of the class of the ensemble",
    "members of another type|does not match the fitted one|_codec.mean must be an array",  # whichever is found first
    lambda f: (
        f.entries.update(sound("classifier")),
        f.state["members_"]["content"].__setitem__(0, alone("classifier")),
    ),
    "ensemble",
)
state(
    "A vocabulary is one",
    "must be an object of Vocabulary",
    model="translator",
    target_vocabulary_={"tokens": ["a"]},
    kind="attribute",
)
state("The codec of targets is one", "must be an object of TargetCodec", _codec=5, kind="attribute")
state("The history holds numbers", "must be plain data", history_=[{"loss": EXP}], kind="attribute")
state("A function of a pipeline is a function of numbers", None, model="function", kind="attribute")
forged(
    PAYLOADS,
    "attribute",
    "A function of a pipeline is no metric",
    "must be a function of numpy",
    lambda f: step_of(f, 0)["content"].update(func=described("sklearn.metrics._regression.r2_score", "FunctionNode")),
    "function",
)


def alone(model: str) -> dict[str, Any]:
    """Return the description of a sound model, without the numbers by which objects are recognized."""

    def stripped(value: Any) -> Any:
        if isinstance(value, list):
            return [stripped(each) for each in value]
        if isinstance(value, dict):
            return {name: stripped(each) for name, each in value.items() if name != "__id__"}
        return value

    return stripped(Forged(model).schema)


def misnumber(numbers: dict[str, Any]) -> None:
    """Give all words of a vocabulary a number far outside of it."""
    numbers.update({name: node(2**40) for name in numbers})


def step_of(file: Forged, i: int) -> dict[str, Any]:
    """Return the node of the state of a pipeline's step."""
    return file.state["steps"]["content"][i]["content"][1]["content"]


for sentence, refused, model, change in (
    ("A pattern of words does not hang", "token_pattern must be", "texts", {"token_pattern": r"(\w+\s*)+$"}),
    ("Texts are not read from files", "input must be one of", "texts", {"input": "filename"}),
    ("The degree of polynomials is moderate", "degree must be", "polynomials", {"degree": 10**6}),
    ("Polynomials have no billion terms", "n_output_features_ must be", "polynomials", {"n_output_features_": 10**12}),
):
    forged(
        PAYLOADS,
        "parameter",
        sentence,
        refused,
        lambda f, change=change: [put(step_of(f, 0), name, node(value)) for name, value in change.items()],
        model,
    )


for model in ("texts", "dicts"):
    forged(
        PAYLOADS,
        "parameter",
        f"Sparse matrices of {model} are not written outside their memory",
        "vocabulary_ must be a dict whose values are the integers from 0 on",
        lambda f: misnumber(step_of(f, 0)["content"]["vocabulary_"]["content"]),
        model,
    )

# ---- weights


def weights(sentence: str, refused: str, change: Any) -> None:
    """Add a payload with another array in place of the first weights."""

    def forge(file: Forged) -> None:
        _, entry = file.first_weights()
        file.entries[entry] = array(change(np.load(io.BytesIO(file.entries[entry]))))

    forged(PAYLOADS, "weights", sentence, refused, forge)


def with_number(value: float) -> Any:
    def change(found: Any) -> Any:
        found[0, 0] = value
        return found

    return change


weights(
    "Weights that are not numbers are named", r"tensor 'recurrent.cells.0.weight_ih' .*not finite", with_number(np.nan)
)
weights(
    "Weights that are infinite are named", r"tensor 'recurrent.cells.0.weight_ih' .*not finite", with_number(-np.inf)
)
weights("Weights of another shape are refused", "does not match the fitted one", lambda w: w[:-1])
weights("Weights without axes are refused", "does not match the fitted one", lambda w: np.float32(3))
weights("Weights of no rows are refused", "does not match the fitted one", lambda w: w[:0])
weights("Complex weights are refused", "must be an array of kind", lambda w: w.astype("c16"))
weights("Texts are no weights", "must be an array of kind", lambda w: w.astype("U8"))
weights("Times are no weights", "must be an array of kind", lambda w: w.astype("i8").astype("M8[s]"))
weights("Weights in the other order of bytes are an error", "cannot be read", lambda w: w.astype(">f4"))


def module(change: Any) -> Any:
    return lambda file: change(file.state["_net_state"]["content"]["module"])


forged(
    PAYLOADS,
    "weights",
    "A network without weights is an error",
    "does not match the fitted one|larger than",
    module(lambda m: (m["content"].clear(), m.update(key_types=node([])))),
)
forged(
    PAYLOADS,
    "weights",
    "A tensor that the network does not have is refused",
    "does not match the fitted one",
    module(lambda m: put(m, "hook", m["content"]["head.bias"])),
)
forged(PAYLOADS, "weights", "A tensor is no number", "must be an array", module(lambda m: put(m, "head.bias", node(5))))
for value in (0, -1, "all", 2.5, 10**30, None):
    forged(
        PAYLOADS,
        "weights",
        f"A batch size of {value!r} is refused",
        SIZE,
        lambda f, value=value: put(f.state["_net_state"], "batch_size", node(value)),
    )
forged(
    PAYLOADS,
    "weights",
    "The state of the network has no other entries",
    "must not have the entry 'criterion'",
    lambda f: put(f.state["_net_state"], "criterion", node("id")),
)
forged(
    PAYLOADS,
    "weights",
    "The state of the optimizer holds no functions",
    "must be plain data",
    lambda f: f.state["_net_state"]["content"].update(optimizer=node({"#0": {"exp_avg": EXP}})),
)
state("A model without a codec is an error", "no target codec|must be", _codec=node(None), kind="attribute")
state("Labels are texts or numbers", "must be", classes_=node([EXP]), kind="attribute")


@pytest.mark.parametrize("each", tries(PAYLOADS))
def test_a_forged_state_is_refused_or_harmless(each: Payload, attacked: Any, harmless: Any) -> None:
    harmless(*attacked(each.sentence, each.action, each.make, Bench.at), each.refused)
