"""Figures about Andon itself in Prometheus's text format. No tenant is named."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping

import psutil
from django.conf import settings
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest, HttpResponse

from console.health import queue_age_s
from monitoring.receive.outcomes import totals_of_all
from monitoring.receive.tally import Figures, Outcome

_STARTED = time.time()
#: A 200 is accepted, a 429 or 503 throttled (its sender comes back), everything else rejected.
_COUNTERS = (
    ("andon_intake_requests_total", "Intake requests of all web workers by signal, status and reason.", "requests"),
    ("andon_intake_items_total", "Their spans, records, points and events, as far as they were read.", "items"),
    ("andon_intake_items_rejected_total", "Items refused out of requests that were taken.", "rejected"),
    ("andon_intake_bytes_total", "Bytes of their bodies over the wire, as far as they were read.", "bytes"),
)


async def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the counters of all web workers, the installation's queue age, and figures of this process."""
    worker = os.getpid()
    lines = [
        "# HELP andon_info The running version.",
        "# TYPE andon_info gauge",
        f'andon_info{{version="{settings.VERSION}"}} 1',
        *intake_counters(await asyncio.to_thread(totals_of_all)),
    ]
    process = psutil.Process(worker)
    lines += [
        "# HELP andon_queue_age_seconds For how long the oldest due timer has been waiting.",
        "# TYPE andon_queue_age_seconds gauge",
        f"andon_queue_age_seconds {await asyncio.to_thread(_queue_age):.3f}",
        "# HELP process_resident_memory_bytes Resident memory of the worker that answers.",
        "# TYPE process_resident_memory_bytes gauge",
        f'process_resident_memory_bytes{{worker="{worker}"}} {process.memory_info().rss}',
        "# HELP process_start_time_seconds Start of the worker that answers, since the epoch.",
        "# TYPE process_start_time_seconds gauge",
        f'process_start_time_seconds{{worker="{worker}"}} {_STARTED:.0f}',
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


def intake_counters(totals: Mapping[Outcome, Figures]) -> Iterator[str]:
    """The lines about intake. Received is the sum over all answers, so nothing is received and not accounted for."""
    for name, help_text, figure in _COUNTERS:
        yield f"# HELP {name} {help_text}"
        yield f"# TYPE {name} counter"
        for one, figures in sorted(totals.items()):
            labels = f'signal="{one.signal}",status="{one.status}",reason="{one.reason}"'
            yield f"{name}{{{labels}}} {getattr(figures, figure)}"


def _queue_age() -> float:
    """NaN, as Prometheus writes what is not known, while the database can't be asked."""
    try:
        return queue_age_s()
    except DatabaseError:
        return float("nan")
