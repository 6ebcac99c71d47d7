"""Sends spans and events of one tenant: the OpenTelemetry SDK's exporter and the CloudEvents HTTP binding.

Nothing is dropped for want of an answer: a console that is away or busy (429, 502, 503, 504) is asked again, at its own
pace where it names one, and a refused key is tried again later. Only what can never be taken is given up.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from console.plant.cloudevent import CloudEvent, Message, batch, binary, structured

_logger = logging.getLogger(__name__)
_TIMEOUT_S = 20.0
_BUSY = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_NO_ENTRY = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_LONGEST_WAIT_S = 30.0


@dataclass(slots=True)
class Tally:
    """What was sent and what was answered."""

    spans: int = 0
    events: int = 0
    rejected: int = 0
    lost: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    last_problem: str = ""


class Sender:
    """One tenant's line to the console. `wait` pauses for so many seconds; a test passes one that does not."""

    def __init__(
        self, url: str, key: str, *, wait: Callable[[float], None] = time.sleep, gives_up: bool = False
    ) -> None:
        self.tally = Tally()
        self._url = url.rstrip("/")
        self._wait = wait
        self._gives_up = gives_up
        self._last: requests.Response | None = None
        self._session = requests.Session()
        # The console stands beside its plant; a proxy for the outside world has no business between them.
        self._session.trust_env = False
        self._session.hooks["response"].append(self._remember)
        self._headers = {"Authorization": f"Bearer {key}"}
        self._exporter = OTLPSpanExporter(
            endpoint=f"{self._url}/v1/traces",
            headers=self._headers,
            timeout=_TIMEOUT_S,
            compression=Compression.Gzip,
            session=self._session,
        )

    def send_spans(self, spans: Sequence[ReadableSpan]) -> float:
        """Exports the spans in one request; returns the seconds that the answer took."""

        def once() -> bool:
            return self._exporter.export(spans) is SpanExportResult.SUCCESS

        taken, seconds = self._until_taken(once)
        self.tally.spans += len(spans)
        self.tally.lost += 0 if taken else len(spans)
        if taken and self._last is not None and self._last.content:
            said = ExportTraceServiceResponse.FromString(self._last.content).partial_success
            self._count_rejected(said.rejected_spans, said.error_message)
        return seconds

    def send_events(self, events: Sequence[CloudEvent]) -> float:
        """Sends the events as one batch; returns the seconds that the answer took."""
        return self._post_events(batch(events), len(events))

    def send_event(self, event: CloudEvent, *, as_binary: bool) -> float:
        """Sends one event in binary or structured mode; returns the seconds that the answer took."""
        return self._post_events(binary(event) if as_binary else structured(event), 1)

    def _post_events(self, message: Message, count: int) -> float:
        def once() -> bool:
            answer = self._session.post(
                f"{self._url}/v1/events",
                data=message.body,
                headers={**self._headers, **message.headers},
                timeout=_TIMEOUT_S,
            )
            return answer.ok

        taken, seconds = self._until_taken(once)
        self.tally.events += count
        self.tally.lost += 0 if taken else count
        if taken and self._last is not None:
            self._count_rejected(*_rejected_events(self._last))
        return seconds

    def _until_taken(self, once: Callable[[], bool]) -> tuple[bool, float]:
        """Repeats while the console is busy, away or shut to us. Says whether it took the request in the end."""
        for tries in range(1, 1_000_000):
            began = time.monotonic()
            is_taken, answer = self._attempt(once)
            seconds = time.monotonic() - began
            status = answer.status_code if answer is not None else None
            self.tally.answers[str(status or "no answer")] += 1
            if is_taken:
                return True, seconds
            self.tally.last_problem = _problem(answer)
            waits = status is None or status in _BUSY or (status in _NO_ENTRY and not self._gives_up)
            if not waits or (self._gives_up and tries >= 5):
                _logger.error("given up: %s", self.tally.last_problem)
                return False, seconds
            pause = _pause(tries, answer)
            _logger.warning("sending again in %.1f s: %s", pause, self.tally.last_problem)
            self._wait(pause)
        return False, 0.0

    def _attempt(self, once: Callable[[], bool]) -> tuple[bool, requests.Response | None]:
        self._last = None
        try:
            is_taken = once()
        except requests.RequestException:
            is_taken = False
        return is_taken, self._last

    def _remember(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._last = response

    def _count_rejected(self, count: int, reason: str) -> None:
        self.tally.rejected += count
        if count:
            self.tally.last_problem = reason


def _pause(tries: int, answer: requests.Response | None) -> float:
    """Seconds until the next try: what the console asks for, long where the key is refused, else doubling."""
    if answer is not None and answer.status_code in _NO_ENTRY:
        return _LONGEST_WAIT_S
    stated = answer.headers.get("Retry-After", "") if answer is not None else ""
    asked = float(stated) if stated.replace(".", "", 1).isdigit() else 0.5 * 2.0 ** min(tries, 10)
    return min(asked, _LONGEST_WAIT_S)


def _rejected_events(answer: requests.Response) -> tuple[int, str]:
    """How many events the console refused while it took the others, and why."""
    try:
        said = answer.json()
        return int(said["rejected_count"]), str(said["rejected"])[:300]
    except (ValueError, TypeError, KeyError):
        return 0, ""


def _problem(answer: requests.Response | None) -> str:
    if answer is None:
        return "the console gives no answer"
    return f"{answer.status_code} {' '.join(answer.text.split())[:300]}"
