"""Outcomes of runs after exceptions."""

import pytest

from seqpipe.tracking._outcome import FINISHED, Outcome, outcome_of


@pytest.mark.parametrize("error", [None, SystemExit(), SystemExit(0)])
def test_no_error_finishes(error):
    assert outcome_of(error) == FINISHED


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValueError("x\ny"), Outcome("FAILED", "ValueError: x\ny")),
        (ValueError(), Outcome("FAILED", "ValueError")),
        (KeyboardInterrupt(), Outcome("KILLED", "KeyboardInterrupt")),
        (SystemExit(130), Outcome("KILLED", "SystemExit: 130")),
        (SystemExit(143), Outcome("KILLED", "SystemExit: 143")),
        (SystemExit("message"), Outcome("FAILED", "SystemExit: message")),
    ],
)
def test_an_error_fails_and_a_signal_kills(error, outcome):
    assert outcome_of(error) == outcome
