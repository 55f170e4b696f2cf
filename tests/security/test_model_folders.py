"""Forged folders of logged models: links, descriptions and metadata."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from forging import Bench, Payload, payload, tries

PAYLOADS: list[Payload] = []
LINKS = "replace links by the files"


def add(sentence: str, make: Any, refused: str | None, *, kind: str = "MLmodel", action: str = "load_model") -> None:
    PAYLOADS.append(Payload(kind, sentence, make, refused, action, False))


def linked(name: str, target: str) -> Any:
    def make(bench: Bench) -> Path:
        folder = bench.logged()
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
        return folder

    return make


for name in ("model.skops", "MLmodel", "input_example.json", "more"):
    add(
        f"A model whose {name} is a link to an endless device is refused",
        linked(name, "/dev/zero"),
        LINKS,
        kind="special file",
    )
add("A link out of the folder of a model is refused", linked("more", "/etc"), LINKS, kind="special file")
add("A link to nowhere is refused", linked("more", "nowhere"), LINKS, kind="special file")
add("A link inside the folder of a model is refused", linked("more", "MLmodel"), LINKS, kind="special file")
for action in ("predict", "serve"):
    add(
        f"{action} does not wait for an endless model",
        linked("model.skops", "/dev/zero"),
        LINKS,
        kind="special file",
        action=action,
    )


@payload(
    PAYLOADS,
    "special file",
    "A pipe in the folder of a model is not waited for",
    refused="is a pipe",
    action="load_model",
)
def pipe(bench: Bench) -> Path:
    folder = bench.logged()
    (folder / "MLmodel").unlink()
    os.mkfifo(folder / "MLmodel")
    return folder


@payload(
    PAYLOADS,
    "special file",
    "A folder of very many files is refused",
    refused="more than 10,000 files",
    action="load_model",
    slow=True,
)
def many_files(bench: Bench) -> Path:
    folder = bench.logged()
    (folder / "code").mkdir()
    for n in range(10_001):
        (folder / "code" / f"{n}").touch()
    return folder


# ---- what the description says


def description(change: Any) -> Any:
    """Return a function that makes a model with another description: ``change(text, bench)``."""

    def make(bench: Bench) -> Path:
        folder = bench.logged()
        text = (folder / "MLmodel").read_text()
        changed = change(text, bench)
        (folder / "MLmodel").write_bytes(changed if isinstance(changed, bytes) else changed.encode())
        return folder

    return make


def replaced(old: str, new: str) -> Any:
    def change(text: str, bench: Bench) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return description(change)


BROKEN = "cannot be read, because of its file 'MLmodel'"
LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
for tag in (
    "!!python/object/apply:os.system ['id']",
    "!!python/name:os.system",
    "!!python/module:os",
    "!hostile {}",
    "!!set {a}",
):
    add(
        f"The tag {tag.partition(' ')[0]} in a description is refused",
        description(lambda text, _, tag=tag: f"{text}x: {tag}\n"),
        BROKEN,
    )
add("Aliases in aliases are refused", description(lambda text, _: f"{text}a0: &a0 [x]\n{LAUGHS}"), BROKEN)
add("Very many aliases are refused", description(lambda text, _: f"{text}a: &a x\nb: [{'*a, ' * 200}]\n"), BROKEN)
add(
    "Deep nesting in a description is refused",
    description(lambda text, _: f"{text}x: {'[' * 5000}{']' * 5000}\n"),
    BROKEN,
)
add(
    "A description of megabytes is refused",
    description(lambda text, _: text + "# " + "x" * 2**21),
    "more than the 1,048,576",
)
add("A description that is no text is refused", description(lambda text, _: b"\xff\xfe\x00"), BROKEN)
add("An empty description is refused", description(lambda text, _: ""), "must describe a model of scikit-learn")
add(
    "A description that is a list is refused",
    description(lambda text, _: "[1, 2]"),
    "must describe a model of scikit-learn",
)
add(
    "Flavors that are a text are refused",
    description(lambda text, _: "flavors: id"),
    "must describe a model of scikit-learn",
)
add(
    "A flavor without fields is refused",
    description(lambda text, _: "flavors: {sklearn: {}}"),
    "'serialization_format' must be a text",
)
for written in ("pickle", "cloudpickle", "joblib", "hostile"):
    add(
        f"A model that says it is written with {written} is not read",
        replaced("serialization_format: skops", f"serialization_format: {written}"),
        f"written with '{written}', which runs code",
    )
for name in ("../model.skops", "/etc/passwd", "a/b.skops", "..", ".hidden", "'model.skops\\0'", "[1]"):
    add(f"The file of a model is not {name}", replaced("pickled_model: model.skops", f"pickled_model: {name}"), BROKEN)
add(
    "A file that is not there is an error",
    replaced("pickled_model: model.skops", "pickled_model: other"),
    "its file 'other' cannot",
)
add("A file that is a folder is an error", lambda bench: folder_instead(bench), "is a folder, not a file")


def folder_instead(bench: Bench) -> Path:
    folder = bench.logged()
    (folder / "model.skops").unlink()
    (folder / "model.skops").mkdir()
    return folder


def code_in(bench: Bench) -> Path:
    """Return a model that names a module of its own as loader, whose import creates the marker."""
    folder = bench.described("loader_module: seqpipe.tracking.serving", "loader_module: hostile\n    code: code")
    (folder / "code").mkdir()
    (folder / "code" / "hostile.py").write_text(f"open({str(bench.marker)!r}, 'w')\n")
    return folder


for action in ("load_model", "predict", "serve"):
    add(f"{action} imports no code of a model", code_in, None, action=action, kind="code")
add(
    "The types that a model declares as trusted are not",
    replaced("skops_trusted_types:\n", "skops_trusted_types:\n    - os.system\n"),
    None,
    kind="code",
)


@payload(PAYLOADS, "MLmodel", "A description that is not there is an error", refused=BROKEN, action="load_model")
def without_description(bench: Bench) -> Path:
    folder = bench.logged()
    (folder / "MLmodel").unlink()
    return folder


# ---- metadata, which prediction from a table follows

DAMAGED = "The metadata of the model .* is damaged"
for old, new in (
    ("task: classify", "task: {a: b}"),
    ("id: series", "id: [1]"),
    ("target:", "targets:"),
    ("task: classify", "hook: os.system\n    task: classify"),
    ("roles:", "last_times: os.system\n    roles:"),
    ("roles:", "zone: 5\n    roles:"),
    ("roles:", "missing: os.system\n    roles:"),
    ("roles:", "form: {encoding: [utf-8]}\n    roles:"),
    ("roles:", "columns: 5\n    roles:"),
):
    add(
        f"Metadata with {new.splitlines()[0]!r} ends in our words",
        replaced(old, new),
        DAMAGED,
        kind="metadata",
        action="predict",
    )
add(
    "A task that is the path of a function is an error",
    replaced("task: classify", "task: os.system"),
    "task",
    kind="metadata",
    action="predict",
)
add(
    "Metadata that is a text is an error",
    replaced("metadata:\n  seqpipe:", "metadata:\n  other:"),
    "has no metadata about its columns",
    kind="metadata",
    action="predict",
)
add(
    "Metadata of a list is an error",
    description(
        lambda text, _: text.partition("metadata:")[0] + "metadata: [1]\n" + text[text.index("model_size_bytes") :]
    ),
    "'metadata' must consist of fields",
    kind="metadata",
)
for old, new in {"input: array": "input: os.system", "columns: []": "columns: [[a, b, c]]"}.items():
    add(f"A server does not read {new!r}", replaced(old, new), "cannot be served", kind="metadata", action="serve")


@pytest.mark.parametrize("each", tries(PAYLOADS))
def test_a_forged_folder_is_refused_or_harmless(each: Payload, attacked: Any, harmless: Any) -> None:
    harmless(*attacked(each.sentence, each.action, each.make, Bench.at), each.refused)
