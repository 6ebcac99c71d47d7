"""What went wrong in a span, in the words every OpenTelemetry source shares."""

from __future__ import annotations

from typing import NamedTuple

from monitoring.records import Attributes, SpanEvent, SpanRecord, StatusCode
from monitoring.sources.values import text

#: Span events by which an application or a library says that this unit of work went to a dead-letter queue.
_DEATH_NOTES = frozenset({
    "dead_letter", "dead_lettered", "dead-letter", "deadletter", "message.dead_letter", "message.dead_lettered",
    "messaging.dead_letter", "messaging.dead_lettered",
})  # fmt: skip


class Failure(NamedTuple):
    """An error's low-cardinality class and its text; both empty where nothing is said."""

    error_class: str = ""
    message: str = ""

    def or_else(self, other: Failure) -> Failure:
        """This failure, with what it leaves open taken from another."""
        return Failure(self.error_class or other.error_class, self.message or other.message)


NO_FAILURE = Failure()


def failure_of(span: SpanRecord) -> Failure:
    """Error class and text from `error.type`, else the last exception event, else the HTTP or span status."""
    stated = text(span.attributes.get("error.type"))
    raised = NO_FAILURE
    for event in span.events:
        if "exception.type" in event.attributes or "exception.message" in event.attributes:
            raised = _raised(event.attributes)
    if not (stated or raised.error_class) and span.status is StatusCode.ERROR:
        stated = _http_error(span.attributes)
    return Failure(bounded_class(stated or raised.error_class), bounded(raised.message or span.status_message))


def death_note(span: SpanRecord) -> SpanEvent | None:
    """The span event that says this unit was dead-lettered, if there is one."""
    for event in span.events:
        if event.name in _DEATH_NOTES:
            return event
    return None


def bounded_class(name: str) -> str:
    """An error class as it groups alerts: stripped, at most 200 characters."""
    return name.strip()[:200]


def bounded(message: str) -> str:
    """An error text as it is kept: stripped, at most 500 characters."""
    return message.strip()[:500]


def _raised(attributes: Attributes) -> Failure:
    return Failure(text(attributes.get("exception.type")), text(attributes.get("exception.message")))


def _http_error(attributes: Attributes) -> str:
    status = text(attributes.get("http.response.status_code") or attributes.get("http.status_code"))
    return f"HTTP {status}" if status[:1] in {"4", "5"} else ""
