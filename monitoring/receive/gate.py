"""Who may enter and how much at once: keys, and the bytes that one process holds."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError

from partners.keys import KeyHolder, find_holder
from partners.models.keys import KeyKind

#: A revoked key stops working within this long.
_TRUSTED_S = 1.0
_MOST_KEYS = 10_000


class KeysUnavailable(RuntimeError):
    """The database can't say whose a key is."""


class KeyRing:
    """Remembers for a moment which keys were good, by their digest. Bad keys are asked about each time."""

    def __init__(self) -> None:
        self._good: OrderedDict[bytes, tuple[float, KeyHolder]] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, key: str) -> KeyHolder | None:
        """Return the holder of a key that was found good within the last second."""
        mark = hashlib.sha256(key.encode()).digest()
        with self._lock:
            found = self._good.get(mark)
            return found[1] if found and time.monotonic() - found[0] < _TRUSTED_S else None

    def holder(self, key: str) -> KeyHolder | None:
        """Ask the database whose key this is; None for what opens nothing. Raises KeysUnavailable."""
        try:
            found = find_holder(KeyKind.INGEST, key)
        except (DatabaseError, InterfaceError) as error:
            raise KeysUnavailable(str(error)) from error
        if found is not None:
            with self._lock:
                self._good[hashlib.sha256(key.encode()).digest()] = (time.monotonic(), found)
                while len(self._good) > _MOST_KEYS:
                    self._good.popitem(last=False)
        return found


class Overloaded(RuntimeError):
    """This process holds as many bytes as it may."""


class InFlight:
    """Counts the bytes of the bodies that one process holds, so that its memory stays bounded."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    @contextmanager
    def admitted(self) -> Iterator[Holding]:
        """Hold nothing at first; what is added is given back at the end."""
        holding = Holding(self)
        try:
            yield holding
        finally:
            self.held -= holding.size


class Holding:
    """The bytes of one request."""

    def __init__(self, pool: InFlight) -> None:
        self._pool = pool
        self.size = 0

    def add(self, size: int) -> None:
        """Take more bytes, or raise Overloaded. A request alone in the process is always let in."""
        if self._pool.held + size > self._pool.most and self._pool.held > self.size:
            raise Overloaded
        self._pool.held += size
        self.size += size
