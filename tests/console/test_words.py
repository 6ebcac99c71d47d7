"""How pages write durations, shares, numbers and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context

from console.durations import read_duration
from console.templatetags.console import duration, lamp, number, percent, relative, when

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "\u2013"),
        (0, "0 s"),
        (0.25, "250 ms"),
        (1.44, "1.4 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (12_000, "3 h 20 min"),
        (90_061, "1 d 1 h"),
        (-90, "-1 min 30 s"),
    ],
)
def test_a_duration_is_written_with_its_two_largest_units(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(None, "\u2013"), (0, "0 %"), (1, "100 %"), (0.99, "99 %"), (0.9996, "99.9 %"), (0.1234, "12.3 %")],
)
def test_a_share_is_never_rounded_up_to_all(ratio: float | None, words: str) -> None:
    assert percent(ratio) == words


def test_thousands_stand_apart() -> None:
    assert (number(1_234_567), number(7), number(2.5)) == ("1\u202f234\u202f567", "7", "2.5")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2, "just now"), (59, "59 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (-90, "in 1 min"), (200_000, "2 d ago")],
)
def test_a_time_is_told_by_its_distance(seconds: int, words: str) -> None:
    assert relative(NOON - timedelta(seconds=seconds), NOON) == words


def test_a_time_carries_site_zone_and_utc() -> None:
    shown = when(Context({"zone": "Europe/Berlin"}), NOON)  # type: ignore[arg-type]
    assert 'data-exact="21 Nov 2026, 13:00:00 CET"' in shown
    assert 'data-utc="21 Nov 2026, 12:00:00 UTC"' in shown
    assert 'tabindex="0"' in shown


def test_a_state_has_a_shape_and_a_word() -> None:
    shown = lamp("breach", "Breached")
    assert "#lamp-breach" in shown
    assert "<span>Breached</span>" in shown
    assert "&lt;b&gt;" in lamp("ok", "<b>")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90 s", 90), ("15min", 900), ("1 h 30 min", 5400), ("1,5 h", 5400), ("2 d", 172_800)]
)
def test_it_reads_durations_as_people_write_them(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "4", "4 weeks", "4 h please"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write one such as 90 s, 15 min, 4 h"):
        read_duration(text)
