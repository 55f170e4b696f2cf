"""Reading of Parquet files, and folders of them, with checks for damage."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._csv import check_names, column_names

__all__ = ["read_parquet", "read_parquet_folder"]

#: Maximum number of values of a file: more is treated as damage, or as an attack.
MAX_VALUES = 2**30


def read_parquet(path: Path) -> pd.DataFrame:
    """Return the table of a Parquet file; nested columns and decimals keep their Arrow memory.

    Raises
    ------
    InvalidSequencesError
        If the file declares more rows than it holds or more values than the limit, or two columns share a name.
    """
    return _frame(_table(path))


def read_parquet_folder(path: Path) -> pd.DataFrame:
    """Return the rows of all Parquet files in a folder and its subfolders, in the order of their names.

    A subfolder named "name=value" adds a column of that name with that value, as text; files and folders whose names
    begin with "_" or "." are skipped.

    Raises
    ------
    InvalidSequencesError
        If there is no such file, or the columns of the files differ.
    """
    files = [file for file in sorted(path.rglob("*.parquet")) if file.is_file() and not _is_hidden(file, path)]
    if not files:
        raise InvalidSequencesError(
            f"{path}: the folder contains no .parquet files. Specify a file, or a folder that contains some."
        )
    tables = [_with_folder_columns(_table(file), file, path) for file in files]
    for file, table in zip(files, tables):
        if set(table.column_names) != set(tables[0].column_names):
            raise InvalidSequencesError(
                f"{file} has the columns {', '.join(table.column_names)}, but {files[0]} has "
                f"{', '.join(tables[0].column_names)}: all files of a folder must have the same columns."
            )
    in_same_order = [table.select(tables[0].column_names) for table in tables]
    return _frame(pa.concat_tables(in_same_order, promote_options="permissive"))


def _table(path: Path) -> pa.Table:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        # single columns are not inspected: damaged column metadata aborts the process
        claimed, width = file.metadata.num_rows, file.metadata.num_columns
        if claimed * width > MAX_VALUES:
            raise InvalidSequencesError(
                f"{path}: the file declares {claimed} rows of {width} values, more than the limit of {MAX_VALUES} "
                "values. Split it."
            )
        table = file.read()
    if table.num_rows != claimed:
        raise InvalidSequencesError(
            f"{path}: the file declares {claimed} rows but has {table.num_rows}. It is damaged."
        )
    names = column_names(table.column_names)
    check_names(str(path), names)
    return table.rename_columns(names)


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
