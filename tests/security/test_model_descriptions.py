"""Forged descriptions of models: what is refused before any object is created."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forging import (
    Bench,
    Forged,
    Payload,
    array,
    described,
    forged,
    json_node,
    list_node,
    node,
    payload,
    tries,
    type_node,
)

PAYLOADS: list[Payload] = []
CALLS = "which can call functions"
FOREIGN = "which is no estimator, cell or data class"
GRU = "seqpipe.cells._gru.GRUCell"
CLASSIFIER = "seqpipe.estimators._classifier.SequenceClassifier"


def attribute(sentence: str, value: Any, refused: str) -> None:
    """Add a payload that is a classifier with a node as attribute ``classes_``."""
    kind = "creation" if refused != FOREIGN else "foreign type"
    forged(PAYLOADS, kind, sentence, refused, lambda f: f.set(classes_=value(f) if callable(value) else value))


def function(name: str) -> dict[str, Any]:
    return described(name, "FunctionNode")


# ---- ways of creation that call something

attribute(
    "A bound method is not made",
    described(GRU, "MethodNode", content={"func": "step", "obj": described(GRU, "ObjectNode")}),
    CALLS,
)
attribute(
    "A partial call is not made",
    described(
        "functools.partial",
        "PartialNode",
        content={"func": function("posix.system"), "args": node(("id",)), "kwds": node({}), "namespace": node(None)},
    ),
    "holds|" + CALLS,
)
attribute(
    "A method caller is not made",
    described("operator.methodcaller", "OperatorFuncNode", attrs=node(("system", "id"))),
    "holds|" + CALLS,
)
attribute(
    "The constructor of a trusted class is not called with arguments of the file",
    described(GRU, "ConstructorFromReduceNode", content=node((1_000_000, 1_000_000))),
    CALLS,
)
attribute(
    "A metric is not called with arguments of the file",
    described("sklearn.metrics._classification.accuracy_score", "ConstructorFromReduceNode", content=node(([1], [1]))),
    CALLS,
)
attribute("Bytes are not needed", described("builtins.bytes", "BytesNode", file="schema.json"), "holds|" + CALLS)
attribute(
    "A default factory is not called",
    described(
        "collections.defaultdict", "DefaultDictNode", content={"main": node({}), "default_factory": type_node(GRU)}
    ),
    "holds|" + CALLS,
)
attribute(
    "A reference to an earlier object is not followed",
    {"__class__": None, "__module__": None, "__loader__": "CachedNode", "__id__": 1},
    "holds|" + CALLS,
)
attribute("A loader that does not exist is refused", described("builtins.str", "NoNode"), "holds|" + CALLS)
attribute(
    "A generator of random numbers is not restored",
    described("numpy.random._generator.Generator", "RandomGeneratorNode", content={}),
    "holds|" + CALLS,
)
attribute("A quantile forest is not made", described("os.system", "QuantileForestNode"), "holds|" + CALLS)

# ---- classes under the loader of another

for loader, more in {
    "DictNode": {"key_types": list_node([]), "content": {}},
    "ListNode": {"content": []},
    "TupleNode": {"content": []},
    "SetNode": {"content": []},
    "MaskedArrayNode": {"content": {}},
    "SliceNode": {"content": {"start": 0, "stop": 1, "step": 1}},
    "RandomStateNode": {"content": {}},
    "DTypeNode": {"content": {}},
}.items():
    attribute(
        f"{loader} calls no other class", described(GRU, loader, **more), r"is described as seqpipe.cells._gru.GRUCell"
    )
attribute(
    "The numbers of an array are not passed to a function",
    lambda f: described(
        "sklearn.metrics._regression.r2_score", "NdArrayNode", type="numpy", file=f.add(array(3.0), "forged.npy")
    ),
    "is described as sklearn",
)
attribute(
    "The names in a dict are not passed to a class",
    described("builtins.dict", "DictNode", key_types=list_node([type_node(GRU)]), content={"9": json_node(1)}),
    "must be texts or numbers",
)
attribute(
    "The names in a dict are not passed to a function",
    described(
        "builtins.dict",
        "DictNode",
        key_types=list_node([function("sklearn.metrics._classification.accuracy_score")]),
        content={"9": json_node(1)},
    ),
    "must be texts or numbers",
)
attribute(
    "A dict with more types of names than entries is refused",
    described("builtins.dict", "DictNode", key_types=list_node([type_node("builtins.str")]), content={}),
    "has 0 entries and 1 types",
)
attribute(
    "A plain value is a single one", described("builtins.str", "JsonNode", content='{"a": 1}'), "must be a single value"
)
attribute("A plain value is valid", described("builtins.str", "JsonNode", content="{"), "cannot be read|is not read")
attribute(
    "A description without contents is an error",
    described("builtins.list", "ListNode"),
    "is not described as skops does",
)
attribute("A description that is no object is an error", lambda f: list_node([]) | {"content": [5]}, "is not described")
attribute(
    "An array of a file that it is not is refused",
    described("numpy.ndarray", "NdArrayNode", type="numpy", file="schema.json"),
    "does not have",
)
attribute(
    "An array outside the archive is not read",
    described("numpy.ndarray", "NdArrayNode", type="numpy", file="/etc/passwd"),
    "does not have",
)
attribute(
    "An array of objects does not hold objects with other axes",
    lambda f: described(
        "numpy.ndarray",
        "NdArrayNode",
        type="json",
        shape=node((1, 1)),
        content=[described("numpy.ndarray", "NdArrayNode", type="numpy", file=f.first_weights()[1])],
    ),
    "must hold numbers and texts only",
)


def random_state(**replaced: Any) -> Any:
    def change(file: Forged) -> None:
        state = file.inside("random_state")
        for name, value in replaced.items():
            (state if name in state else state["state"]["content"])[name] = node(value)

    return change


for what, value in {"after its end": 10**9, "before its start": -5}.items():
    forged(
        PAYLOADS,
        "random state",
        f"A random state does not read numbers {what}",
        "must be an integer from 0 to 624",
        random_state(pos=value),
        "seeded",
    )
forged(
    PAYLOADS,
    "random state",
    "A random state has no other generator",
    "must be one of",
    random_state(bit_generator="seed"),
    "seeded",
)
forged(
    PAYLOADS,
    "random state",
    "A random state has as many numbers as it reads",
    "has a key that is",
    lambda f: f.inside("random_state")["state"]["content"]["key"].update(file=f.add(array(np.zeros(3, "u4")))),
    "seeded",
)

# ---- types that are not trusted

for name in (
    "os.system",
    "builtins.eval",
    "subprocess.Popen",
    "pickle.loads",
    "torch.hub.load",
    "numpy.testing._private.utils.runstring",
    "seqpipe.tracking._environment._git_tags",
    "seqpipe.cli._app.main",
):
    attribute(f"The function {name} is not trusted", function(name), FOREIGN)
for name in (
    "builtins.exec",
    "posix.system",
    "subprocess.Popen",
    "sklearn.linear_model._logistic.LogisticRegression",
    "torch.nn.modules.linear.Linear",
    "seqpipe.specs.CellSpec",
):
    attribute(f"The class {name} is not named", type_node(name), FOREIGN)
for name in (
    "builtins.object",
    "pathlib.PosixPath",
    GRU,
    "torch.optim.sgd.SGD",
    "sklearn.utils._mocking.CheckingClassifier",
    "sklearn.tests.metadata_routing_common.ConsumingRegressor",
    "sklearn.experimental.enable_halving_search_cv.HalvingGridSearchCV",
    "seqpipe.tracking._writer.Writer",
    "seqpipe.__main__.main",
    "__main__.Model",
):
    attribute(f"An object of {name} is not made", described(name, "ObjectNode", content=node({})), FOREIGN)


@payload(PAYLOADS, "foreign type", "A module that a file names is not imported", refused=FOREIGN)
def imported(bench: Bench) -> Path:
    (bench.folder / "hostile.py").write_text(f"open({str(bench.marker)!r}, 'w')")
    return Forged().set(cell=type_node("hostile.Cell")).write(bench.file)


forged(
    PAYLOADS,
    "foreign type",
    "A cell is not found by the path of a class",
    "must be one of|not one of|No cell|is not read|cannot be read",
    lambda f: f.set(cell="os.system"),
)
for name in (
    "scipy.sparse._csr.csr_matrix",
    "sklearn.tree._tree.Tree",
    "sklearn.preprocessing._encoders.OneHotEncoder",
    "sklearn.neighbors._kd_tree.KDTree",
):
    attribute(
        f"{name} is refused under any loader",
        described(name, "ListNode", content=[]),
        "Compiled code follows the numbers",
    )


# ---- size and depth


@payload(
    PAYLOADS, "size", "A description that is nested deeply is refused", refused="nested more than 100 levels|no JSON"
)
def deep(bench: Bench) -> Path:
    file, inner = Forged(), json_node(1)
    for _ in range(200):
        inner = list_node([inner])
    return file.set(classes_=inner).write(bench.file)


@payload(PAYLOADS, "size", "A description that is nested more than any parser reads is refused", refused="is no JSON")
def bottomless(bench: Bench) -> Path:
    file = Forged()
    path = file.write(bench.file)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", "[" * 100_000 + "]" * 100_000)
    return path


@payload(PAYLOADS, "size", "References do not multiply", refused="one of too many objects")
def laughs(bench: Bench) -> Path:
    file, inner = Forged(), json_node(1) | {"__id__": 1}
    for level in range(2, 60):
        inner = list_node([inner, {"__id__": level - 1, "__loader__": "ListNode"}]) | {"__id__": level}
    return file.set(history_=inner).write(bench.file)


@payload(PAYLOADS, "size", "An object does not contain itself", refused="contains itself")
def endless(bench: Bench) -> Path:
    inner = list_node([]) | {"__id__": 7}
    inner["content"] = [{"__id__": 7, "__loader__": "ListNode"}]
    return Forged().set(history_=inner).write(bench.file)


for protocol in (0, 1, 3, True, "2", None):
    forged(
        PAYLOADS,
        "creation",
        f"The rules of protocol {protocol!r} are not used",
        "version 2 of the format",
        lambda f, protocol=protocol: f.schema.update(protocol=protocol),
    )
for text in ("", "null", "[]", '"a"', "{"):

    def write(bench: Bench, text: str = text) -> Path:
        with zipfile.ZipFile(bench.file, "w") as archive:
            archive.writestr("schema.json", text)
        return bench.file

    PAYLOADS.append(Payload("creation", f"A description {text!r} is an error", write, "is not read", "load", False))
forged(
    PAYLOADS,
    "creation",
    "Names that are no texts are an error",
    "holds None.5",
    lambda f: f.schema.update(json.loads('{"__class__": 5, "__module__": null}')),
)


@pytest.mark.parametrize("each", tries(PAYLOADS))
def test_a_forged_description_is_refused(each: Payload, attacked: Any, harmless: Any) -> None:
    harmless(*attacked(each.sentence, each.action, each.make, Bench.at), each.refused)
