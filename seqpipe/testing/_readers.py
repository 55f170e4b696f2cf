"""`check_reader`: conformance checks for readers of files, to be run in the tests of plug-ins."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from seqpipe.datasets import Dataset
from seqpipe.sequences import Sequences, as_sequences
from seqpipe.specs import ReaderSpec
from seqpipe.tables import is_csv
from seqpipe.testing._report import Check, CheckReport, Failure, Skip, check_named, run_checks, selected, told
from seqpipe.testing._samples import keys_of
from seqpipe.transformers import is_texts

__all__ = ["READER_CHECKS", "check_reader"]


@dataclass(frozen=True)
class ReaderSubject:
    """A reader to be checked, and its sample file, of which it is given copies.

    Attributes
    ----------
    reader : callable (path) -> DataFrame, Dataset or sequences
    name : str
        Name of the sample file.
    contents : bytes
        Contents of the sample file.
    suffixes : tuple of str
    prefixes_are_files : bool
    """

    reader: Callable[[Path], Any]
    name: str
    contents: bytes
    suffixes: tuple[str, ...]
    prefixes_are_files: bool

    @cached_property
    def sample(self) -> Any:
        """What it reads from the sample file."""
        with self.copied() as path:
            return self.reader(path)

    @contextmanager
    def copied(self, name: str | None = None) -> Iterator[Path]:
        """Yield the path of a copy of the file in a folder of its own."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / (self.name if name is None else name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(self.contents)
            yield path

    def check_same(self, where: str, path: Path) -> None:
        """Raise `Failure` unless the file at a path gives the result of the sample."""
        try:
            found = self.reader(path)
        except Exception as error:
            raise Failure(
                f"{where} it fails: {told(error)}. Open the path that the reader is given, a pathlib.Path."
            ) from error
        if _contents(found) != _contents(self.sample):
            raise Failure(f"{where} it reads something else: the result must depend on the contents of the file alone.")


def reads_the_sample(subject: ReaderSubject) -> str:
    """It returns a table, a data set or sequences, which seqpipe can use."""
    try:
        found = subject.sample
    except Exception as error:
        raise Failure(f"It cannot read {subject.name}: {told(error)}.") from error
    if isinstance(found, pd.DataFrame):
        return _check_table(found)
    if isinstance(found, Dataset):
        if found.frame is not None:
            return _check_table(found.frame)
        _check_sequences(found.X)
        if found.y is not None and len(found.y) != len(_samples(found)):
            raise Failure(
                f"The data set has {len(_samples(found))} samples and {len(found.y)} targets: return one for each."
            )
    elif isinstance(found, Sequences | np.ndarray | list):
        _check_sequences(found)
    else:
        raise Failure(
            f"It returns a {type(found).__name__}: return a DataFrame, a seqpipe.datasets.Dataset, an array, a list of arrays or "
            "Sequences."
        )
    return f"{len(_samples(found))} samples"


def _check_table(frame: pd.DataFrame) -> str:
    if frame.empty:
        raise Failure("The table is empty: the sample file must hold data.")
    if not frame.columns.is_unique or not all(isinstance(name, str) for name in frame.columns):
        raise Failure(
            f"The columns are {list(frame.columns)}: names must be strings, each used once, so that roles can name them."
        )
    return f"{len(frame)} rows of {', '.join(frame.columns)}"


def _check_sequences(X: Any) -> None:
    try:
        if not is_texts(X):
            as_sequences(X)
        if not len(X):
            raise ValueError("there are none")
    except (TypeError, ValueError) as error:
        raise Failure(
            f"The result cannot be used as sequences: {error}. Return one array (n_timesteps, n_features) of finite numbers, or "
            "one text, per sequence."
        ) from error


def _samples(found: Any) -> Any:
    """Return the rows of a table, or the sequences."""
    if isinstance(found, Dataset):
        return found.X if found.frame is None else found.frame
    return found


def _contents(found: Any) -> list[Any]:
    names = list(found.columns) if isinstance(found, pd.DataFrame) else []
    return [names, *keys_of(_samples(found), found.y if isinstance(found, Dataset) and found.frame is None else None)]


def _size(found: Any) -> int:
    """Return the number of rows, or of time steps of all sequences."""
    samples = _samples(found)
    return len(samples) if isinstance(samples, pd.DataFrame) else sum(np.size(each) for each in samples)


def reads_the_same_again(subject: ReaderSubject) -> None:
    """A second call gives the same result."""
    with subject.copied() as path:
        subject.reader(path)
        subject.check_same("When called again", path)


def leaves_the_file_as_it_is(subject: ReaderSubject) -> None:
    """The file stays as it is, and no other appears beside it."""
    with subject.copied() as path:
        subject.reader(path)
        if not path.exists() or path.read_bytes() != subject.contents:
            raise Failure("It changes the file: open it for reading only.")
        if made := sorted(each.name for each in path.parent.iterdir() if each != path):
            raise Failure(f"It leaves {', '.join(made)} beside the file: write to a temporary folder, and remove it.")


