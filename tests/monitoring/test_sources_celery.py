"""Celery: recorded from a real worker, and the corners of its vocabulary in small."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.decode import decode
from monitoring.facts import AttemptFact, Phase, Rank
from monitoring.records import Encoding, Payload, Signal, SpanKind, SpanRecord, Value
from monitoring.sources.celery import Celery
from monitoring.sources.registry import read_trace, traced
from tests.monitoring.samples import NOW, RECORDED, key, span, told

_BODIES = sorted((RECORDED / "captured" / "celery-otlp").glob("*.bin"))
recorded = pytest.mark.skipif(not _BODIES, reason="recorded input data/captured/celery-otlp is not here")


def task(
    number: int,
    state: str,
    more: dict[str, Value] | None = None,
    *,
    failed: bool = False,
    unit: str = "u-1",
    retries: int | None = None,
) -> SpanRecord:
    attributes: dict[str, Value] = {
        "celery.action": "run",
        "celery.state": state,
        "celery.task_name": "erp.post_goods_movement",
        "messaging.message.id": unit,
        "messaging.destination": "erp.movements",
        **(more or {}),
    }
    if retries is not None:
        attributes["celery.retries"] = retries
    name = "run/erp.post_goods_movement"
    return span(number, attributes, parent=99, name=name, kind=SpanKind.CONSUMER, failed=failed)


def attempts(*spans: SpanRecord) -> tuple[AttemptFact, ...]:
    reading = Celery().read(spans, traced(spans))
    assert reading is not None
    return reading.attempts


def test_it_counts_the_attempt_from_celerys_retries_which_are_absent_at_first() -> None:
    assert told(attempts(task(1, "RETRY"), task(2, "RETRY", retries=1), task(3, "SUCCESS", retries=2))) == [
        ("u-1", 1, "retry_scheduled"),
        ("u-1", 2, "retry_scheduled"),
        ("u-1", 3, "ok"),
    ]


def test_it_reads_the_cause_and_the_time_of_the_next_try_from_the_retry_reason() -> None:
    (fact,) = attempts(
        task(1, "RETRY", {"celery.retry.reason": "Retry in 90s: ConnectionError('SAP gateway timeout')"})
    )

    assert (fact.error_class, fact.message) == ("ConnectionError", "SAP gateway timeout")
    assert fact.ended_at is not None
    assert fact.next_at == fact.ended_at + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("state", "failed", "phase"),
    [
        ("FAILURE", True, Phase.DEAD),
        ("FAILURE", False, Phase.ERROR),  # the exception stands in `task.throws`: the author expects it
        ("REJECTED", False, Phase.DEAD),
        ("IGNORED", False, Phase.OK),
        ("REVOKED", False, Phase.CANCELLED),
        ("SUCCESS", False, Phase.OK),
        ("", True, Phase.DEAD),
    ],
)
def test_it_knows_how_each_state_leaves_the_unit(state: str, failed: bool, phase: Phase) -> None:
    assert [fact.phase for fact in attempts(task(1, state, failed=failed))] == [phase]


def test_it_finds_the_rejected_task_that_no_error_filter_finds() -> None:
    (fact,) = attempts(task(1, "REJECTED"))

    assert (fact.phase, fact.destination, fact.error_class) == (Phase.DEAD, "erp.movements", "rejected")


def test_it_calls_work_that_expired_before_it_ran_expired() -> None:
    (fact,) = attempts(task(1, "REVOKED", {"celery.revoked.reason": "expired"}))

    assert fact.phase is Phase.EXPIRED


def test_it_takes_nothing_from_a_task_that_is_merely_sent() -> None:
    sent = span(1, {"celery.action": "apply_async", "celery.task_name": "a.b", "messaging.message.id": "u-1"})

    assert attempts(sent) == ()


def test_it_names_the_run_after_the_task_that_a_worker_was_handed() -> None:
    identity = read_trace([task(1, "SUCCESS")]).identity

    assert identity is not None
    assert (identity.source_system, identity.source_key) == ("celery", "erp.post_goods_movement")
    assert identity.rank is Rank.ENTRY


def test_it_names_the_run_after_the_request_that_caused_the_task_once_that_is_there() -> None:
    root = span(99, {"manufacturing.order.id": "4711"}, name="POST /orders/4711/release", service="order-api")
    identity = read_trace([task(1, "SUCCESS"), root]).identity

    assert identity is not None
    assert (identity.source_system, identity.source_key) == ("otel", "order-api/POST /orders/{id}/release")


def test_it_does_not_repeat_as_messaging_what_celery_said() -> None:
    spans = [task(1, "FAILURE", failed=True)]

    assert [fact.dialect for fact in read_trace(spans).attempts] == ["celery"]


@given(st.lists(st.booleans(), min_size=5, max_size=5))
def test_it_tells_the_same_attempts_however_a_trace_is_split(first_request: list[bool]) -> None:
    spans = [
        task(1, "RETRY"), task(2, "RETRY", retries=1), task(3, "FAILURE", failed=True, retries=2),
        task(4, "RETRY", unit="u-2"), task(5, "SUCCESS", unit="u-2", retries=1),
    ]  # fmt: skip
    parts = [
        [one for one, early in zip(spans, first_request, strict=True) if early is which] for which in (True, False)
    ]
    split = {fact for part in parts if part for fact in read_trace(part).attempts}

    assert split == set(read_trace(spans).attempts)


def _recorded_spans() -> Iterator[SpanRecord]:
    for body in _BODIES:
        received_at: datetime = NOW
        payload = Payload(Signal.TRACES, Encoding.PROTOBUF, body.read_bytes(), {}, received_at)
        yield from decode(payload).spans


@recorded
def test_it_reads_the_recorded_worker_as_it_happened() -> None:
    trace = [one for one in _recorded_spans() if one.trace_id.hex().startswith("640632")]
    reading = read_trace(trace)
    ends = {(fact.step, fact.attempt): (fact.phase.value, fact.error_class) for fact in reading.attempts}

    assert ends == {
        ("erp.release_order", 1): ("ok", ""),
        ("erp.post_goods_movement", 1): ("retry_scheduled", "ConnectionError"),
        ("erp.post_goods_movement", 2): ("retry_scheduled", "ConnectionError"),
        ("erp.post_goods_movement", 3): ("dead", "ConnectionError"),
        ("mes.sync_hold", 1): ("dead", "ValueError"),
        ("wms.reserve", 1): ("retry_scheduled", "TimeoutError"),
        ("wms.reserve", 2): ("retry_scheduled", "TimeoutError"),
        ("wms.reserve", 3): ("ok", ""),
        ("mes.reject", 1): ("dead", "rejected"),
        ("mes.ignore", 1): ("ok", ""),
    }
    assert reading.keys == (key("order", "4711"),)
    assert len({fact.unit_id for fact in reading.attempts if fact.step == "wms.reserve"}) == 1


@recorded
def test_it_reads_the_recorded_time_limit_as_a_final_failure() -> None:
    trace = [one for one in _recorded_spans() if one.trace_id.hex().startswith("c492d5")]
    (fact,) = read_trace(trace).attempts

    assert (fact.step, fact.phase.value, fact.error_class) == (
        "mes.slow", "dead", "billiard.exceptions.SoftTimeLimitExceeded",
    )  # fmt: skip
