"""Where each fault, and each invariant of a recurrence, is tested.

The faults of data, rows 1 to 26, are listed in ``estimators/test_faults.py``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
#: The fault, and the tests that hold seqpipe to what it must get.
FAULTS = {
    "27 an absurd learning rate": ["training/test_guard.py::test_an_absurd_learning_rate_stops_within_one_step"],
    "28 a NaN gradient under a finite loss": [
        "training/test_guard.py::test_a_module_whose_gradient_is_nan_under_a_finite_loss_stops"
    ],
    "29 memory exhausted in a fit": [
        "training/test_micro_batches.py::test_a_split_batch_gives_the_same_updates",
        "training/test_micro_batches.py::test_a_single_sequence_that_does_not_fit_is_an_error",
    ],
    "30 memory exhausted in a prediction": ["training/test_micro_batches.py::test_predictions_do_not_depend_on_memory"],
    "31 Ctrl-C": ["estimators/test_checkpoint.py::test_a_signal_leaves_a_checkpoint_that_no_step_is_missing_from"],
    "32 SIGTERM in a step, in validation, in a write": [
        "estimators/test_checkpoint.py::test_a_signal_leaves_a_checkpoint_that_no_step_is_missing_from"
    ],
    "33 SIGKILL": [
        "estimators/test_checkpoint.py::test_nothing_is_lost_whenever_the_process_is_killed",
        "estimators/test_resumable.py::test_nothing_of_a_killed_search_is_lost",
        "pipeline/test_killed_runs.py::test_the_table_is_that_of_a_run_that_was_not_killed",
    ],
    "34 a full disk": ["estimators/test_checkpoint.py::test_a_full_disk_ends_the_fit_and_keeps_the_checkpoint"],
    "35 a folder that cannot be written": [
        "estimators/test_checkpoint.py::test_a_folder_that_cannot_be_written_is_an_error_before_training"
    ],
    "36 a truncated checkpoint": ["estimators/test_checkpoint.py::test_only_damaged_checkpoints_are_an_error"],
    "37 a checkpoint with a flipped bit": [
        "estimators/test_checkpoint.py::test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken"
    ],
    "38 other settings or data": [
        "estimators/test_checkpoint.py::test_other_settings_are_refused_unless_forced",
        "estimators/test_checkpoint.py::test_other_data_are_refused",
    ],
    "39 random_state=0": ["estimators/test_training.py::test_a_seed_of_zero_is_a_seed"],
    "40 a dead worker": ["pipeline/test_resuming.py::test_a_dead_worker_is_told_with_its_fit"],
    "41 every fit of a search fails": [
        "pipeline/test_runner.py::test_a_search_of_which_every_fit_fails_is_an_error_with_the_reason"
    ],
    "42 a server that refuses": [
        "tracking/test_outages.py::test_a_server_that_was_used_before_and_is_gone_does_not_stop_a_fit",
        "tracking/test_store.py::test_a_server_that_refuses_stops_the_fit_at_once_with_a_remedy",
    ],
    "43 a server that hangs": [
        "tracking/test_outages.py::test_a_server_that_hangs_in_a_fit_and_after_it_loses_nothing"
    ],
    "44 a server that dies and returns": ["tracking/test_outages.py::test_nothing_is_lost_or_doubled"],
    "45 many processes on a fresh store": ["tracking/test_outages.py::test_sixteen_processes_share_a_fresh_store"],
    "46 a store that is locked": ["tracking/test_outages.py::test_a_database_locked_for_40_seconds_loses_nothing"],
    "47 a continued run": ["tracking/test_continued.py::test_the_runs_of_an_interrupted_search_are_continued"],
    "48 a metric that is NaN": ["tracking/test_journal.py::test_nan_and_infinity_are_kept"],
    "49 an exit while writing; six endings": [
        "tracking/test_replay.py::test_nothing_is_lost_or_doubled_when_a_process_is_killed",
        "tracking/test_outages.py::test_the_status_is_right_after_each_ending_and_each_kill",
    ],
    "50-55 pickles, archives and arrays in models": [
        "security/test_model_archives.py::test_a_forged_archive_is_refused",
        "security/test_model_states.py::test_a_forged_state_is_refused_or_harmless",
    ],
    "56 a tag in YAML": ["pipeline/test_document.py::test_a_tag_is_refused_with_its_line"],
    "57 an alias bomb, a deep file": ["pipeline/test_document.py::test_what_would_grow_without_bound_is_refused"],
    "58 a duplicate key, 1e-3": [
        "pipeline/test_document.py::test_a_duplicate_key_is_refused_with_both_lines",
        "pipeline/test_document.py::test_numbers_and_words_are_those_of_yaml_1_2",
    ],
    "59 a dotted path in a recipe": [
        "security/test_recipes.py::test_a_payload_is_refused_before_anything_is_read_or_written"
    ],
    "60 a class path in metadata": ["security/test_model_descriptions.py::test_a_forged_description_is_refused"],
    "61, 62 mutated Parquet, a forged number of rows": [
        "security/test_tables.py::test_a_payload_is_refused_in_our_words_within_the_limit",
        "security/test_tables.py::test_no_flipped_bit_is_silent_in_a_file_with_a_fingerprint",
    ],
    "63 CSV with NUL, ragged rows, a large cell": [
        "security/test_tables.py::test_a_payload_is_refused_in_our_words_within_the_limit"
    ],
    "64 a served model and its clients": ["security/test_serving.py::test_a_request_is_refused_with_the_reason"],
    "65 an import that raises or exits": [
        "plugins/test_host.py::test_a_failed_plugin_gives_one_warning",
        "plugins/test_host.py::test_asking_for_a_name_of_a_failed_plugin_names_its_distribution",
    ],
    "66 a duplicate name": [
        "plugins/test_host.py::test_a_name_offered_by_two_distributions_is_usable_with_the_distribution"
    ],
    "67 an unknown argument of a hook": ["plugins/test_host.py::test_an_unknown_hook_argument_is_refused"],
    "68 an unknown hook": ["plugins/test_host.py::test_an_unknown_hook_is_refused"],
    "69 a cell with another shape, NaN or type": [
        "estimators/test_bad_input.py::test_a_broken_cell_is_told_apart_from_broken_data"
    ],
    "70 a plug-in that fails half-way": ["plugins/test_host.py::test_a_plugin_that_fails_half_way_is_rolled_back"],
    "71 a slow import": ["plugins/test_host.py::test_a_slow_import_is_timed"],
    "72 a newer API": ["plugins/test_host.py::test_a_plugin_for_a_newer_api_is_skipped_with_the_reason"],
    "padding and what it holds": ["recurrence/test_invariants.py::test_padding_changes_no_bit_whatever_it_holds"],
    "causality, and chunks with the state": [
        "recurrence/test_invariants.py::test_one_direction_neither_looks_ahead_nor_forgets_between_chunks",
        "recurrence/test_invariants.py::test_ragged_chunks_with_the_state_carried_on_equal_the_whole",
    ],
    "a sequence alone and in a batch; a permuted batch": [
        "recurrence/test_invariants.py::test_a_sequence_does_not_see_its_batch"
    ],
    "gradients in float64": [
        "recurrence/test_gradients.py::test_gradients_of_outputs_and_state_equal_finite_differences"
    ],
    "saved and loaded": ["estimators/test_persistence.py::test_a_loaded_estimator_predicts_the_same_bits"],
    "every engine": ["recurrence/engines/test_engine_invariants.py::test_padding_and_what_it_holds_change_no_bit"],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_tests_of_a_fault_exist(fault: str) -> None:
    for test in FAULTS[fault]:
        path, _, name = test.partition("::")
        assert re.search(rf"^ *def {name}", (TESTS / path).read_text(), flags=re.MULTILINE), test


def test_all_rows_are_listed() -> None:
    data = (TESTS / "estimators" / "test_faults.py").read_text()
    assert re.search(r"^1, 2 ", data, flags=re.MULTILINE)
    assert re.search(r"^26 ", data, flags=re.MULTILINE)
    rows: set[int] = set()
    for fault in FAULTS:
        if numbers := re.match(r"(\d+)(?:(-|, )(\d+))?", fault):
            first, last = int(numbers[1]), int(numbers[3] or numbers[1])
            rows |= set(range(first, last + 1))
    assert rows == set(range(27, 73))
