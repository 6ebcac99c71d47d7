"""n8n: the workflow by its id, the execution as an attempt, the error workflow as its word for dead."""

from __future__ import annotations

from monitoring.facts import Confidence, Phase, Rank
from monitoring.records import SpanRecord, Value
from monitoring.sources.registry import read_trace
from tests.monitoring.samples import exception, key, span, told


def execution(
    number: int, status: str, more: dict[str, Value] | None = None, *, parent: int | None = None, at: int | None = None
) -> SpanRecord:
    attributes: dict[str, Value] = {
        "n8n.workflow.id": "wf-17",
        "n8n.workflow.name": "Release order",
        "n8n.workflow.version_id": "v-3",
        "n8n.execution.id": "812",
        "n8n.execution.mode": "webhook",
        "n8n.execution.status": status,
        **(more or {}),
    }
    return span(
        number, attributes, name="workflow.execute", parent=parent, at_ms=at, failed=status in {"error", "crashed"},
        resource={"service.name": "n8n", "n8n.instance.id": "ulm-1"}, scope="n8n-workflow",
        events=[exception("NodeApiError", "503 from MES")] if status == "error" else (),
    )  # fmt: skip


def test_it_names_the_run_by_the_workflows_id_never_by_the_constant_span_name() -> None:
    identity = read_trace([execution(1, "success", parent=9)]).identity

    assert identity is not None
    assert (identity.source_system, identity.source_key, identity.name, identity.version, identity.rank) == (
        "n8n", "wf-17", "Release order", "v-3", Rank.DECLARED,
    )  # fmt: skip


def test_it_calls_a_failed_execution_dead_since_n8n_repeats_none_by_itself() -> None:
    (fact,) = read_trace([execution(1, "error")]).attempts

    assert told([fact]) == [("n8n:ulm-1:812", 1, "dead")]
    assert (fact.error_class, fact.message, fact.confidence) == ("NodeApiError", "503 from MES", Confidence.DERIVED)


def test_it_is_sure_of_the_death_when_the_error_workflow_ran() -> None:
    failed = execution(1, "error", at=0)
    handler = execution(2, "success", {"n8n.workflow.id": "wf-errors", "n8n.execution.id": "813",
                                       "n8n.execution.mode": "error"}, parent=1, at=50)  # fmt: skip
    reading = read_trace([handler, failed])

    assert reading.identity is not None
    assert reading.identity.source_key == "wf-17"
    assert [(fact.phase, fact.confidence) for fact in reading.attempts if fact.unit_id == "n8n:ulm-1:812"] == [
        (Phase.DEAD, Confidence.DECLARED)
    ]


def test_it_ties_a_retried_execution_to_the_one_that_it_repeats() -> None:
    again = execution(5, "success", {"n8n.execution.id": "820", "n8n.execution.is_retry": True,
                                     "n8n.execution.retry_of": "812"})  # fmt: skip

    assert told(read_trace([again]).attempts) == [("n8n:ulm-1:812", 2, "ok")]


def test_it_lets_an_author_fail_in_the_editor_without_a_dead_letter() -> None:
    (fact,) = read_trace([execution(1, "error", {"n8n.execution.mode": "manual"})]).attempts

    assert fact.phase is Phase.ERROR


def test_it_reads_the_business_keys_that_an_author_put_on_the_workflow() -> None:
    reading = read_trace([execution(1, "success", {"n8n.workflow.custom.order": "4711",
                                                   "n8n.node.custom.mood": "fine"})])  # fmt: skip

    assert reading.keys == (key("order", "4711"),)
