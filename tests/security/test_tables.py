"""Data files made by an enemy, or damaged: refused in our words, before they take memory; none crashes the process.

Every payload is read by a child process, and the name of each is the sentence that it proves.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import read_table, write_fingerprint
from seqpipe.tables._thrift import read_struct

#: Number of bits that are flipped, one at a time, in each file.
FLIPS = 500 if os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0") else 25
#: The memory that a table may take here, and the most that the child process may have taken in the end.
LIMIT, PEAK = 50_000_000, 500_000_000

READ_ALL = """
import json, re, sys
from pathlib import Path
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import read_table

def peak():
    status = Path("/proc/self/status")
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) if status.exists() else 0

for path in sys.argv[1:]:
    try:
        said = f"read: {read_table(path).shape}"
    except InvalidSequencesError as error:
        said = str(error)
    print(json.dumps([path, said, peak()]), flush=True)
"""

PAYLOADS: dict[str, tuple[str, str, Callable[[Path], object]]] = {}


def payload(name: str, said: str) -> Callable[[Callable[[Path], object]], Callable[[Path], object]]:
    """Register what makes a payload called ``name``, of which the error must say this; the docstring is its sentence."""

    def register(make: Callable[[Path], object]) -> Callable[[Path], object]:
        PAYLOADS[make.__name__] = (name, said, make)
        return make

    return register


def parquet(path: Path, columns: dict[str, object], **options: object) -> None:
    pq.write_table(pa.table(columns), path, **{"compression": "zstd", **options})


# ---- a few bytes that stand for many

BIG = "x" * 1_000_000
ROWS = 400


@payload("a.parquet", "takes 67.1 MB of memory or more")
def a_run_of_one_number_is_counted_by_its_values(path: Path) -> None:
    parquet(path, {"x": np.zeros(2**23)})


@payload("a.parquet", "takes 67.1 MB of memory or more")
def a_run_of_numbers_in_a_single_list_is_counted(path: Path) -> None:
    values = pa.array(np.zeros(2**23, dtype=np.int8))
    parquet(path, {"x": pa.ListArray.from_arrays(pa.array([0, 2**23], pa.int32()), values)})


@payload("a.parquet", "takes 67.3 MB of memory or more")
def numbers_packed_as_differences_are_counted(path: Path) -> None:
    parquet(path, {"x": np.arange(2**23)}, use_dictionary=False, column_encoding={"x": "DELTA_BINARY_PACKED"})


def repeated() -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(ROWS, dtype=np.int32), [BIG])


@payload("a.parquet", "of memory or more")
def a_text_that_a_dictionary_repeats_is_counted_each_time(path: Path) -> None:
    parquet(path, {"s": repeated()}, store_schema=False)


@payload("a.parquet", "of memory or more")
def a_repeated_category_is_counted_as_the_text_that_it_becomes(path: Path) -> None:
    parquet(path, {"s": repeated()})


@payload("a.parquet", "of memory or more")
def a_text_in_one_list_that_a_dictionary_repeats_is_counted(path: Path) -> None:
    texts = pa.ListArray.from_arrays(pa.array([0, ROWS], pa.int32()), repeated())
    parquet(path, {"s": texts}, store_schema=False)


@payload("a.parquet", "of memory or more")
def a_repeated_text_in_a_struct_is_counted(path: Path) -> None:
    parquet(path, {"s": pa.StructArray.from_arrays([repeated()], ["a"])}, store_schema=False)


@payload("a.parquet", "of memory or more")
def texts_that_repeat_the_beginning_of_the_one_before_are_counted(path: Path) -> None:
    texts = [BIG] * 60
    parquet(path, {"s": texts}, use_dictionary=False, column_encoding={"s": "DELTA_BYTE_ARRAY"})


@payload("folder", "of memory or more")
def the_files_of_a_folder_share_one_limit(path: Path) -> None:
    path.mkdir()
    for name in ("a", "b"):
        parquet(path / f"{name}.parquet", {"x": np.zeros(2**22)})


@payload("a.csv.gz", "of memory or more")
def a_packed_csv_is_counted_by_the_bytes_of_its_lines(path: Path) -> None:
    path.write_bytes(gzip.compress(b"a,b\n" + (b"1," + b"x" * 10_000 + b"\n") * 10_000, compresslevel=1))


@payload("a.csv.gz", "the line has more than 33.6 MB")
def a_packed_line_without_an_end_is_not_read_to_its_end(path: Path) -> None:
    path.write_bytes(gzip.compress(b"a\n" + bytes([120]) * 40_000_000, compresslevel=1))


@payload("a.csv.gz", "the table has 150,000 columns. The limit is 100,000")
def a_header_of_very_many_columns_is_refused(path: Path) -> None:
    path.write_bytes(gzip.compress(",".join(f"c{i}" for i in range(150_000)).encode()))


# ---- metadata that lies


def number(value: int, n_bytes: int = 0) -> bytes:
    """Return a positive integer as Thrift's compact protocol writes it, in that many bytes or as few as possible."""
    value, out = 2 * value, b""
    while value > 127 or len(out) + 1 < n_bytes:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def with_footer(whole: bytes, change: Callable[[bytes], bytes]) -> bytes:
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    footer = change(whole[start:-8])
    return whole[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def plain(path: Path, values: object = None) -> bytes:
    """Write a file of one page with 1,000 values, and return its bytes."""
    parquet(path, {"x": np.arange(1000.0) if values is None else values}, use_dictionary=False, compression="none")
    return path.read_bytes()


@payload("a.parquet", "it declares 1099511627776 rows but has 1000 values")
def a_forged_number_of_rows_is_held_to_the_pages(path: Path) -> None:
    path.write_bytes(with_footer(plain(path), lambda footer: footer.replace(number(1000), number(2**40))))


@payload("a.parquet", "takes 8.6 GB of memory or more")
def a_forged_number_of_values_in_a_page_is_counted_before_it_is_unpacked(path: Path) -> None:
    values = pa.ListArray.from_arrays(pa.array([0, 1000], pa.int32()), pa.array(np.arange(1000.0)))
    whole = plain(path, values)
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(whole[:start].replace(number(1000), number(2**30), 1) + whole[start:])


@payload("a.parquet", "of memory or more")
def a_forged_size_of_a_page_is_counted_before_it_is_unpacked(path: Path) -> None:
    whole = plain(path)
    size = next(n for n in range(8000, 8100) if number(n) in whole[:20])
    path.write_bytes(whole[:4] + whole[4:30].replace(number(size), number(2**30), 1) + whole[30:])


@payload("a.parquet", "its metadata is longer than the file")
def a_forged_length_of_the_metadata_is_refused(path: Path) -> None:
    path.write_bytes(plain(path)[:-8] + (2**31).to_bytes(4, "little") + b"PAR1")


@payload("a.parquet", "the metadata is nested more than 32 deep")
def deeply_nested_metadata_is_refused(path: Path) -> None:
    path.write_bytes(with_footer(plain(path), lambda footer: b"\x1c" * 100_000))


@payload("a.parquet", "its schema is not a tree of up to 64 levels")
def a_deeply_nested_schema_is_refused(path: Path) -> None:
    values: object = pa.array([1.0])
    for _ in range(70):
        values = pa.StructArray.from_arrays([values], ["a"])
    parquet(path, {"x": values}, store_schema=False)


@payload("a.parquet", "the metadata ends early")
def a_forged_length_of_a_list_is_refused_before_it_is_made(path: Path) -> None:
    path.write_bytes(with_footer(plain(path), lambda footer: b"\x15\x04\x19\xfc" + b"\xff\xff\xff\xff\x0f" + footer))


@payload("a.parquet", "is in another file")
def a_column_in_another_file_is_not_followed(path: Path) -> None:
    other = b"/etc/passwd"

    def change(footer: bytes) -> bytes:
        start = footer.index(b"\x26\x00\x1c")  # of a column: its offset, 0, and its metadata
        return footer[:start] + b"\x18" + bytes([len(other)]) + other + b"\x16\x00" + footer[start + 2 :]

    path.write_bytes(with_footer(plain(path), change))


@payload("a.parquet", "read: (1, 1)")
def the_pickle_of_an_extension_type_is_not_loaded(path: Path) -> None:
    evil = pickle.dumps(Executes(path.parent / "executed"))
    marks = {"ARROW:extension:name": b"arrow.py_extension_type", "ARROW:extension:metadata": evil}
    schema = pa.schema([pa.field("x", pa.int64(), metadata=marks)])
    pq.write_table(pa.table({"x": [1]}, schema=schema), path)


class Executes:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (self.path, "executed"))


