"""Room for a large body is asked for in large pages, and is what was written to it, no more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from monitoring.receive.large_pages import room_for

MIB = 1 << 20
SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.parametrize("size", [0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB + 12_345])
def test_it_holds_what_was_written(size: int) -> None:
    piece = bytes(range(256)) * 1_000
    written = (piece * (size // len(piece) + 1))[:size]
    room = room_for(size)
    for start in range(0, size, 100_001):
        room.write(written[start : start + 100_001])
    room.truncate()
    assert room.getvalue() == written


def test_what_does_not_come_is_no_part_of_it() -> None:
    room = room_for(16 * MIB)
    room.write(b"short")
    room.truncate()
    assert room.getvalue() == b"short"


@pytest.mark.skipif(
    not SETTING.exists() or "[never]" in SETTING.read_text(), reason="this machine has no large pages to give"
)
def test_it_is_asked_for_in_large_pages() -> None:
    room = room_for(16 * MIB)
    # Linux marks what large pages were asked for with "hg".
    flags = [line.split() for line in Path("/proc/self/smaps").read_text().splitlines() if line.startswith("VmFlags:")]
    assert any("hg" in each for each in flags)
    assert not room.tell()


def test_an_empty_room_holds_no_memory() -> None:
    """A sender that announces much and sends nothing costs nothing."""
    if not sys.platform.startswith("linux"):
        pytest.skip("read from /proc")
    before = _resident()
    rooms = [room_for(64 * MIB) for _ in range(8)]
    assert _resident() - before < 16 * MIB
    assert len(rooms) == 8


def test_what_stops_on_its_way_holds_little_more_than_came() -> None:
    """What counts as held are the bytes that came, and memory is bounded by that count."""
    if not sys.platform.startswith("linux"):
        pytest.skip("read from /proc")
    for came in (100_000, 3 * MIB, 9 * MIB, 12 * MIB + 1):
        before = _resident()
        rooms = [room_for(64 * MIB) for _ in range(8)]
        for room in rooms:
            room.write(bytes(came))
        assert _resident() - before < 8 * came * 1.25 + 4 * MIB


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
