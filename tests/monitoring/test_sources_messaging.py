"""Messaging: every spelling by which a consumer span says that its message is dead, and those that do not mean it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.facts import AttemptFact, Confidence, Phase, Rank
from monitoring.records import SpanEvent, SpanKind, SpanRecord, Value
from monitoring.sources import headers
from monitoring.sources.registry import read_trace
from tests.monitoring.samples import RECORDED, START_NS, exception, span, told

_DEATHS = RECORDED / "captured" / "rabbitmq-x-death.json"
REJECTED: dict[str, Value] = {
    "count": 3,
    "reason": "rejected",
    "queue": "erp.orders",
    "routing-keys": ["erp.order.4711"],
}
RETURNED: dict[str, Value] = {
    "count": 2,
    "reason": "expired",
    "queue": "erp.orders.retry",
    "routing-keys": ["erp.orders"],
}


def message(number: int, more: dict[str, Value] | None = None, *, failed: bool = False, **other: object) -> SpanRecord:
    attributes: dict[str, Value] = {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "process",
        "messaging.destination.name": "erp.orders",
        "messaging.message.id": "m-1",
        **(more or {}),
    }
    kind = other.pop("kind", SpanKind.CONSUMER)
    return span(number, attributes, parent=99, kind=kind, failed=failed, **other)  # type: ignore[arg-type]


def attempts(*spans: SpanRecord) -> tuple[AttemptFact, ...]:
    return read_trace(spans).attempts


DEATHS: dict[str, SpanRecord] = {
    "Service Bus disposition": message(1, {"messaging.servicebus.disposition_status": "dead_letter"}, failed=True),
    "Service Bus operation": message(1, {"messaging.operation.name": "dead_letter"}, kind=SpanKind.CLIENT),
    "reject with an error": message(1, {"messaging.operation.name": "reject", "error.type": "Rejected"}, failed=True),
    "old operation name": message(1, {"messaging.operation.name": "", "messaging.operation": "reject"}, failed=True),
    "our phase": message(1, {"andon.phase": "dead"}, failed=True),
    "span event": message(1, events=[SpanEvent("message.dead_lettered", START_NS)], failed=True),
    "short span event": message(1, events=[SpanEvent("dead_letter", START_NS)]),
    "x-death as JSON": message(1, {"messaging.rabbitmq.x_death": json.dumps([REJECTED, RETURNED])}),
    "x-death as Python prints it": message(1, {"messaging.rabbitmq.x_death": str([REJECTED, RETURNED])}),
    "x-death as Java prints it": message(
        1, {"messaging.header.x_death": ["[{reason=rejected, count=3, exchange=orders, queue=erp.orders}]"]},
        service="dlq-watch",
    ),
    "x-death as a list": message(1, {"messaging.header.x-death": [REJECTED]}),
    "x-first-death-reason": message(1, {"messaging.header.x-first-death-reason": "delivery_limit",
                                        "messaging.header.x-first-death-queue": "erp.orders.in"}),
    "Spring Kafka": message(1, {"messaging.header.kafka_dlt-exception-fqcn": "com.acme.BadOrder",
                                "messaging.header.kafka_dlt-original-topic": "erp.orders"}),
    "Kafka Connect": message(1, {"messaging.header.__connect.errors.exception.class.name": "DataException"}),
    "sent to a dead-letter queue": message(1, {"messaging.operation.name": "send",
                                               "messaging.destination.name": "erp.orders.dlq"}, kind=SpanKind.PRODUCER),
}  # fmt: skip


@pytest.mark.parametrize("spelling", [name for name in DEATHS if not name.startswith("x-death")])
def test_it_reads_every_spelling_of_a_dead_letter(spelling: str) -> None:
    (fact,) = attempts(DEATHS[spelling])

    assert fact.phase is Phase.DEAD
    assert fact.destination


@pytest.mark.parametrize("spelling", [name for name in DEATHS if name.startswith("x-death")])
def test_it_reads_x_death_however_it_is_printed(spelling: str) -> None:
    dead_letters: dict[str, Value] = {"messaging.destination.name": "erp.orders.dead"}
    (fact,) = attempts(_with(DEATHS[spelling], dead_letters))

    assert (fact.phase, fact.attempt, fact.error_class, fact.destination) == (
        Phase.DEAD, 3, "rejected", "erp.orders.dead",
    )  # fmt: skip


def _with(one: SpanRecord, more: dict[str, Value]) -> SpanRecord:
    return message(1, {**one.attributes, **more})


@pytest.mark.parametrize(
    "name",
    ["orders.dlq", "orders-dlq", "orders.dead", "orders-dlt", "orders.DLT", "orders_error", "orders/$DeadLetterQueue",
     "dead-letter", "dlq.orders", "orders.dead-letter"],
)  # fmt: skip
def test_it_knows_a_dead_letter_queue_by_its_name(name: str) -> None:
    (fact,) = attempts(message(1, {"messaging.operation.name": "publish", "messaging.destination.name": name},
                               kind=SpanKind.PRODUCER))  # fmt: skip

    assert (fact.phase, fact.destination, fact.confidence) == (Phase.DEAD, name, Confidence.DERIVED)


@pytest.mark.parametrize("name", ["orders", "deadline.orders", "erp.dead.reckoning", "orders.errors.report"])
def test_it_takes_no_ordinary_queue_for_one(name: str) -> None:
    sent = message(1, {"messaging.operation.name": "send", "messaging.destination.name": name}, kind=SpanKind.PRODUCER)

    assert attempts(sent) == ()


def test_it_tells_the_class_and_text_of_the_error_that_killed_it() -> None:
    (fact,) = attempts(
        message(
            1,
            {"messaging.servicebus.disposition_status": "dead_letter",
             "messaging.servicebus.message.delivery_count": 10},
            failed=True,
            events=[exception("SapTimeout", "RFC gateway timed out")],
        )
    )  # fmt: skip

    assert told([fact]) == [("m-1", 10, "dead")]
    assert (fact.error_class, fact.message) == ("SapTimeout", "RFC gateway timed out")
    assert fact.confidence is Confidence.DECLARED


def test_it_blames_the_consumer_above_for_what_it_parked() -> None:
    consumer = message(2, failed=True, events=[exception("BadOrder", "no such item")])
    parked = span(
        3, {"messaging.system": "rabbitmq", "messaging.operation.name": "publish", "messaging.message.id": "m-9",
            "messaging.destination.name": "erp.orders.dlq"}, parent=2, kind=SpanKind.PRODUCER,
    )  # fmt: skip
    dead = [fact for fact in attempts(consumer, parked) if fact.phase is Phase.DEAD]

    assert [(fact.unit_id, fact.error_class, fact.message) for fact in dead] == [("m-9", "BadOrder", "no such item")]


def test_it_does_not_call_a_message_good_whose_consumer_parked_it_and_went_on() -> None:
    consumer = message(2, at_ms=0, lasts_ms=100)
    parked = message(3, {"messaging.operation.name": "send", "messaging.destination.name": "erp.orders.dlq"},
                     kind=SpanKind.PRODUCER, at_ms=50)  # fmt: skip
    acknowledged = message(4, {"messaging.operation.name": "ack"}, kind=SpanKind.CLIENT, at_ms=90)

    assert told(attempts(consumer, parked, acknowledged)) == [("m-1", 1, "dead")]


def test_it_takes_a_message_that_came_back_out_of_a_retry_queue_for_a_further_try() -> None:
    (fact,) = attempts(message(1, {"messaging.header.x-death": [RETURNED, REJECTED]}, failed=True))

    assert told([fact]) == [("m-1", 4, "error")]


def test_it_calls_a_message_dead_that_expired_into_a_dead_letter_queue() -> None:
    expired: dict[str, Value] = {"count": 1, "reason": "expired", "queue": "erp.orders"}
    (fact,) = attempts(message(1, {"messaging.header.x-death": [expired],
                                   "messaging.destination.name": "erp.orders.dead"}))  # fmt: skip

    assert (fact.phase, fact.error_class) == (Phase.DEAD, "expired")


@pytest.mark.parametrize(
    ("attributes", "number"),
    [
        ({"messaging.servicebus.message.delivery_count": 4}, 4),
        ({"messaging.gcp_pubsub.message.delivery_attempt": 2}, 2),
        ({"messaging.header.x-delivery-count": 2}, 3),
        ({"messaging.header.kafka_deliveryAttempt": b"\x00\x00\x00\x05"}, 5),
        ({"messaging.header.retry_topic-attempts": ["3"]}, 3),
        ({"messaging.message.retry.count": 1}, 2),
    ],
)
def test_it_reads_the_attempts_number_where_each_broker_keeps_it(attributes: dict[str, Value], number: int) -> None:
    (fact,) = attempts(message(1, attributes, failed=True))

    assert (fact.attempt, fact.confidence) == (number, Confidence.DECLARED)


def test_it_counts_by_order_where_nobody_counts_and_says_that_it_inferred() -> None:
    facts = attempts(message(1, failed=True), message(2, failed=True), message(3))

    assert told(facts) == [("m-1", 1, "error"), ("m-1", 2, "error"), ("m-1", 3, "ok")]
    assert [fact.confidence.value for fact in facts] == ["declared", "inferred", "inferred"]


@pytest.mark.parametrize(
    ("word", "phase"), [("nack", "redelivered"), ("abandon", "redelivered"), ("defer", "parked"), ("reject", "dead")]
)
def test_it_reads_what_the_consumer_said_to_the_broker(word: str, phase: str) -> None:
    (fact,) = attempts(message(1, {"messaging.operation.name": word}, kind=SpanKind.CLIENT))

    assert fact.phase.value == phase


def test_it_takes_a_reject_that_asks_for_another_delivery_as_that() -> None:
    (fact,) = attempts(message(1, {"messaging.operation.name": "reject", "messaging.rabbitmq.requeue": True}))

    assert fact.phase is Phase.REDELIVERED


def test_it_names_a_kafka_unit_by_where_the_record_first_stood() -> None:
    first = message(
        1,
        {
            "messaging.message.id": "",
            "messaging.destination.name": "erp.orders",
            "messaging.destination.partition.id": "3",
            "messaging.kafka.offset": 118,
        },
        failed=True,
    )
    dead = message(2, {"messaging.message.id": "", "messaging.destination.name": "erp.orders-dlt",
                       "messaging.header.kafka_dlt-original-topic": "erp.orders",
                       "messaging.header.kafka_dlt-original-partition": b"\x00\x00\x00\x03",
                       "messaging.header.kafka_dlt-original-offset": b"\x00\x00\x00\x00\x00\x00\x00\x76"})  # fmt: skip

    assert told(attempts(first, dead)) == [("erp.orders:3:118", 1, "error"), ("erp.orders:3:118", 1, "dead")]


def test_it_names_a_consumers_run_by_its_service_and_queue() -> None:
    identity = read_trace([message(1)]).identity

    assert identity is not None
    assert (identity.source_system, identity.source_key, identity.rank) == (
        "rabbitmq", "erp-bridge/erp.orders", Rank.ENTRY,
    )  # fmt: skip


@given(st.lists(st.booleans(), min_size=4, max_size=4), st.permutations(range(4)))
def test_it_tells_the_same_attempts_however_a_trace_is_split_and_ordered(early: list[bool], order: list[int]) -> None:
    count = "messaging.servicebus.message.delivery_count"
    spans = [
        message(1, {count: 1}, failed=True), message(2, {count: 2}, failed=True),
        message(3, {count: 3, "messaging.servicebus.disposition_status": "dead_letter"}, failed=True),
        message(4, {count: 1, "messaging.message.id": "m-2"}),
    ]  # fmt: skip
    parts = [[spans[place] for place in order if early[place] is which] for which in (True, False)]
    split = {fact for part in parts if part for fact in read_trace(part).attempts}

    assert split == set(read_trace(spans).attempts)


@pytest.mark.skipif(not _DEATHS.exists(), reason="recorded input data/captured/rabbitmq-x-death.json is not here")
def test_it_reads_the_recorded_x_death_headers() -> None:
    recorded = json.loads(_DEATHS.read_text())
    reasons = {
        name: headers.deaths(messages[0]["props"]["headers"]["x-death"])[0].reason
        for name, messages in recorded.items()
        if isinstance(messages, list) and messages and "x-death" in messages[0].get("props", {}).get("headers", {})
    }

    assert reasons["rejected"] == "rejected"
    assert reasons["expired_queue_ttl"] == "expired"
    assert reasons["maxlen"] == "maxlen"