def any_folder_works(subject: ReaderSubject) -> None:
    """A file in another folder, with spaces and other letters in its path, a relative path and a suffix in capitals are read alike."""
    with subject.copied(f"Messung 1 – früh/{subject.name}") as path:
        subject.check_same(f"In the folder {path.parent.name!r}", path)
        with chdir(path.parent):
            subject.check_same("With a relative path", Path(path.name))
    ending = next((suffix for suffix in subject.suffixes if subject.name.lower().endswith(suffix)), "")
    shouted = subject.name[: len(subject.name) - len(ending)] + ending.upper()
    with subject.copied(shouted) as path:
        subject.check_same(f"Under the name {shouted}", path)


def suffixes_are_its_own(subject: ReaderSubject) -> None:
    """The suffixes are in lower case, the sample ends with one of them, and none is of a format that seqpipe reads itself."""
    try:
        ReaderSpec("checked", subject.reader, suffixes=subject.suffixes)
    except ValueError as error:
        raise Failure(str(error)) from error
    if not subject.name.lower().endswith(subject.suffixes):
        raise Failure(
            f"{subject.name} ends with none of {subject.suffixes}: no recipe would choose this reader for it."
        )
    for suffix in subject.suffixes:
        if is_csv(f"file{suffix}") or suffix in (".parquet", ".txt"):
            raise Failure(f"seqpipe reads {suffix} files itself, without plug-ins: offer another suffix.")


def missing_files_are_refused(subject: ReaderSubject) -> None:
    """A path without a file raises an exception."""
    with subject.copied() as path:
        path.unlink()
        try:
            found = subject.reader(path)
        except Exception:
            return
        raise Failure(f"For a file that does not exist it returns {found!r:.60}: let the error of open() pass.")


def half_a_file_is_refused(subject: ReaderSubject) -> None:
    """A file that ends in its middle raises an exception, and is not read in part."""
    if subject.prefixes_are_files:
        raise Skip("a prefix of a file is a file of this format")
    for share in (1 / 2, 9 / 10):
        _check_cut(
            subject, subject.contents[: int(len(subject.contents) * share)], f"The first {share:.0%} of the file"
        )


def empty_files_are_refused(subject: ReaderSubject) -> None:
    """An empty file raises an exception."""
    if subject.prefixes_are_files:
        raise Skip("a prefix of a file is a file of this format")
    _check_cut(subject, b"", "An empty file")


def _check_cut(subject: ReaderSubject, contents: bytes, what: str) -> None:
    with subject.copied() as path:
        path.write_bytes(contents)
        try:
            found = subject.reader(path)
        except Exception:
            return
        if _size(found) < _size(subject.sample):
            raise Failure(
                f"{what} is read without an error, as {_size(found)} values instead of {_size(subject.sample)}: check the length or "
                "the end that the format declares, and raise seqpipe.exceptions.InvalidSequencesError. If the format has "
                "neither, pass prefixes_are_files=True."
            )


#: All checks of readers, in the order in which they run.
READER_CHECKS: tuple[Check[ReaderSubject], ...] = tuple(
    check_named(function.__name__, function)
    for function in (
        reads_the_sample, reads_the_same_again, leaves_the_file_as_it_is, any_folder_works, suffixes_are_its_own,
        missing_files_are_refused, half_a_file_is_refused, empty_files_are_refused,
    )
)  # fmt: skip


def check_reader(
    reader: Callable[[Path], Any],
    path: str | Path,
    *,
    suffixes: Collection[str] | None = None,
    prefixes_are_files: bool = False,
    include: Collection[str] | None = None,
    exclude: Collection[str] = (),
    expected_failed: Mapping[str, str] | None = None,
    raise_exceptions: bool = True,
) -> CheckReport:
    """Check that a reader gives data that seqpipe can use, and refuses files that are missing or damaged.

    Parameters
    ----------
    reader : callable (path) -> DataFrame, Dataset or sequences
        The function.
    path : str or Path
        A sample file, which holds all that the reader reads.
    suffixes : collection of str, optional
        The suffixes that the reader is offered for; by default that of the sample.
    prefixes_are_files : bool, default=False
        Whether the first part of a file is a file of the same format, as of lines without an end; then it need not be refused.
    include, exclude, expected_failed, raise_exceptions
        As in `check_cell`.

    Returns
    -------
    report : CheckReport
        The outcome of every check.

    Raises
    ------
    CheckError
        If a check fails and ``raise_exceptions`` is true.
    FileNotFoundError
        If there is no sample file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from seqpipe.testing import check_reader
    >>> def read(path):
    ...     return np.load(path)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder) / "sample.npy", np.random.default_rng(0).normal(size=(4, 5, 2)))
    ...     check_reader(read, Path(folder) / "sample.npy").passed
    True
    """
    checks = selected(READER_CHECKS, include, exclude, owner="check_reader")
    path = Path(path)
    own = tuple(suffixes or (path.suffix.lower(),))
    subject = ReaderSubject(reader, path.name, path.read_bytes(), own, prefixes_are_files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = run_checks(checks, subject, getattr(reader, "__name__", repr(reader)), expected_failed)
    if raise_exceptions:
        report.raise_if_failed()
    return report