def with_lengths(path: Path, encoding: str, n_streams: int) -> None:
    """Write a page of 1,000 empty texts whose packed lengths state that there are 2**28 of them, in one block."""
    schema = pa.schema([pa.field("s", pa.string(), nullable=False)])
    options = {"column_encoding": {"s": encoding}, "use_dictionary": False, "compression": "none"}
    pq.write_table(pa.table({"s": [""] * 1000}, schema=schema), path, write_statistics=False, **options)
    whole = path.read_bytes()
    header, start = read_struct(whole, 4)
    many = b"\x80\x80\x80\x80\x01"
    lengths = (many + b"\x04" + many + bytes(6)) * n_streams
    change = len(lengths) - header[3]
    head = whole[4:start].replace(number(header[2]), number(header[2] + change, len(number(header[2]))))
    footer = whole[-8 - int.from_bytes(whole[-8:-4], "little") :]
    path.write_bytes(whole[:4] + head + lengths + footer)
    size = header[3] + start - 4
    path.write_bytes(
        with_footer(path.read_bytes(), lambda old: old.replace(number(size), number(size + change, len(number(size)))))
    )


@payload("a.parquet", "a page has more lengths than values")
def a_forged_number_of_packed_lengths_is_held_to_the_values_of_the_page(path: Path) -> None:
    with_lengths(path, "DELTA_LENGTH_BYTE_ARRAY", 1)


