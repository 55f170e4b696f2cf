"""The embedded data sets: their sizes, and that they are what their descriptions say."""

import re

import numpy as np
import pandas as pd
import pytest

from seqpipe import datasets
from seqpipe.builtins import seqpipe_datasets
from seqpipe.datasets import (
    load_digits,
    load_manual,
    load_moving_digits,
    load_place_names,
    load_places,
    load_stocks,
    load_tunes,
    load_waves,
    make_moving_digits,
    make_waves,
    manual_by_topic,
    place_names_by_letter,
)
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import as_sequences
from seqpipe.transformers import is_texts

MAKE = {spec.name: spec.factory for spec in seqpipe_datasets()}


@pytest.mark.parametrize("name", MAKE)
def test_every_data_set_is_whole_and_tells_its_origin(name):
    dataset = MAKE[name]()
    assert dataset.name == name
    assert all([dataset.description, dataset.source, dataset.licence])
    if is_texts(dataset.X):
        assert all(dataset.X)
        assert dataset.y is None or len(dataset.X) == len(dataset.y)
    elif np.ndim(dataset.X) == 2:
        assert dataset.X.shape == (len(dataset.y), len(dataset.feature_names))
    elif dataset.frame is None:
        assert len(as_sequences(dataset.X)) == len(dataset.y)
        assert len(dataset.feature_names) == as_sequences(dataset.X).n_features
        if dataset.target_names:
            assert len(dataset.target_names) == len(set(dataset.y))
        else:
            assert dataset.y.dtype.kind == "f"
            assert dataset.y.ndim == 1 or dataset.y.shape[:2] == dataset.X.shape[:2]
    else:
        assert dataset.X is None
        assert dataset.feature_names == tuple(dataset.frame.columns)
        assert dataset.frame.index.is_monotonic_increasing


@pytest.mark.parametrize("name", [name for name in datasets.__all__ if name.startswith(("load", "make"))])
def test_every_loader_tells_source_and_licence(name):
    text = getattr(datasets, name).__doc__
    assert "source" in text.lower()
    assert "licence" in text.lower()


def test_a_digit_is_eight_rows_of_eight_pixels():
    digits = load_digits()
    assert digits.X.shape == (1797, 8, 8)
    assert digits.X.dtype == np.float32
    assert (digits.X.min(), digits.X.max()) == (0, 16)
    assert np.bincount(digits.y).min() > 170


def test_stocks_are_closing_prices_of_every_month():
    frame = load_stocks().frame
    assert frame.shape == (390, 10)
    assert (frame.index.day == 1).all()
    assert frame.index[[0, -1]].strftime("%Y-%m").tolist() == ["1990-01", "2022-06"]
    assert frame.index.freqstr == "MS"


def test_stocks_are_missing_only_before_a_share_was_listed():
    frame = load_stocks().frame
    later = frame.columns[frame.isna().any()]
    assert sorted(later) == ["AMZN", "DELL", "GOOGL"]
    for name in later:
        assert not frame[name].loc[frame[name].first_valid_index() :].isna().any()


def test_a_digit_moves_by_one_pixel_a_frame_and_comes_back_where_it_left():
    X, y = make_moving_digits(64, 20, random_state=0)
    moves = {"north": (-1, 0), "east": (0, 1), "south-west": (1, -1)}
    for name, move in moves.items():
        films = X[y == name]
        assert len(films) > 1
        assert np.array_equal(films[:, 1:], np.roll(films[:, :-1], move, axis=(3, 4)))
        assert np.array_equal(films[:, 16], films[:, 0])
    assert np.array_equal(make_moving_digits(64, 20, random_state=0)[0], X)
    assert not np.array_equal(make_moving_digits(64, 20, random_state=1)[0], X)


def test_moving_digits_are_all_digits_in_all_directions():
    digits = load_moving_digits()
    ink = np.sort(digits.X[:, 0].sum(axis=(1, 2, 3)))
    assert np.allclose(ink, np.sort(load_digits().X.sum(axis=(1, 2)) / 16), rtol=1e-5)
    assert np.unique(digits.y, return_counts=True)[1].min() > 180


@pytest.mark.parametrize(("n_samples", "n_timesteps"), [(0, 5), (5, 1)])
def test_films_that_cannot_be_made_are_refused(n_samples, n_timesteps):
    with pytest.raises(InvalidSequencesError, match="n_samples must be at least 1 and n_timesteps at least 2"):
        make_moving_digits(n_samples, n_timesteps)


def test_the_manual_is_one_long_english_text():
    text = load_manual()
    assert len(text) > 300_000
    assert " the " in text
    assert text == load_manual()


def test_the_topics_of_the_manual_are_the_manual():
    topics = manual_by_topic().X
    assert len(topics) > 50
    assert "".join(topics) == load_manual()


def test_tunes_are_notes_with_pitch_and_length():
    tunes = load_tunes().X
    assert len(tunes) >= 20
    notes = {note for tune in tunes for note in tune.split()}
    assert all(re.fullmatch(r"[A-G][3-5]:(0\.5|1|1\.5|[2-6])", note) for note in notes)
    assert tunes[0].startswith("E4:1 E4:1 F4:1 G4:1 G4:1 F4:1 E4:1 D4:1")
    assert all(tune.split()[-1][0] in "CDG" for tune in tunes)


def test_places_are_the_place_names_with_their_continents():
    places = load_places()
    assert (list(places.X), list(places.y)) == load_place_names()


def test_place_names_are_sorted_and_each_lies_in_one_part_of_the_world():
    names, continents = load_place_names()
    assert names == sorted(set(names))
    assert len(names) == len(continents) > 300
    place = dict(zip(names, continents, strict=True))
    assert place["Buenos Aires"] == "America"
    assert place["Kathmandu"] == "Asia"
    assert "Istanbul" not in place  # in Europe and in Asia
    assert not any("_" in name or "/" in name for name in names)


def test_a_machine_without_time_zones_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    with pytest.raises(RuntimeError, match="pip install tzdata"):
        load_place_names()


def test_place_names_by_letter_can_be_read_again():
    places = place_names_by_letter()
    letters = np.array(places.feature_names)
    assert places.X.dtype == np.float32
    for steps, name in list(zip(places.X, places.X.ids, strict=True))[:20]:
        assert (steps.sum(axis=1) == 1).all()
        assert "".join(letters[steps.argmax(axis=1)]) == name.lower()


def test_the_wave_is_the_formula():
    frame = load_waves().frame
    t = frame.index.to_numpy()
    assert frame.shape == (301, 1)
    assert np.allclose(np.diff(t), 0.1)
    assert frame["value"].iloc[100] == pytest.approx(10 * np.sin(10.0) / 3 + 2 * np.sin(50.0))
    assert isinstance(frame, pd.DataFrame)


def test_the_targets_of_waves_are_the_windows_one_step_later():
    X, y = make_waves(50, window=7, random_state=0)
    assert X.shape == y.shape == (50, 7, 1)
    assert np.array_equal(X[:, 1:], y[:, :-1])
    assert np.array_equal(make_waves(50, window=7, random_state=0)[0], X)
    assert not np.array_equal(make_waves(50, window=7, random_state=1)[0], X)


@pytest.mark.parametrize(("n_windows", "window"), [(0, 20), (5, 0), (5, 301)])
def test_waves_that_cannot_be_drawn_are_refused(n_windows, window):
    with pytest.raises(InvalidSequencesError, match="n_windows must be at least 1 and window from 1 to 300"):
        make_waves(n_windows, window)
