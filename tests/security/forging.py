"""Forged model files: sound ones whose description, arrays or archive are changed."""

from __future__ import annotations

import copy
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures

import seqpipe
from seqpipe.tracking._model import save_model

__all__ = [
    "Bench",
    "Forged",
    "Payload",
    "array",
    "copied",
    "described",
    "forged",
    "json_node",
    "list_node",
    "node",
    "payload",
    "put",
    "sound",
    "tries",
    "type_node",
]

X = np.random.default_rng(0).normal(size=(12, 6, 2)).astype("f4")
TINY: dict[str, Any] = {"hidden_size": 3, "max_epochs": 1, "random_state": 0}
LABELS = np.arange(12) % 2

#: The sound models.
MODELS: dict[str, Callable[[], Any]] = {
    "classifier": lambda: seqpipe.SequenceClassifier(**TINY).fit(X, LABELS),
    "ensemble": lambda: seqpipe.SequenceRegressor(n_members=2, **TINY).fit(X, X[:, -1, 0]),
    "dicts": lambda: make_pipeline(DictVectorizer(), LogisticRegression()).fit(
        [{"a": 1, "b": 2}, {"a": 2}] * 6, LABELS
    ),
    "forecaster": lambda: seqpipe.Forecaster(seqpipe.SequenceRegressor(**TINY), window=4).fit(np.sin(np.arange(30.0))),
    "function": lambda: make_pipeline(FunctionTransformer(np.exp), Ridge()).fit(X[:, 0], LABELS),
    "outputs": lambda: MultiOutputRegressor(Ridge()).fit(X[:, 0], X[:, 1]),
    "padding": lambda: seqpipe.PadSequences().fit(X),
    "pipeline": lambda: make_pipeline(seqpipe.SequenceScaler(), seqpipe.SequenceClassifier(**TINY)).fit(X, LABELS),
    "polynomials": lambda: make_pipeline(PolynomialFeatures(2), Ridge()).fit(X[:, 0], LABELS),
    "seeded": lambda: seqpipe.SequenceClassifier(
        hidden_size=3, max_epochs=1, random_state=np.random.RandomState(0)
    ).fit(X, LABELS),
    "steps": lambda: seqpipe.StepClassifier(**TINY).fit(X, (X[:, :, 0] > 0).astype(int)),
    "texts": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["ab ab", "cd cd"] * 6, LABELS),
    "translator": lambda: seqpipe.SequenceTranslator(**TINY).fit(["ab", "ba"] * 6, ["ba", "ab"] * 6),
}


@cache
def sound(name: str) -> dict[str, bytes]:
    """Return the entries of a sound model's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skops"
        seqpipe.save(MODELS[name](), path)
        with zipfile.ZipFile(path) as archive:
            return {each: archive.read(each) for each in archive.namelist()}


class Forged:
    """The contents of a sound model's file, to be changed."""

    def __init__(self, model: str = "classifier") -> None:
        self.entries = dict(sound(model))
        self.schema = json.loads(self.entries["schema.json"])

    @property
    def state(self) -> dict[str, Any]:
        """The nodes of the attributes of the model."""
        return self.schema["content"]["content"]

    def inside(self, *names: str | int) -> dict[str, Any]:
        """Return the nodes of the attributes or entries of something inside the model."""
        found: Any = self.state
        for name in names:
            found = found[name]["content"]
            found = found["content"] if "content" in found and "__loader__" in found else found
        return found

    def set(self, **nodes: Any) -> Forged:
        """Replace or add attributes; plain values become nodes."""
        for name, value in nodes.items():
            put(self.schema["content"], name, value if is_node(value) else node(value))
        return self

    def add(self, content: bytes, name: str = "forged.npy") -> str:
        """Add an entry and return its name."""
        self.entries[name] = content
        return name

    def first_weights(self) -> tuple[str, str]:
        """Return the name of a tensor and that of its entry."""
        name, found = next(
            (name, found) for name, found in self.inside("_net_state", "module").items() if "weight" in name
        )
        return name, found["file"]

    def write(self, path: Path, compression: int = zipfile.ZIP_STORED) -> Path:
        """Write the file."""
        self.entries["schema.json"] = json.dumps(self.schema).encode()
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in self.entries.items():
                archive.writestr(name, content)
        return path


def put(described: dict[str, Any], name: str, value: Any) -> None:
    """Set an entry of a node that describes a dict."""
    if name not in described["content"]:
        described["key_types"]["content"].append(type_node("builtins.str"))
        described["key_types"]["__id__"] = described["__id__"] = None
    described["content"][name] = value


