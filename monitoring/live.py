"""Tells open pages, by NOTIFY, that something of a tenant changed."""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Iterable, Mapping

import orjson
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections, transaction

from monitoring.rows import arrays
from partners.database.statements import gathering, tell, tell_once

_log = logging.getLogger(__name__)

CHANNEL = "andon_live"
#: A page that shows figures need not hear of each request.
_GATHER_S = 0.1
_NOTIFY = "SELECT pg_notify(%s::text, message) FROM unnest(%s::text[]) AS message"


def announce(tenant_id: int, topics: Iterable[str]) -> None:
    """Announce topics (`alerts`, `dead_letters`, `runs`, `board`, `catalogue`) of a tenant, none of their content.

    The announcement goes out with the commit of the open transaction, and only then.
    """
    _notify({tenant_id: set(topics)})


def announce_soon(tenant_id: int, topics: Iterable[str]) -> None:
    """Announce topics within a tenth of a second after the commit, together with whatever else was said meanwhile.

    PostgreSQL commits transactions that notify one after the other; where every request says the same, gathering
    what they say lets them commit together. A process that is killed takes along what it gathered last: pages then
    learn of it with the next change.
    """
    names = set(topics)
    if names:
        transaction.on_commit(lambda: _gathered.add(tenant_id, names))


class _Gathered:
    """What waits to be announced in this process; a thread of its own says it."""

    def __init__(self) -> None:
        self._waiting: dict[int, set[str]] = {}
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._speaker: threading.Thread | None = None

    def add(self, tenant_id: int, topics: set[str]) -> None:
        """Put topics with what waits."""
        with self._lock:
            self._waiting.setdefault(tenant_id, set()).update(topics)
            if self._speaker is None or not self._speaker.is_alive():
                self._speaker = threading.Thread(target=self._speak, name="announcements", daemon=True)
                self._speaker.start()
        self._changed.set()

    def say(self) -> None:
        """Announce what waits, now. A database that is gone costs the announcement: pages reload when it is back."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            with transaction.atomic(), gathering(DEFAULT_DB_ALIAS, commit=True):
                # There is nothing in it that a crash could take, and those who commit an alert wait for it to be over.
                tell_once("SET LOCAL synchronous_commit = off")
                _notify(waiting)
        except (DatabaseError, InterfaceError) as error:
            _log.warning("open pages of %d tenants could not be told of changes: %s", len(waiting), error)
            connections["default"].close()

    def _speak(self) -> None:
        pause = threading.Event()
        while self._changed.wait():
            self._changed.clear()
            self.say()
            pause.wait(_GATHER_S)


_gathered = _Gathered()
atexit.register(_gathered.say)


def _notify(said: Mapping[int, Iterable[str]]) -> None:
    messages = [
        orjson.dumps({"tenant": tenant_id, "topics": sorted(topics)}).decode()
        for tenant_id, topics in said.items()
        if topics
    ]
    if messages:
        tell(_NOTIFY, [CHANNEL, *arrays(["text"], [messages])])
