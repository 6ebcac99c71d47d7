"""Whose an ingest key is: asked seldom, believed for a second, and remembered while nobody can be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError

from monitoring.receive import gate
from monitoring.receive.gate import KeyRing, KeysUnavailable
from partners.keys import KeyHolder
from tests import loops

HOLDER = KeyHolder("abc", 7, None)


class Database:
    """Says whose a key is, counts how often it is asked, and may be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.holder: KeyHolder | None = HOLDER
        self.away = False

    def find(self, kind: object, key: str) -> KeyHolder | None:
        self.asked += 1
        if self.away:
            raise OperationalError("away")
        return self.holder


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    found = Database()
    monkeypatch.setattr(gate, "find_holder", found.find)
    monkeypatch.setattr(gate, "with_live_connection", lambda call: call())
    return found


@pytest.fixture
def ring() -> Iterator[KeyRing]:
    found = KeyRing()
    yield found
    found.close()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock that memories age by."""
    return lambda seconds: monkeypatch.setattr(gate, "monotonic", lambda: seconds)


def holders(ring: KeyRing, times: int = 1) -> set[KeyHolder | None]:
    async def all_of_them() -> set[KeyHolder | None]:
        found = set(await asyncio.gather(*(ring.holder("key") for _ in range(times))))
        # What is asked in the background is answered before the loop ends.
        await asyncio.gather(*ring._asking.values(), return_exceptions=True)
        return found

    return loops.run(all_of_them())


def test_it_asks_once_for_all_who_wait(ring: KeyRing, database: Database, at: Callable[[float], None]) -> None:
    at(100.0)
    assert holders(ring, 50) == {HOLDER}
    at(100.4)
    assert holders(ring, 50) == {HOLDER}
    assert database.asked == 1


def test_a_revoked_key_stops_within_a_second(ring: KeyRing, database: Database, at: Callable[[float], None]) -> None:
    at(100.0)
    assert holders(ring) == {HOLDER}
    database.holder = None
    # It is believed once more while the database is asked, and no longer.
    at(100.7)
    assert holders(ring) == {HOLDER}
    assert holders(ring) == {None}


def test_a_key_nobody_used_for_a_second_is_asked_about_first(
    ring: KeyRing, database: Database, at: Callable[[float], None]
) -> None:
    at(100.0)
    holders(ring)
    database.holder = None
    at(101.0)
    assert holders(ring) == {None}


def test_it_remembers_whose_a_key_was_while_the_database_is_away(
    ring: KeyRing, database: Database, at: Callable[[float], None]
) -> None:
    at(100.0)
    holders(ring)
    database.away = True
    at(200.0)
    assert holders(ring) == {HOLDER}
    at(500.0)
    with pytest.raises(KeysUnavailable):
        holders(ring)


def test_it_knows_nothing_of_a_key_it_never_saw_while_the_database_is_away(ring: KeyRing, database: Database) -> None:
    database.away = True
    with pytest.raises(KeysUnavailable):
        holders(ring)
