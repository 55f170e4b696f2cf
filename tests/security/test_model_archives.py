"""Forged archives: what is refused before anything is unpacked."""

from __future__ import annotations

import os
import pickle
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forging import Bench, Forged, Payload, array, forged, payload, tries

PAYLOADS: list[Payload] = []
NOT_READ = "is not read: "


class Command:
    """Runs a command when pickle reads it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def entry(change: Any, *, compression: int = zipfile.ZIP_STORED) -> Any:
    """Return a function that writes a sound model with one more entry, or a changed one."""

    def make(bench: Bench) -> Path:
        path = Forged().write(bench.file)
        with zipfile.ZipFile(path, "a", compression) as archive:
            change(archive)
        return path

    return make


def info(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.external_attr = mode << 16
    return found


@payload(PAYLOADS, "archive", "A pickle under the name of a model is not read", refused="cannot be read|is not read")
def renamed_pickle(bench: Bench) -> Path:
    bench.file.write_bytes(pickle.dumps(Command(bench.marker)))
    return bench.file


@payload(PAYLOADS, "archive", "A pickle in place of an array is not read", refused="is an array of object")
def pickle_inside(bench: Bench) -> Path:
    file = Forged()
    hostile = np.empty(1, dtype=object)
    hostile[0] = Command(bench.marker)
    file.entries[file.first_weights()[1]] = array(hostile, allow_pickle=True)
    return file.write(bench.file)


@payload(PAYLOADS, "archive", "A pickle without a header in place of an array is not read", refused="is no array")
def bare_pickle_inside(bench: Bench) -> Path:
    file = Forged()
    file.entries[file.first_weights()[1]] = pickle.dumps(Command(bench.marker))
    return file.write(bench.file)


for name in (
    "../ran",
    "/tmp/ran",
    "a/../../ran",
    "..\\ran",
    "C:\\ran.npy",
    "ran\0.npy",
    "sub/1.npy",
    "ran.so",
    "x" * 200 + ".npy",
):
    PAYLOADS.append(
        Payload(
            "archive",
            f"An entry may not be called {name[:30]!r}",
            entry(lambda archive, name=name: archive.writestr(info(name), b"")),
            NOT_READ + "the entry .* is neither",
            "load",
            False,
        )
    )
for what, mode in {"link": stat.S_IFLNK, "device": stat.S_IFCHR, "pipe": stat.S_IFIFO}.items():
    PAYLOADS.append(
        Payload(
            "archive",
            f"An entry may not be a {what}",
            entry(lambda archive, mode=mode: archive.writestr(info("1.npy", mode | 0o777), b"/dev/zero")),
            "is a link or device",
            "load",
            False,
        )
    )


@payload(PAYLOADS, "archive", "An array may not occur twice", refused="the entry .* occurs twice")
def duplicate_array(bench: Bench) -> Path:
    file = Forged()
    path = file.write(bench.file)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(file.first_weights()[1], array(np.ones(3)))
    return path


@payload(PAYLOADS, "archive", "The description may not occur twice", refused="'schema.json' occurs twice")
def duplicate_description(bench: Bench) -> Path:
    path = Forged().write(bench.file)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("schema.json", Forged().entries["schema.json"])
    return path


PAYLOADS.append(
    Payload(
        "archive",
        "An array that is a thousand times larger than compressed is not unpacked",
        entry(lambda archive: archive.writestr("1.npy", bytes(20 * 2**20)), compression=zipfile.ZIP_DEFLATED),
        "would become 20,971,520 bytes",
        "load",
        False,
    )
)


@payload(
    PAYLOADS,
    "archive",
    "A description that is a thousand times larger than compressed is not unpacked",
    refused="would become",
)
def bomb_as_description(bench: Bench) -> Path:
    with zipfile.ZipFile(bench.file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b'{"a": "' + b"a" * (20 * 2**20) + b'"}')
    return bench.file


@payload(PAYLOADS, "archive", "A forged size of an entry allocates nothing", refused="would become|cannot be read")
def forged_size(bench: Bench) -> Path:
    path = Forged().write(bench.file)
    data = bytearray(path.read_bytes())
    record = data.find(b"PK\x01\x02")
    data[record + 24 : record + 28] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(data)
    return path


@payload(
    PAYLOADS, "archive", "Too many entries are refused before they are listed", refused="more than 100,000 entries"
)
def many_entries(bench: Bench) -> Path:
    bench.file.write_bytes(b"PK\x01\x02" * 100_001 + Forged().write(bench.file).read_bytes())
    return bench.file


@payload(PAYLOADS, "archive", "An encrypted entry is refused", refused="is encrypted")
def encrypted(bench: Bench) -> Path:
    path = Forged().write(bench.file)
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    return path


PAYLOADS.append(
    Payload(
        "archive",
        "Other methods of compression are refused",
        entry(lambda archive: archive.writestr("1.npy", bytes(100)), compression=zipfile.ZIP_LZMA),
        "another method than deflate",
        "load",
        False,
    )
)
for n in (0, 2, 100, 5000):
    PAYLOADS.append(
        Payload(
            "archive",
            f"A file that ends after {n} bytes is an error",
            lambda bench, n=n: (bench.file.write_bytes(Forged().write(bench.file).read_bytes()[:n]), bench.file)[1],
            "cannot be read|is not read",
            "load",
            False,
        )
    )


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    """Return an array with a header of any text."""
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text.encode() + bytes(36)


def described(dtype: str, shape: str) -> bytes:
    return header(f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}")


HEADERS = {
    "A shape of terabytes is not allocated": (described("'<f4'", "(1000000, 1000000)"), "its header describes"),
    "A negative axis is refused": (described("'<f4'", "(-9, -1)"), "which no array has"),
    "A huge axis beside an empty one is refused": (described("'<f4'", f"(0, {2**62})"), "which no array has"),
    "Numbers of no bytes are refused": (described("'<V0'", "(1000000000000,)"), "is an array of"),
    "Named fields are refused": (described("[('a', '<f4')]", "(9,)"), "is an array of"),
    "Arrays in arrays are refused": (described("('<f4', (9,))", "(1,)"), "is an array of|is no array"),
    "Objects are refused": (described("'|O'", "(9,)"), "is an array of object"),
    "Code in a header is not run": (header("__import__('os').system('touch ran')"), "is no array"),
    "A deeply nested header is refused": (header("(" * 5000 + ")" * 5000), "is no array"),
    "A header of an unknown version is refused": (header("{}", b"\x07\x00"), "is no array"),
    "A shape that is no tuple is refused": (described("'<f4'", "9"), "is no array"),
    "A data type that is no text is refused": (described("9", "(9,)"), "is no array"),
    "An axis that is a fraction is refused": (described("'<f4'", "(9.5,)"), "is no array"),
}
for sentence, (content, refused) in HEADERS.items():
    forged(
        PAYLOADS,
        "array header",
        sentence,
        refused,
        lambda f, content=content: f.entries.update({f.first_weights()[1]: content}),
    )
forged(
    PAYLOADS,
    "array header",
    "An array that is not there is an error",
    "does not have",
    lambda f: f.entries.pop(f.first_weights()[1]),
)


# ---- what is no file


@payload(PAYLOADS, "special file", "A pipe is not waited for", refused="is a pipe, not a file")
def pipe(bench: Bench) -> Path:
    os.mkfifo(bench.file)
    return bench.file


PAYLOADS.append(
    Payload(
        "special file",
        "An endless device is not read",
        lambda _: Path("/dev/zero"),
        "is a device, not a file",
        "load",
        False,
    )
)


@payload(PAYLOADS, "special file", "A link to an endless device is not read", refused="is a device, not a file")
def linked_device(bench: Bench) -> Path:
    bench.file.symlink_to("/dev/zero")
    return bench.file


PAYLOADS.append(
    Payload(
        "special file", "A folder is no model", lambda bench: bench.folder, "is a folder, not a file", "load", False
    )
)


@pytest.mark.parametrize("each", tries(PAYLOADS))
def test_a_forged_archive_is_refused(each: Payload, attacked: Any, harmless: Any) -> None:
    harmless(*attacked(each.sentence, each.action, each.make, Bench.at), each.refused)
