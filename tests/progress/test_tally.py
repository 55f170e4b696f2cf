"""What is done and what is left, and how long that may take."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.progress import REFIT, FitEvent
from seqpipe.progress._ranking import Ranking
from seqpipe.progress._tally import Tally
from seqpipe.progress._words import duration


def began(fit, worker=0, n_fits=None):
    return FitEvent("began", fit, worker=(worker, 0), n_fits=n_fits)


def epoch(fit, number, of=10, **losses):
    return FitEvent("epoch", fit, epoch=number, n_epochs=of, losses=losses)


@given(st.randoms(use_true_random=False), st.integers(1, 12), st.integers(1, 3))
def test_fits_are_done_running_or_left_in_any_order_of_events(random, n_fits, n_workers):
    """Fits end, or fail without a word and their worker begins the next; then the refit."""
    tally, waiting, working, now, silent = Tally(True, refits=True), list(range(n_fits)), {}, 0.0, 0
    while waiting or working:
        now += random.uniform(0.1, 5)
        worker = random.randrange(n_workers)
        if worker in working and (not waiting or random.random() < 0.7):
            tally.apply(FitEvent("ended", working.pop(worker)), now)
        elif waiting:
            silent += worker in working
            working[worker] = waiting.pop(0)
            tally.apply(began(working[worker], worker, n_fits), now)
        assert tally.done + len(tally.running) + len(waiting) == n_fits
        left = tally.seconds_left(now)
        assert left is None or left >= 0
    tally.apply(began(REFIT), now)
    tally.apply(FitEvent("ended", REFIT), now)
    assert (tally.done, tally.n_fits, tally.failed, tally.running) == (n_fits + 1, n_fits + 1, silent, {})


def test_the_time_left_is_unknown_before_an_epoch_is_done():
    tally = Tally(True)
    tally.apply(began(0, n_fits=4), 0.0)
    assert tally.seconds_left(5.0) is None


@pytest.mark.parametrize("n_workers", [1, 2, 4])
def test_the_time_left_of_equal_fits_is_right_for_any_number_of_workers(n_workers):
    tally = Tally(True)
    for worker in range(n_workers):
        tally.apply(began(worker, worker, n_fits=8), 0.0)
    for number in range(1, 6):
        for worker in range(n_workers):
            tally.apply(epoch(worker, number), float(number))
    assert tally.seconds_left(5.0) == pytest.approx(10 * 8 / n_workers - 5)


def test_a_slow_start_of_a_worker_does_not_count_as_pace():
    tally = Tally(is_search=False)
    tally.begin(0.0)
    tally.apply(epoch(0, 1), 100.0)
    tally.apply(epoch(0, 2), 101.0)
    assert tally.seconds_left(101.0) == pytest.approx(8.0)


def test_fits_that_stop_early_tell_how_long_others_take():
    tally = Tally(True)
    tally.apply(began(0, n_fits=2), 0.0)
    for number in range(1, 5):
        tally.apply(epoch(0, number, of=100), float(number))
    tally.apply(FitEvent("ended", 0), 4.0)
    tally.apply(began(1, n_fits=2), 4.0)
    for number in range(1, 3):
        tally.apply(epoch(1, number, of=100), 4.0 + number)
    assert tally.seconds_left(6.0) == pytest.approx(2.0)


def test_a_fit_that_failed_is_counted_and_is_no_measure_of_time():
    tally = Tally(True)
    tally.apply(began(0, n_fits=2), 0.0)
    tally.apply(FitEvent("reported", 0, error="ValueError: no"), 1.0)
    tally.apply(FitEvent("ended", 0), 1.0)
    assert (tally.done, tally.failed, tally.seconds_left(1.0)) == (1, 1, None)


def test_the_lowest_loss_is_a_validation_loss_of_a_fold():
    tally = Tally(True, refits=True)
    for fit, loss in ((0, 0.5), (1, 0.3), (2, math.nan), (REFIT, 0.1)):
        tally.apply(began(fit, n_fits=3), 0.0)
        tally.apply(epoch(fit, 1, train_loss=0.01, valid_loss=loss), 1.0)
    assert (tally.lowest.name, tally.lowest.value, tally.lowest.fit) == ("valid_loss", 0.3, 1)


def scored(fit, rung=0, **scores):
    return FitEvent("scored", fit, scores=scores, rung=rung)


def best_of(events, n_splits=2, metric="score"):
    """Return the best candidate after each event, as its number and mean score."""
    ranking, found = Ranking(n_splits, metric), []
    for event in events:
        ranking.add(event)
        found.append(ranking.best and (ranking.best.candidate, ranking.best.value))
    return found


def test_the_best_candidate_has_the_greatest_mean_of_those_with_all_folds_scored():
    scores = [(0, 0.5), (2, 0.9), (1, 0.7), (5, -0.1), (3, 0.5), (4, math.nan)]
    events = [scored(fit, test_score=score, train_score=2.0) for fit, score in scores]
    assert best_of(events) == [None, None, (0, 0.6), (0, 0.6), (1, 0.7), (1, 0.7)]


def test_of_several_metrics_one_ranks_the_candidates():
    events = [scored(0, test_f1=0.1), scored(0, test_accuracy=0.9), scored(1, test_f1=0.8, test_accuracy=0.2)]
    assert best_of(events, 1, "accuracy") == [None, (0, 0.9), (0, 0.9)]
    assert best_of(events, 1, None) == [(0, 0.1), (0, 0.1), (1, 0.8)]


def test_a_candidate_of_a_later_rung_precedes():
    events = [scored(0, test_score=0.9), scored(0, rung=1, test_score=0.7), scored(1, rung=1, test_score=0.8)]
    assert best_of(events, 1) == [(0, 0.9), (0, 0.7), (1, 0.8)]


@given(st.floats(0, 1e6))
def test_a_duration_is_said_to_the_second_or_the_minute(seconds):
    number, unit, *rest = duration(seconds).replace(",", "").split()
    factors = {"h": 3600, "min": 60, "s": 1}
    said = int(number) * factors[unit] + (int(rest[0]) * factors[rest[1]] if rest else 0)
    assert abs(said - seconds) <= (60 if unit == "h" else 0.5)
