"""Who may enter: whose an ingest key is, asked of the database at most once a second for each key."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic

from django.db import DatabaseError, InterfaceError

from monitoring.receive.connections import keep_own_connection, with_live_connection
from partners.keys import KeyHolder, find_holder
from partners.models.keys import KeyKind

#: A revoked key stops working within this long.
_TRUSTED_S = 1.0
#: A key in use is asked about again after this long, while requests go on with what is known.
_RENEW_S = 0.5
#: While the database can't be asked, a key that was good this recently still tells whose request it is. Nothing is
#: taken meanwhile, since taking needs the database; but the refusal is counted for its tenant.
_OUTAGE_S = 300.0
#: How long a request waits for the database's word, and how long where the key was good before.
_PATIENCE_S = 4.0
_SHORT_PATIENCE_S = 1.0
_MOST_KEYS = 10_000


class KeysUnavailable(RuntimeError):
    """The database can't say whose a key is."""


@dataclass(frozen=True, slots=True)
class _Good:
    at: float
    holder: KeyHolder


class KeyRing:
    """Remembers for a moment which keys were good, by their digest. Used by one thread, the event loop's; the database
    is asked by another, once for all who wait for the same key."""

    def __init__(self) -> None:
        self._good: OrderedDict[bytes, _Good] = OrderedDict()
        self._asking: dict[bytes, asyncio.Future[KeyHolder | None]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keys", initializer=keep_own_connection)

    async def holder(self, key: str) -> KeyHolder | None:
        """Return whose key this is; None for what opens nothing. Raises KeysUnavailable."""
        mark = hashlib.sha256(key.encode()).digest()
        good = self._good.get(mark)
        age = monotonic() - good.at if good else _OUTAGE_S
        if good and age < _TRUSTED_S:
            if age > _RENEW_S:
                self._ask(mark, key)
            return good.holder
        remembered = good if age < _OUTAGE_S else None
        try:
            patience = _SHORT_PATIENCE_S if remembered else _PATIENCE_S
            return await asyncio.wait_for(asyncio.shield(self._ask(mark, key)), patience)
        except (KeysUnavailable, TimeoutError) as error:
            if remembered:
                return remembered.holder
            raise KeysUnavailable(str(error) or "no answer in time") from error

    def close(self) -> None:
        """Wait for the thread to end."""
        self._thread.shutdown()

    def _ask(self, mark: bytes, key: str) -> asyncio.Future[KeyHolder | None]:
        asking = self._asking.get(mark)
        if asking is None:
            asking = asyncio.get_running_loop().run_in_executor(self._thread, _look_up, key)
            self._asking[mark] = asking
            asking.add_done_callback(lambda answered: self._learn(mark, answered))
        return asking

    def _learn(self, mark: bytes, answered: asyncio.Future[KeyHolder | None]) -> None:
        self._asking.pop(mark, None)
        if answered.cancelled() or answered.exception() is not None:
            return
        found = answered.result()
        self._good.pop(mark, None)
        if found is not None:
            self._good[mark] = _Good(monotonic(), found)
            if len(self._good) > _MOST_KEYS:
                self._good.popitem(last=False)


def _look_up(key: str) -> KeyHolder | None:
    try:
        return with_live_connection(lambda: find_holder(KeyKind.INGEST, key))
    except (DatabaseError, InterfaceError) as error:
        raise KeysUnavailable(str(error)) from error
