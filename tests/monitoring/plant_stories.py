"""Traces and events of a small plant in many shapes, for properties: what happened, apart from how it was sent."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from monitoring.models import Process
from monitoring.receive.arrival import Answer
from tests.cast import Member
from tests.monitoring.line import arrival, arrival_of_events, span, take, take_events, take_together
from tests.rows import make_process, make_rule, make_sla

#: For the long form: TEST_EXAMPLES=2000 python -m pytest tests/monitoring/test_settling.py, or test_rebuild.py.
#: What starts with ANDON_ is taken out of the environment before tests run.
EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "25"))
START = datetime.fromisoformat("2026-11-20T09:00:20+00:00")
_SERVICES = ("erp-bridge", "mes", "unowned")
#: Seconds: usual ones, and some that floats and whole milliseconds make different things of.
_LASTING = st.integers(1, 30) | st.sampled_from([1.001, 8.03, 16.1, 0.0015, 29.9995, 0])


@dataclass(frozen=True)
class Story:
    """All that happened: spans with the service that told them, and events."""

    spans: tuple[tuple[str, dict[str, Any]], ...]
    events: tuple[dict[str, Any], ...]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def _tried(trace: int, number: int, draw: st.DrawFn) -> dict[str, Any]:
    """A span about a unit of work in one of several dialects."""
    unit = f"u-{draw(st.integers(1, 3))}"
    attempt = draw(st.integers(1, 3))
    when = at(draw(st.integers(0, 180)))
    dialect = draw(st.sampled_from(["andon", "celery", "rabbitmq", "dead", "redriven"]))
    fields: dict[str, Any] = {"trace": trace, "number": number, "at": when, "lasts_s": draw(_LASTING)}
    if dialect == "celery":
        said = {
            "celery.action": "run",
            "celery.task_name": "confirm",
            "messaging.message.id": unit,
            "celery.state": draw(st.sampled_from(["SUCCESS", "FAILURE", "RETRY"])),
            "celery.retries": attempt - 1,
        }
        return span("run/confirm", kind=5, said=said, failed=said["celery.state"] == "FAILURE", **fields)
    if dialect == "rabbitmq":
        queue = draw(st.sampled_from(["orders", "orders.dlq"]))
        said = {
            "messaging.system": "rabbitmq",
            "messaging.message.id": unit,
            "messaging.destination.name": queue,
            "messaging.message.retry.count": attempt - 1,
        }
        return span(f"{queue} process", kind=draw(st.sampled_from([4, 5])), said=said, **fields)
    phase = {"dead": "dead", "redriven": "redriven"}.get(dialect, "")
    said = {"andon.unit_id": unit, "andon.attempt": attempt, **({"andon.phase": phase} if phase else {})}
    if draw(st.booleans()):
        said["order.id"] = str(4710 + draw(st.integers(1, 3)))
    return span("confirm", said=said, failed=draw(st.booleans()), kind=draw(st.sampled_from([1, 2, 5])), **fields)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """One to three traces, each with or without its root, and up to three events about the same units."""
    spans: list[tuple[str, dict[str, Any]]] = []
    for trace in range(1, draw(st.integers(1, 3)) + 1):
        service = draw(st.sampled_from(_SERVICES))
        if draw(st.booleans()):
            root = span("release", trace=trace, number=trace * 100, at=at(draw(st.integers(0, 60))),
                        lasts_s=draw(st.sampled_from([5, 50, 200]) | _LASTING), failed=draw(st.booleans()))  # fmt: skip
            spans.append((service, root))
        for number in range(1, draw(st.integers(0, 5)) + 1):
            parent = draw(st.sampled_from([trace * 100, trace * 100 + max(1, number - 1)]))
            made = _tried(trace, trace * 100 + number, draw)
            parent = parent if parent != trace * 100 + number else trace * 100
            told_by = service if draw(st.booleans()) else draw(st.sampled_from(_SERVICES))
            spans.append((told_by, made | {"parentSpanId": parent.to_bytes(8, "big").hex()}))
            if draw(st.integers(0, 5)) == 0:
                # A sender that gives two spans one id, or tells of one a second time with other words.
                other = _tried(trace, trace * 100 + number, draw)
                spans.append((draw(st.sampled_from([told_by, *_SERVICES])), other))
    events = []
    for number in range(draw(st.integers(0, 3))):
        unit = f"u-{draw(st.integers(1, 3))}"
        name = draw(st.sampled_from(["message_dead_lettered", "message_replayed"]))
        events.append({
            "specversion": "1.0", "id": f"e-{number}", "source": "/plants/ulm/rabbitmq",
            "type": f"dev.andon.mfg.integration.{name}.v1", "subject": unit,
            "time": at(draw(st.integers(0, 300))).isoformat(),
            "data": {"message_ref": unit, "attempts": draw(st.integers(1, 4)), "queue": "orders.dlq"},
        })  # fmt: skip
    return Story(tuple(spans), tuple(events))


@dataclass(frozen=True)
class Request:
    """One request: spans, or events."""

    spans: tuple[tuple[str, dict[str, Any]], ...] = ()
    events: tuple[dict[str, Any], ...] = ()


@st.composite
def tellings(draw: st.DrawFn, story: Story) -> list[Request]:
    """The same story in requests of any cut and order, with any of it told more than once."""
    requests = []
    repeated_spans = draw(st.lists(st.sampled_from(story.spans), max_size=4)) if story.spans else []
    repeated_events = draw(st.lists(st.sampled_from(story.events), max_size=2)) if story.events else []
    for kind, items in (("spans", [*story.spans, *repeated_spans]), ("events", [*story.events, *repeated_events])):
        shuffled = draw(st.permutations(items))
        while shuffled:
            size = draw(st.integers(1, len(shuffled)))
            requests.append(Request(**{kind: tuple(shuffled[:size])}))
            shuffled = shuffled[size:]
    again = draw(st.lists(st.sampled_from(requests), max_size=2)) if requests else []
    return draw(st.permutations([*requests, *again]))


def plant_catalogue(member: Member) -> Process:
    """Two processes, one with a promise, and what no rule claims."""
    with member.scope():
        made = make_process(name="Order release", slug="release", owner=member.user)
        make_sla(made, target_s=60)
        make_rule(made, condition="resource['service.name'] == 'erp-bridge'")
        make_rule(make_process(name="Confirmation", slug="confirm"), condition="resource['service.name'] == 'mes'")
    return made


def send(member: Member, request: Request) -> None:
    if request.events:
        assert take_events(member.tenant.pk, *request.events).status == 200
    if request.spans:
        assert take(member.tenant.pk, body_of(request.spans)).status == 200


def send_together(member: Member, requests: Sequence[Request]) -> None:
    """Send these requests as ones that waited together."""
    pk = member.tenant.pk
    arrivals = [arrival_of_events(pk, *request.events) for request in requests if request.events]
    arrivals += [arrival(pk, body_of(request.spans)) for request in requests if request.spans]
    for answer in take_together(*arrivals):
        assert isinstance(answer, Answer)
        assert answer.status == 200


def body_of(spans: Sequence[tuple[str, dict[str, Any]]]) -> bytes:
    """An export in which each service stands as often as its spans do not lie together."""
    groups = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": [said for _, said in group]}],
        }
        for service, group in itertools.groupby(spans, key=lambda pair: pair[0])
    ]
    return json.dumps({"resourceSpans": groups}).encode()
