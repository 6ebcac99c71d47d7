"""Counts what became of every request, for /metrics, and writes refusals down for the tenant to see."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from monitoring.receive.arrival import Answer
from monitoring.receive.tally import Outcome, Tally
from monitoring.records import Signal
from partners.keys import KeyHolder
from partners.scope import tenant_scope

_log = logging.getLogger(__name__)
_WRITE_EVERY_S = 2.0

_tally = Tally(settings.ANDON_HOME / "metrics")


def totals() -> Counter[Outcome]:
    """Return this process's requests by signal, status and reason."""
    return _tally.own()


def totals_of_all() -> Counter[Outcome]:
    """Return the requests of all web workers of this run. It reads files: call it from a thread."""
    return _tally.everyone()


class Outcomes:
    """Counters of one process. Refusals of known senders reach the database within a few seconds, off the hot path."""

    def __init__(self) -> None:
        self._waiting: Counter[tuple[int, str, int, str]] = Counter()
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None

    def count(self, holder: KeyHolder | None, signal: Signal, answer: Answer) -> None:
        """Count one answer."""
        with self._lock:
            _tally.add((signal.value, answer.status, answer.reason))
            if holder is None or answer.status == 200:
                return
            self._waiting[holder.tenant_id, signal.value, answer.status, answer.reason] += 1
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_later, name="refusals", daemon=True)
                self._writer.start()

    def _write_later(self) -> None:
        time.sleep(_WRITE_EVERY_S)
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
            # What is counted from here on is for the next writer.
            self._writer = None
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        for (tenant_id, signal, status, reason), count in sorted(waiting.items()):
            try:
                with tenant_scope(tenant_id, actor="system:intake"), connection.cursor() as cursor:
                    cursor.execute(
                        "INSERT INTO monitoring_refusal (tenant_id, hour, signal, status, reason, count) "
                        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, hour, signal, status, reason) "
                        "DO UPDATE SET count = monitoring_refusal.count + excluded.count",
                        [tenant_id, hour, signal, status, reason, count],
                    )
            except (DatabaseError, InterfaceError) as error:
                _log.warning("%d refusals of tenant %d could not be written down: %s", count, tenant_id, error)
        connection.close()