def is_node(value: Any) -> bool:
    """Return whether a value is a node already."""
    return isinstance(value, dict) and "__loader__" in value


def described(name: str, loader: str, **more: Any) -> dict[str, Any]:
    """Return a node for a class or function."""
    module, _, attribute = name.rpartition(".")
    return {"__class__": attribute, "__module__": module, "__loader__": loader, **more}


def json_node(value: Any) -> dict[str, Any]:
    """Return the node of a plain value."""
    return described("builtins.str", "JsonNode", content=json.dumps(value), is_json=True)


def list_node(items: list[Any], name: str = "builtins.list", loader: str = "ListNode") -> dict[str, Any]:
    """Return the node of a list."""
    return described(name, loader, content=[item if is_node(item) else node(item) for item in items])


def type_node(name: str) -> dict[str, Any]:
    """Return the node of a class."""
    return described(name, "TypeNode")


def node(value: Any, kind: str = "builtins.dict") -> dict[str, Any]:
    """Return the node of plain data."""
    if isinstance(value, tuple):
        return list_node(list(value), "builtins.tuple", "TupleNode")
    if isinstance(value, list):
        return list_node(value)
    if isinstance(value, dict):
        types = list_node([type_node("builtins.str") for _ in value])
        content = {name: item if is_node(item) else node(item) for name, item in value.items()}
        return described(kind, "DictNode", key_types=types, content=content)
    return json_node(value)


def array(values: Any, **settings: Any) -> bytes:
    """Return an array as an entry."""
    buffer = io.BytesIO()
    np.save(buffer, values, **settings)
    return buffer.getvalue()


@dataclass(frozen=True)
class Bench:
    """Where a payload is made.

    Attributes
    ----------
    folder : Path
        Its folder.
    marker : Path
        A file that must not appear.
    """

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Bench:
        """Create the folder."""
        folder.mkdir()
        return cls(folder)

    @property
    def file(self) -> Path:
        """Path of a model's file."""
        return self.folder / "model.skops"

    @property
    def marker(self) -> Path:
        """A file that must not appear."""
        return self.folder.parent / "ran"

    def logged(self) -> Path:
        """Return the folder of a sound model, as MLflowTracker logs it."""
        place = self.folder / "logged"
        for name, content in _sound_folder().items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
        (self.folder / "rows.csv").write_text("series,a,b\n1,1,2\n1,2,3\n")
        return place

    def described(self, old: str, new: str) -> Path:
        """Return the folder of a model in whose description a text is replaced."""
        place = self.logged()
        text = (place / "MLmodel").read_text()
        assert old in text
        (place / "MLmodel").write_text(text.replace(old, new, 1))
        return place


@cache
def _sound_folder() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        table = {"task": "classify", "roles": {"id": "series", "features": ["a", "b"], "target": ["y"]}}
        save_model(MODELS["classifier"](), X, place, metadata={"seqpipe": table})
        return {str(each.relative_to(place)): each.read_bytes() for each in place.rglob("*") if each.is_file()}


@dataclass(frozen=True)
class Payload:
    """A file that tries something, and the sentence that it proves."""

    kind: str
    sentence: str
    make: Callable[[Bench], Path]
    refused: str | None
    action: str
    slow: bool


def payload(
    found: list[Payload],
    kind: str,
    sentence: str,
    *,
    refused: str | None = None,
    action: str = "load",
    slow: bool = False,
) -> Callable[[Callable[[Bench], Path]], Callable[[Bench], Path]]:
    """Add a payload to a list, made by the decorated function."""

    def add(make: Callable[[Bench], Path]) -> Callable[[Bench], Path]:
        found.append(Payload(kind, sentence, make, refused, action, slow))
        return make

    return add


def forged(
    found: list[Payload], kind: str, sentence: str, refused: str | None, change: Any, model: str = "classifier"
) -> None:
    """Add a payload that is a sound model's file after ``change(file)``."""

    def make(bench: Bench) -> Path:
        file = Forged(model)
        change(file)
        return file.write(bench.file)

    found.append(Payload(kind, sentence, make, refused, "load", False))


def tries(payloads: list[Payload]) -> list[Any]:
    """Return the payloads as parameters of a test, which skips the slow ones unless SEQPIPE_FAULTS is set."""
    slow = pytest.mark.skipif("SEQPIPE_FAULTS" not in os.environ, reason="SEQPIPE_FAULTS is not set")
    return [pytest.param(each, id=each.sentence, marks=[slow] if each.slow else []) for each in payloads]


def copied(value: Any) -> Any:
    """Return a deep copy."""
    return copy.deepcopy(value)
