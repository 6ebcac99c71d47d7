"""Figures about Andon itself in Prometheus's text format. No tenant is named."""

from __future__ import annotations

import asyncio
import os
import time

import psutil
from django.conf import settings
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest, HttpResponse

from console.health import queue_age_s
from monitoring.receive.outcomes import totals_of_all

_STARTED = time.time()


async def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the counters of all web workers, the installation's queue age, and figures of this process."""
    worker = os.getpid()
    lines = [
        "# HELP andon_info The running version.",
        "# TYPE andon_info gauge",
        f'andon_info{{version="{settings.VERSION}"}} 1',
        "# HELP andon_intake_requests_total Intake requests of all web workers by signal, status and reason.",
        "# TYPE andon_intake_requests_total counter",
    ]
    for (signal, status, reason), count in sorted((await asyncio.to_thread(totals_of_all)).items()):
        lines.append(f'andon_intake_requests_total{{signal="{signal}",status="{status}",reason="{reason}"}} {count}')
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


def _queue_age() -> float:
    """NaN, as Prometheus writes what is not known, while the database can't be asked."""
    try:
        return queue_age_s()
    except DatabaseError:
        return float("nan")
