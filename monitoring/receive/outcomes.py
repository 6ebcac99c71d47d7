"""What became of every request, brought from the workers' files into the database for the tenant to see.

Received = accepted + rejected + throttled by construction: each request is counted once, under what was answered, and
what was received is the sum. A file holds absolute figures and a row names the file they come from; so writing twice
equals writing once, and the counts of a worker that was killed are written by whoever finds its file.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, connection

from monitoring.receive.arrival import Answer
from monitoring.receive.connections import drop_broken_connection, keep_own_connection
from monitoring.receive.tally import (
    Figures,
    Outcome,
    Tally,
    folded,
    hour_of,
    is_alive,
    process_mark,
    read_counts,
    write_counts,
)
from monitoring.records import Signal
from partners.keys import KeyHolder
from partners.scope import tenant_scope

_log = logging.getLogger(__name__)
_WRITE_EVERY_S = 2.0
#: How often the files of dead workers are looked for.
_ADOPT_EVERY_S = 15.0
#: What could not be written down for longer than this is left out of the database: by then a day's rows of all workers
#: are becoming one (`monitoring/storage/pruning.py`), and a worker's own would be added to it a second time.
WRITTEN_WITHIN = timedelta(days=6)
_NOBODY = KeyHolder("", 0, None)
#: What was sent to a path that is no endpoint is counted as this.
_NO_SIGNAL = "other"

_UPSERT = """
INSERT INTO monitoring_intakeoutcome
    (tenant_id, hour, signal, status, reason, key_prefix, worker, requests, items, rejected, bytes)
SELECT %s, * FROM unnest(%s::timestamptz[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[],
    %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (tenant_id, hour, signal, status, reason, key_prefix, worker) DO UPDATE SET
    requests = greatest(monitoring_intakeoutcome.requests, excluded.requests),
    items = greatest(monitoring_intakeoutcome.items, excluded.items),
    rejected = greatest(monitoring_intakeoutcome.rejected, excluded.rejected),
    bytes = greatest(monitoring_intakeoutcome.bytes, excluded.bytes)
"""


def totals_of_all() -> dict[Outcome, Figures]:
    """Return the counts of all web workers of this run by signal, status and reason. It reads files: not for a loop."""
    found: dict[Outcome, Figures] = {}
    run = settings.INTAKE_RUN or process_mark(os.getppid())
    for file in (settings.ANDON_HOME / "metrics" / run).glob("*.counts"):
        for outcome, figures in folded(read_counts(file), keep=lambda _: False).items():
            found[outcome] = found.get(outcome, Figures()).plus(figures)
    return found


class Outcomes:
    """The counts of one process, written down within a few seconds, off the hot path."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or settings.ANDON_HOME / "metrics"
        self._tally = Tally(self._folder, run=settings.INTAKE_RUN)
        self._writer: threading.Thread | None = None
        self._starting = threading.Lock()

    def count(self, holder: KeyHolder | None, signal: Signal | None, answer: Answer, size: int) -> None:
        """Count one answer; `size` is the request's body as it came over the wire, as far as it was read."""
        who = holder or _NOBODY
        name = signal.value if signal else _NO_SIGNAL
        outcome = Outcome(hour_of(time.time()), who.tenant_id, who.prefix, name, answer.status, answer.reason)
        try:
            self._tally.add(outcome, Figures(1, answer.items, answer.rejected, size))
        except OSError as error:
            _log.warning("a request could not be counted: %s", error)
        if self._writer is None:
            self._start_writing()

    def write(self) -> None:
        """Write down what this process has counted since the last time."""
        changed = self._tally.take_changed()
        self._tally.give_back(_written(self._tally.name, changed))
        self._tally.fold()

    def adopt(self) -> None:
        """Write down what workers counted that have died, and forget the runs that have ended."""
        for file in self._folder.glob("*/*.counts"):
            worker, name, _ = file.name.split(".")
            if file == self._tally.file or is_alive(worker):
                continue
            counts = read_counts(file)
            if any(outcome.hour for outcome in counts) and not _written(name, counts):
                write_counts(file, folded(counts, keep=lambda _: False))
        for run in self._folder.glob("*-*"):
            left = (one.hour for file in run.glob("*.counts") for one in read_counts(file))
            if not is_alive(run.name) and not any(left):
                shutil.rmtree(run, ignore_errors=True)

    def _start_writing(self) -> None:
        with self._starting:
            if self._writer is None:
                self._writer = threading.Thread(target=self._keep_writing, name="outcomes", daemon=True)
                self._writer.start()

    def _keep_writing(self) -> None:
        keep_own_connection()
        adopted = 0.0
        while True:
            time.sleep(_WRITE_EVERY_S)
            try:
                self.write()
                if time.monotonic() - adopted > _ADOPT_EVERY_S:
                    self.adopt()
                    adopted = time.monotonic()
            except Exception:  # noqa: BLE001  Nothing may end the only thread that writes; the counts stay in their files.
                _log.exception("outcomes could not be written down")


def _written(worker: str, counts: Mapping[Outcome, Figures]) -> list[Outcome]:
    """Write these counts down, a transaction for each tenant; return what could not be."""
    by_tenant: defaultdict[int, list[Outcome]] = defaultdict(list)
    oldest = time.time() - WRITTEN_WITHIN.total_seconds()
    for outcome in counts:
        if outcome.tenant_id and outcome.hour > oldest:
            by_tenant[outcome.tenant_id].append(outcome)
    left: list[Outcome] = []
    for tenant_id, outcomes in by_tenant.items():
        rows = [
            (datetime.fromtimestamp(one.hour, UTC), one.signal, one.status, one.reason, one.key_prefix, worker)
            + counts[one]
            for one in outcomes
        ]
        try:
            with tenant_scope(tenant_id, actor="system:intake"), connection.cursor() as cursor:
                cursor.execute(_UPSERT, [tenant_id, *map(list, zip(*rows, strict=True))])
        except IntegrityError:
            # The tenant has been deleted; nobody is left to ask.
            continue
        except (DatabaseError, InterfaceError) as error:
            _log.warning("outcomes of tenant %d could not be written down: %s", tenant_id, error)
            drop_broken_connection()
            left += outcomes
    return left
