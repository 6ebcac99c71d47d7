"""Ids and names that are longer than what keeps them: two that begin alike never become one."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from pytest_django import DjangoDbBlocker

from monitoring.facts import AttemptFact, Identity
from monitoring.models import DeadLetter, Workflow
from monitoring.names import ID_CHARS
from monitoring.records import SpanEvent, SpanKind, SpanRecord, Value
from monitoring.sources.registry import read_event, read_trace
from tests.conformance.bodies import JSON, js_batch, js_pairs, js_span, new_trace
from tests.live import LiveConsole
from tests.monitoring.samples import START_NS, event, span
from tests.online import Online

CONSUMER = SpanKind.CONSUMER
BATCH = "application/cloudevents-batch+json"


def said(name: str, attributes: dict[str, Value]) -> SpanRecord:
    return span(1, {"messaging.system": "rabbitmq", **attributes}, parent=99, name=name, kind=CONSUMER, failed=True)


#: Each way to name a unit of work, from the name that its sender gives it.
UNITS: dict[str, Callable[[str], tuple[AttemptFact, ...]]] = {
    "andon": lambda unit: read_trace([span(1, {"andon.unit_id": unit, "andon.phase": "dead"})]).attempts,
    "message": lambda unit: (
        read_trace([said("process", {"messaging.message.id": unit, "messaging.destination.name": "q.dlq"})]).attempts
    ),
    "queue": lambda unit: read_trace([said("process", {"messaging.destination.name": f"{unit}.dlq"})]).attempts,
    "celery": lambda unit: (
        read_trace(
            [span(1, {"celery.action": "run", "celery.task_name": "t", "celery.task_id": unit}, failed=True)]
        ).attempts
    ),
    "n8n": lambda unit: (
        read_trace(
            [span(1, {"n8n.workflow.id": "w", "n8n.execution.id": unit, "n8n.execution.status": "error"}, failed=True)]
        ).attempts
    ),
    "camunda": lambda unit: (
        read_trace(
            [span(1, {"zeebe.job.key": unit, "zeebe.job.retries": 1, "zeebe.process.id": "p"}, failed=True)]
        ).attempts
    ),
    "note": lambda unit: (
        read_trace(
            [span(1, events=[SpanEvent("dead_letter", START_NS, {"message.id": unit, "queue": "q"})], failed=True)]
        ).attempts
    ),
    "event": lambda unit: (
        read_event(event("com.x.mfg.integration.message_dead_lettered.v1", {"message_ref": unit})).attempts
    ),
    "run": lambda unit: read_event(event("com.x.mfg.workflow.run_failed.v1", {"run_id": unit})).attempts,
}


@pytest.mark.parametrize("way", UNITS)
@pytest.mark.parametrize("length", [150, 199, 205, 299, 305, 5_000])
def test_units_whose_ids_begin_alike_stay_apart(way: str, length: int) -> None:
    facts = [fact for end in "ab" for fact in UNITS[way]("u" * length + end)]
    assert len(facts) == 2
    assert len({fact.unit_id for fact in facts}) == 2
    assert max(len(text) for fact in facts for text in (fact.unit_id, fact.destination)) <= ID_CHARS


AUTOMATIONS: dict[str, Callable[[str], Identity | None]] = {
    "andon": lambda name: read_trace([span(1, {"andon.workflow": name})]).identity,
    "otel": lambda name: read_trace([span(1, name=name)]).identity,
    "n8n": lambda name: read_trace([span(1, {"n8n.workflow.id": name, "n8n.execution.id": "1"})]).identity,
    "celery": lambda name: read_trace([span(1, {"celery.action": "run", "celery.task_name": name})]).identity,
    "queue": lambda name: read_trace([said("process", {"messaging.destination.name": name})]).identity,
    "event": lambda name: read_event(event("order.released", {"workflow_id": name})).identity,
}


@pytest.mark.parametrize("way", AUTOMATIONS)
@pytest.mark.parametrize("length", [150, 199, 205, 299, 305, 5_000])
def test_automations_whose_names_begin_alike_stay_apart(way: str, length: int) -> None:
    found = [AUTOMATIONS[way]("w" * length + end) for end in "xy"]
    keys = {identity.source_key for identity in found if identity is not None}
    assert len(keys) == 2
    assert max(map(len, keys)) <= ID_CHARS


@pytest.fixture(scope="module")
def aster(live_console: LiveConsole, django_db_blocker: DjangoDbBlocker) -> Online:
    return Online(live_console, django_db_blocker, "Aster Foods")


@pytest.mark.parametrize("length", [205, 5_000])
def test_dead_letters_whose_ids_begin_alike_are_each_kept(aster: Online, length: int) -> None:
    def dead(number: int, attributes: dict[str, str]) -> dict[str, object]:
        values = {key: {"stringValue": value} for key, value in attributes.items()}
        return js_span(new_trace(), number, attributes=js_pairs(**values), status={"code": 2}, kind=5)

    ids = ["u" * length + end for end in "abc"]
    stated = [dead(1, {"andon.unit_id": one, "andon.phase": "dead", "andon.workflow": "w"}) for one in ids]
    queue = {
        "messaging.system": "rabbitmq",
        "messaging.destination.name": "q.dlq",
        "messaging.operation.type": "process",
    }
    taken = [dead(2, {**queue, "messaging.message.id": f"m{one}"}) for one in ids]
    assert aster.post("/v1/traces", js_batch(*stated, *taken), JSON).body == b"{}"
    events = [
        {
            "specversion": "1.0", "id": f"{length}-{number}", "source": "/long", "data": {"message_ref": f"e{one}"},
            "type": "com.x.mfg.integration.message_dead_lettered.v1",
        }
        for number, one in enumerate(ids)
    ]  # fmt: skip
    assert json.loads(aster.post("/v1/events", json.dumps(events).encode(), BATCH).body)["accepted"] == 3
    with aster.rows():
        found = DeadLetter.objects.filter(unit_id__regex=f"^[me]?u{{{100}}}")
        assert sorted(found.values_list("deaths", flat=True)) == [1] * 9
        found.delete()
        assert Workflow.objects.filter(source_key="w").count() == 1
