"""Messaging: dead letters told by a span's name, by the queue it reads from, or by what a broker was told or wrote."""

from __future__ import annotations

import pytest

from monitoring.facts import AttemptFact, Confidence, Phase
from monitoring.records import SpanEvent, SpanKind, SpanRecord, Value
from monitoring.sources.registry import read_trace
from tests.monitoring.samples import START_NS, span, told

CONSUMER, CLIENT, PRODUCER = SpanKind.CONSUMER, SpanKind.CLIENT, SpanKind.PRODUCER


def attempts(*spans: SpanRecord) -> tuple[AttemptFact, ...]:
    return read_trace(spans).attempts


def handler(number: int, queue: str = "orders.dlq", more: dict[str, Value] | None = None) -> SpanRecord:
    attributes: dict[str, Value] = {
        "messaging.system": "rabbitmq", "messaging.operation.name": "process", "messaging.message.id": "m-1",
        "messaging.destination.name": queue, **(more or {}),
    }  # fmt: skip
    return span(number, attributes, parent=99, kind=CONSUMER, service="dlq-watch")


def settlement(name: str, system: str = "servicebus") -> SpanRecord:
    attributes: dict[str, Value] = {
        "messaging.operation": "settle", "messaging.system": system, "messaging.destination.name": "orders",
        "messaging.message.id": "m-1",
    }  # fmt: skip
    return span(1, attributes, parent=99, name=name, kind=CLIENT)


@pytest.mark.parametrize("name", ["ServiceBusReceiver.deadLetter", "ServiceBusReceiver.DeadLetter", "x.dead_letter"])
def test_it_reads_a_dead_letter_from_the_name_of_a_service_bus_span(name: str) -> None:
    (fact,) = attempts(settlement(name))

    assert (fact.phase, fact.unit_id, fact.destination, fact.confidence) == (
        Phase.DEAD, "m-1", "orders", Confidence.DECLARED,
    )  # fmt: skip


def test_it_reads_no_dead_letter_from_other_names_nor_from_other_systems() -> None:
    assert attempts(settlement("ServiceBusReceiver.complete")) == ()
    assert attempts(settlement("Receiver.deadLetter", system="rabbitmq")) == ()


@pytest.mark.parametrize("queue", ["orders.DLT", "orders-dlt", "orders.dlq", "orders/$DeadLetterQueue"])
@pytest.mark.parametrize("name", ["messaging.destination.name", "messaging.destination", "messaging.source.name"])
@pytest.mark.parametrize(
    ("operation", "kind"),
    [({"messaging.operation.name": "process"}, CONSUMER), ({"messaging.operation": "receive"}, CLIENT), ({}, CONSUMER)],
)
def test_it_takes_what_is_read_from_a_dead_letter_queue_for_dead(
    queue: str, name: str, operation: dict[str, Value], kind: SpanKind
) -> None:
    (fact,) = attempts(span(1, {"messaging.system": "kafka", name: queue, **operation}, parent=99, kind=kind))

    assert (fact.phase, fact.confidence, fact.destination, fact.attempt) == (Phase.DEAD, Confidence.DERIVED, queue, 1)


def test_it_reads_the_attempt_of_a_parked_message_from_its_headers() -> None:
    (fact,) = attempts(handler(1, more={"messaging.header.kafka_deliveryAttempt": "4"}))

    assert told([fact]) == [("m-1", 4, "dead")]


def test_it_counts_a_traced_parking_and_the_handler_of_the_queue_once() -> None:
    sent = span(
        1, {"messaging.system": "rabbitmq", "messaging.operation.name": "publish", "messaging.message.id": "m-7",
            "messaging.destination.name": "orders.dlq"}, parent=99, kind=PRODUCER,
    )  # fmt: skip

    assert told(attempts(sent, handler(2))) == [("m-7", 1, "dead")]


def test_it_counts_a_noted_death_and_the_handler_of_the_queue_once() -> None:
    noted = span(1, parent=99, events=[SpanEvent("message.dead_lettered", START_NS, {"message.id": "m-7"})])

    assert told(attempts(noted, handler(2))) == [("m-7", 1, "dead")]