@payload("a.parquet", "a page has more lengths than values")
def a_forged_number_of_repeated_beginnings_is_held_to_the_values_of_the_page(path: Path) -> None:
    with_lengths(path, "DELTA_BYTE_ARRAY", 2)


@payload("a.parquet", "a dictionary of column 'x' ends early")
def a_forged_number_of_entries_of_a_dictionary_is_held_to_its_bytes(path: Path) -> None:
    parquet(path, {"x": np.arange(1000.0) % 300}, compression="none")
    whole = path.read_bytes()
    path.write_bytes(whole[:20].replace(number(300), number(8191), 1) + whole[20:])


@payload("a.parquet", "it does not end with PAR1")
def half_a_file_is_refused(path: Path) -> None:
    whole = plain(path)
    path.write_bytes(whole[: len(whole) // 2])


# ---- what is no file


@payload("a.csv", "the path is a pipe, not a file")
def a_pipe_does_not_hang(path: Path) -> None:
    os.mkfifo(path)


@payload("a.csv", "the path is a device, not a file")
def a_link_to_a_device_without_an_end_is_not_read_as_csv(path: Path) -> None:
    path.symlink_to("/dev/zero")


@payload("a.parquet", "the path is a device, not a file")
def a_link_to_a_device_without_an_end_is_not_read_as_parquet(path: Path) -> None:
    path.symlink_to("/dev/zero")


@payload("folder", "the folder contains no .parquet files")
def a_device_in_a_folder_is_not_read(path: Path) -> None:
    path.mkdir()
    (path / "a.parquet").symlink_to("/dev/zero")


# ---- fingerprints


@payload("a.csv", "the path is a device, not a file")
def a_fingerprint_that_leads_to_a_device_does_not_hang(path: Path) -> None:
    path.write_text("x\n1\n")
    path.with_name("a.csv.fingerprint").symlink_to("/dev/zero")


@payload("a.csv", "the fingerprint is damaged, or of another version")
def a_fingerprint_of_very_many_brackets_is_refused(path: Path) -> None:
    path.write_text("x\n1\n")
    path.with_name("a.csv.fingerprint").write_text("[" * 1_000_000)


@payload("folder", "the file 'b.parquet' is not in the fingerprint")
def a_file_slipped_into_a_folder_is_found_by_its_fingerprint(path: Path) -> None:
    path.mkdir()
    parquet(path / "a.parquet", {"x": [1.0]})
    write_fingerprint(path)
    parquet(path / "b.parquet", {"x": [2.0]})


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """What one child process says of each payload, and the memory that it had taken by then."""
    root = tmp_path_factory.mktemp("payloads")
    paths = {}
    for case, (name, _, make) in PAYLOADS.items():
        (root / case).mkdir()
        make(root / case / name)
        paths[str(root / case / name)] = case
    environment = {**os.environ, "SEQPIPE_MAX_TABLE": str(LIMIT)}
    command = [sys.executable, "-c", READ_ALL, *paths]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    assert not list(root.rglob("executed"))
    return {paths[path]: (said, peak) for path, said, peak in map(json.loads, ran.stdout.splitlines())}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices")
@pytest.mark.parametrize("case", PAYLOADS)
def test_a_payload_is_refused_in_our_words_within_the_limit(case: str, outcomes: dict[str, tuple[str, int]]) -> None:
    said, peak = outcomes[case]
    assert PAYLOADS[case][1] in said
    assert peak < PEAK


# ---- flipped bits

FLIP_BITS = """
import json, random, sys
from pathlib import Path
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import read_table
for path in map(Path, sys.argv[2:]):
    whole, good, draw = path.read_bytes(), read_table(path), random.Random(0)
    said = {"refused": 0, "equal": 0, "silent": 0}
    for _ in range(int(sys.argv[1])):
        bit = draw.randrange(8 * len(whole))
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        try:
            said["equal" if read_table(path).equals(good) else "silent"] += 1
        except InvalidSequencesError:
            said["refused"] += 1
    print(json.dumps([path.name, said]))
"""


def test_no_flipped_bit_is_silent_in_a_file_with_a_fingerprint(tmp_path: Path) -> None:
    rows = pa.table({"id": ["a", "b", "c"] * 30, "x": np.linspace(0, 1, 90), "n": list(range(90))})
    paths = [tmp_path / name for name in ("a.csv", "with_checksums.parquet", "without_checksums.parquet")]
    rows.to_pandas().to_csv(paths[0], index=False)
    pq.write_table(rows, paths[1], write_page_checksum=True)
    pq.write_table(rows, paths[2], write_page_checksum=False)
    for path in paths:
        write_fingerprint(path)
    command = [sys.executable, "-c", FLIP_BITS, str(FLIPS), *map(str, paths)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    all_refused = {"refused": FLIPS, "equal": 0, "silent": 0}
    assert [json.loads(line) for line in ran.stdout.splitlines()] == [[path.name, all_refused] for path in paths]


def test_a_flipped_bit_of_data_is_found_by_the_checksum_of_its_page(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"x": np.arange(1000.0)}), path, write_page_checksum=True, use_dictionary=False)
    broken = bytearray(path.read_bytes())
    broken[len(broken) // 2] ^= 1
    path.write_bytes(broken)
    with pytest.raises(InvalidSequencesError, match="CRC checksum verification failed"):
        read_table(path)
