"""Reading of Parquet files, and folders of them, with checks for damage and a limit on what they unpack to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._csv import check_names, column_names
from seqpipe.tables._memory_limit import TableBudget
from seqpipe.tables._parquet_pages import Column, read_columns

__all__ = ["files_of_folder", "read_parquet", "read_parquet_folder"]

#: Maximum number of rows of a batch, and the share of the remaining budget that its repeated texts may take.
_MOST_ROWS, _SHARE = 65_536, 8


def read_parquet(path: Path) -> pd.DataFrame:
    """Return the table of a Parquet file; nested columns and decimals keep their Arrow memory.

    Raises
    ------
    InvalidSequencesError
        If the file is damaged, would take more memory than the limit, or two columns share a name.
    """
    return _frame(_table(path, TableBudget.of(path.stat().st_size)))


def read_parquet_folder(path: Path) -> pd.DataFrame:
    """Return the rows of all Parquet files in a folder and its subfolders, in the order of their names.

    A subfolder named "name=value" adds a column of that name with that value, as text; files and folders whose names
    begin with "_" or "." are skipped.

    Raises
    ------
    InvalidSequencesError
        If there is no such file, or the columns of the files differ.
    """
    files = files_of_folder(path)
    budget = TableBudget.of(sum(file.stat().st_size for file in files))
    tables = [_with_folder_columns(_table(file, budget), file, path) for file in files]
    for file, table in zip(files, tables):
        if set(table.column_names) != set(tables[0].column_names):
            raise InvalidSequencesError(
                f"{file} has the columns {', '.join(table.column_names)}, but {files[0]} has "
                f"{', '.join(tables[0].column_names)}: all files of a folder must have the same columns."
            )
    in_same_order = [table.select(tables[0].column_names) for table in tables]
    return _frame(pa.concat_tables(in_same_order, promote_options="permissive"))


def files_of_folder(path: Path) -> list[Path]:
    """Return the Parquet files in a folder and its subfolders that are not hidden, in the order of their names.

    Raises
    ------
    InvalidSequencesError
        If there is no such file.
    """
    files = [file for file in sorted(path.rglob("*.parquet")) if file.is_file() and not _is_hidden(file, path)]
    if not files:
        raise InvalidSequencesError(
            f"{path}: the folder contains no .parquet files. Specify a file, or a folder that contains some."
        )
    return files


def _table(path: Path, budget: TableBudget) -> pa.Table:
    with path.open("rb") as raw:
        columns = read_columns(raw, path, budget)
        repeating = _repeating(columns, raw, budget, path)
    # pyarrow's metadata of single columns is not inspected: where it is damaged, the process aborts
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        claimed = file.metadata.num_rows
        table = pa.Table.from_batches(_batches(file, repeating, budget, path)) if repeating else file.read()
    if table.num_rows != claimed:
        raise InvalidSequencesError(
            f"{path}: the file declares {claimed} rows but has {table.num_rows}. It is damaged."
        )
    names = column_names(table.column_names)
    check_names(str(path), names)
    return table.rename_columns(names)


def _repeating(columns: list[Column], raw: BinaryIO, budget: TableBudget, path: Path) -> list[Column]:
    """Return the columns whose repeated texts may exceed the budget; they have to be read in batches."""
    if sum(column.repeated_bytes for column in columns) <= budget.left:
        return []
    for column in columns:
        column.tighten(raw)
        if column.nested:  # a single row may hold all of its values
            budget.take(column.repeated_bytes, path)
    found = [column for column in columns if column.n_repeated and not column.nested]
    return found if sum(column.repeated_bytes for column in found) > budget.left else []


def _batches(
    file: pq.ParquetFile, repeating: list[Column], budget: TableBudget, path: Path
) -> Iterator[pa.RecordBatch]:
    """Yield batches of rows, of which none takes more than a share of the budget, and take their texts from it."""
    longest: dict[int, int] = {}
    for column in repeating:
        longest[column.place] = max(longest.get(column.place, 1), column.longest)
    n_rows = min(max(budget.left // _SHARE // sum(longest.values()), 1), _MOST_ROWS)
    beyond = -sum(column.n_bytes for column in repeating)  # taken before
    for batch in file.iter_batches(n_rows):
        columns = [
            column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
        ]
        n_bytes = sum(columns[place].nbytes for place in longest)
        beyond += n_bytes
        budget.take(min(max(beyond, 0), n_bytes), path)
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=_kept_type)
    return frame


def _kept_type(kind: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    """Return the pandas type of columns that would otherwise be converted to objects."""
    if pa.types.is_nested(kind) or pa.types.is_decimal(kind):
        return pd.ArrowDtype(kind)
    return pd.BooleanDtype() if pa.types.is_boolean(kind) else None


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)


def _with_folder_columns(table: pa.Table, file: Path, folder: Path) -> pa.Table:
    for part in file.relative_to(folder).parts[:-1]:
        name, equals, value = part.partition("=")
        if equals:
            table = table.append_column(name, pa.array([value] * table.num_rows, type=pa.string()))
    check_names(str(file), table.column_names)
    return table