def test_it_counts_a_received_batch_by_the_messages_in_it() -> None:
    batch = handler(1, more={"messaging.operation.name": "receive", "messaging.message.id": ""})

    assert told(attempts(batch, handler(2), handler(3), handler(4, more={"messaging.message.id": "m-2"}))) == [
        ("m-1", 1, "dead"), ("m-2", 1, "dead"),
    ]  # fmt: skip


def test_it_finds_nothing_dead_where_the_dead_letter_queue_was_empty() -> None:
    empty: dict[str, Value] = {
        "messaging.operation.name": "receive", "messaging.message.id": "", "messaging.batch.message_count": 0,
    }  # fmt: skip

    assert attempts(handler(1, more=empty)) == ()


def test_it_believes_a_try_that_follows_after_a_handler_put_the_message_back() -> None:
    again = handler(2, queue="orders")

    assert told(attempts(handler(1), again)) == [("m-1", 1, "ok"), ("m-1", 1, "dead")]


@pytest.mark.parametrize("prefix", ["messaging.header.", "messaging.message.header.", ""])
@pytest.mark.parametrize("lower", [False, True])
def test_it_reads_what_pub_sub_writes_on_a_dead_letter(prefix: str, *, lower: bool) -> None:
    count, source = "CloudPubSubDeadLetterSourceDeliveryCount", "CloudPubSubDeadLetterSourceSubscription"
    if lower and prefix:
        count, source = count.lower(), source.lower()
    more: dict[str, Value] = {
        prefix + count: "6", prefix + source: "orders-sub", "messaging.gcp_pubsub.message.delivery_attempt": 1,
    }  # fmt: skip
    (fact,) = attempts(handler(1, "given-up", more))

    assert (told([fact]), fact.destination) == ([("m-1", 6, "dead")], "given-up")


def test_it_takes_a_message_that_was_put_back_into_its_subscription_for_a_further_try() -> None:
    again = handler(1, "projects/plant/subscriptions/orders-sub",
                    {"messaging.header.CloudPubSubDeadLetterSourceSubscription": "orders-sub"})  # fmt: skip

    assert told(attempts(again)) == [("m-1", 1, "ok")]


def test_it_takes_a_late_nack_of_pub_sub_for_no_death() -> None:
    nack: dict[str, Value] = {
        "messaging.operation.name": "nack", "messaging.gcp_pubsub.message.delivery_attempt": 5,
    }  # fmt: skip

    assert told(attempts(handler(1, "orders-sub", nack))) == [("m-1", 5, "redelivered")]


def test_it_takes_the_nack_of_the_last_delivery_allowed_for_one() -> None:
    nack: dict[str, Value] = {
        "messaging.operation.name": "nack", "messaging.gcp_pubsub.message.delivery_attempt": 5, "andon.max_attempts": 5,
    }  # fmt: skip

    assert told(attempts(handler(1, "orders-sub", nack))) == [("m-1", 5, "dead")]


@pytest.mark.parametrize("word", ["nack", "reject"])
@pytest.mark.parametrize("name", ["messaging.rabbitmq.requeue", "messaging.rabbitmq.message.requeue"])
def test_it_takes_a_refusal_without_another_delivery_for_dead(word: str, name: str) -> None:
    for no in (False, "false"):
        (fact,) = attempts(handler(1, "orders", {"messaging.operation.name": word, name: no}))
        assert (fact.phase, fact.confidence, fact.error_class) == (Phase.DEAD, Confidence.DERIVED, "rejected")
    (again,) = attempts(handler(1, "orders", {"messaging.operation.name": word, name: True}))
    assert again.phase is Phase.REDELIVERED


def test_it_takes_a_nack_that_says_nothing_more_for_another_delivery() -> None:
    (fact,) = attempts(handler(1, "orders", {"messaging.operation.name": "nack"}))

    assert fact.phase is Phase.REDELIVERED


def test_it_knows_the_error_queue_of_nservicebus_by_who_sends_to_it() -> None:
    sent = span(1, {"messaging.system": "rabbitmq", "messaging.operation": "publish", "messaging.message.id": "m-1",
                    "messaging.destination": "error"}, parent=99, kind=PRODUCER)  # fmt: skip

    assert told(attempts(sent)) == [("m-1", 1, "dead")]
    assert told(attempts(handler(1, "error"))) == [("m-1", 1, "ok")]
