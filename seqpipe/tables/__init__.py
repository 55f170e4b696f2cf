"""Tables: readers, column roles, row order, gaps and missing values, and their conversion to sequences.

This package uses pandas and Arrow only; the containers for its results are in `seqpipe.sequences`.
"""

from seqpipe.tables._complete import check_complete
from seqpipe.tables._continuation import check_continues
from seqpipe.tables._csv import CsvFormat, check_names
from seqpipe.tables._features import numeric_features
from seqpipe.tables._files import WrittenTable, is_csv, read_table, read_written
from seqpipe.tables._fingerprint import check_fingerprint, check_regular, write_fingerprint
from seqpipe.tables._index import id_levels, index_of, refuse_panel, rows_by_series, times_of
from seqpipe.tables._last_times import LastTimes
from seqpipe.tables._like_steps import check_like_steps
from seqpipe.tables._lists import arrow_from_runs, is_list, runs_from_arrow
from seqpipe.tables._long import frame_from_runs, runs_from_frame
from seqpipe.tables._numbers import holds_text, number_matrix, read_numbers
from seqpipe.tables._panels import index_by_id, rows_by_id, times_by_id
from seqpipe.tables._prepare import count, prepared
from seqpipe.tables._roles import Roles, check_roles, row_place
from seqpipe.tables._row_order import check_one_series, check_steps_order
from seqpipe.tables._runs import Runs
from seqpipe.tables._samples import runs_of, step_targets_of, targets_of
from seqpipe.tables._series import panel_index, series_frame, time_index
from seqpipe.tables._steps_ahead import index_after, season_of
from seqpipe.tables._table import Table
from seqpipe.tables._training_table import TrainingTable
from seqpipe.tables._typed import TargetType, typed

__all__ = [
    "CsvFormat",
    "LastTimes",
    "Roles",
    "Runs",
    "Table",
    "TargetType",
    "TrainingTable",
    "WrittenTable",
    "arrow_from_runs",
    "check_complete",
    "check_continues",
    "check_fingerprint",
    "check_like_steps",
    "check_names",
    "check_one_series",
    "check_regular",
    "check_roles",
    "check_steps_order",
    "count",
    "frame_from_runs",
    "id_levels",
    "holds_text",
    "index_after",
    "index_by_id",
    "index_of",
    "is_csv",
    "is_list",
    "number_matrix",
    "numeric_features",
    "panel_index",
    "prepared",
    "read_numbers",
    "read_table",
    "read_written",
    "refuse_panel",
    "row_place",
    "rows_by_id",
    "rows_by_series",
    "runs_from_arrow",
    "runs_from_frame",
    "runs_of",
    "season_of",
    "series_frame",
    "step_targets_of",
    "targets_of",
    "time_index",
    "times_by_id",
    "times_of",
    "typed",
    "write_fingerprint",
]
