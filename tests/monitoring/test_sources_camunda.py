"""Camunda 8: jobs that count their tries downwards, and incidents that stand until a person resolves them."""

from __future__ import annotations

import pytest

from monitoring.facts import Rank
from monitoring.records import SpanEvent, SpanRecord, Value
from monitoring.sources.registry import read_event, read_trace
from tests.monitoring.samples import START_NS, event, exception, key, span, told


def job(left: int, *, failed: bool = False, more: dict[str, Value] | None = None) -> SpanRecord:
    attributes: dict[str, Value] = {
        "camunda.process_definition_id": "order-release",
        "camunda.job.key": 2251799813685262,
        "camunda.job.retries": left,
        "camunda.element_id": "post-movement",
        **(more or {}),
    }
    return span(1, attributes, parent=9, failed=failed, events=[exception("SapDown", "no route")] if failed else ())


def test_it_names_the_run_by_its_process_definition() -> None:
    identity = read_trace([job(3)]).identity

    assert identity is not None
    assert (identity.source_system, identity.source_key, identity.rank) == ("camunda", "order-release", Rank.DECLARED)


@pytest.mark.parametrize(
    ("left", "failed", "expected"),
    [
        (3, False, (1, "ok")),
        (3, True, (1, "retry_scheduled")),
        (2, True, (2, "retry_scheduled")),
        (1, True, (3, "dead")),
    ],
)
def test_it_counts_a_jobs_tries_from_the_retries_that_are_left(
    left: int, failed: bool, expected: tuple[int, str]
) -> None:
    (fact,) = read_trace([job(left, failed=failed)]).attempts

    assert (fact.attempt, fact.phase.value) == expected
    assert fact.unit_id == "camunda:2251799813685262"


@pytest.mark.parametrize("error_type", ["JOB_NO_RETRIES", "IO_MAPPING_ERROR"])
def test_it_reads_an_incident_on_a_span_as_a_death(error_type: str) -> None:
    (fact,) = read_trace([job(0, more={"camunda.incident.error_type": error_type})]).attempts

    assert (fact.phase.value, fact.error_class, fact.destination) == ("dead", error_type, "post-movement")


def test_it_reads_an_incident_in_a_span_event() -> None:
    noted = SpanEvent("incident", START_NS, {"zeebe.errorType": "JOB_NO_RETRIES", "zeebe.errorMessage": "gave up"})
    told_of = span(1, {"zeebe.bpmnProcessId": "order-release", "zeebe.jobKey": 17}, events=[noted])
    (fact,) = read_trace([told_of]).attempts

    assert (fact.unit_id, fact.phase.value, fact.message) == ("camunda:17", "dead", "gave up")


def test_it_reads_an_incident_that_an_exporter_hands_on_as_an_event() -> None:
    incident: Value = {"errorType": "JOB_NO_RETRIES", "jobKey": 17, "processDefinitionId": "order-release",
                       "elementId": "post", "variables": {"order_id": "4711"}}  # fmt: skip
    reading = read_event(event("io.camunda.incident.created", incident))

    assert told(reading.attempts) == [("camunda:17", 3, "dead")]
    assert reading.keys == (key("order", "4711"),)
    assert reading.identity is not None
    assert reading.identity.source_key == "order-release"


def test_it_takes_a_resolved_incident_for_a_redrive() -> None:
    resolved: Value = {"errorType": "JOB_NO_RETRIES", "jobKey": 17, "state": "RESOLVED"}

    assert [fact.phase.value for fact in read_event(event("io.camunda.incident", resolved)).attempts] == ["redriven"]
