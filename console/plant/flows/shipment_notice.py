"""Shipment notice to the customer over Kafka, with the messaging conventions of older instrumentations."""

from __future__ import annotations

from opentelemetry.trace import Span, SpanKind

from console.plant.faults import FaultKind
from console.plant.flows.contract import ALWAYS, Flow
from console.plant.flows.redrive import expect_redrive
from console.plant.outcome import Failure
from console.plant.sheet import Said, Sheet

SHIPPING, DESPATCH = "shipping-station", "despatch-advice"
TOPIC = "shipment-notices"
DEAD = f"{TOPIC}-dlt"
GROUP = "despatch-advice"
_PROMISE_S = 2 * 3600.0
_ERRORS = (
    Failure("org.springframework.messaging.converter.MessageConversionException", "carrier code is not mapped"),
    Failure("java.net.ConnectException", "carrier interface refused the connection"),
)
_SLOW = Failure("java.net.SocketTimeoutException", "carrier interface gave no answer within 30 s")


def draw(sheet: Sheet) -> None:
    """A shipment departs, which makes a notice due; the consumer sends it to customer and carrier."""
    shipment, order = sheet.plan.own("SH"), sheet.plan.order(days=2)
    promise_at = sheet.local(sheet.at + _PROMISE_S)
    offset, partition = sheet.rng.randrange(10**8, 10**9), int(order) % 6
    keys: Said = {"shipment.id": shipment, "order.id": order}
    said = {
        **_record("publish", partition, offset),
        **keys,
        "notice.promise_at": promise_at,
        "andon.value": round(sheet.rng.uniform(1_500, 24_000), 2),
    }
    with sheet.step(
        SHIPPING, f"{TOPIC} publish", said, kind=SpanKind.PRODUCER, is_lost=sheet.outcome.loses_root
    ) as sent:
        departed = {
            "shipment_id": shipment,
            "order_ids": [order],
            "carrier": "CARR-07",
            "actual_at": sheet.local(sheet.at),
        }
        sheet.emit("shipment.departed", shipment, departed, system="shipping", correlation=order)
        due = {**_notice(sheet, shipment, order), "promise_at": promise_at}
        sheet.emit("comms.notice_due", f"N{shipment}", due, system="shipping", correlation=order)
        sheet.spend(0.02)
    if _consume(sheet, sent, keys, partition, offset):
        notice = _notice(sheet, shipment, order)
        sheet.emit("comms.notice_sent", f"N{shipment}", notice, system="shipping", correlation=order)
        return
    expect_redrive(
        sheet, f"{TOPIC}:{partition}:{offset}", DEAD, attempts=sheet.outcome.tries, subject=f"N{shipment}",
        settles="comms.notice_sent", key="notice_id",
    )  # fmt: skip


def _notice(sheet: Sheet, shipment: str, order: str) -> dict[str, object]:
    return {
        "notice_id": f"N{shipment}", "shipment_id": shipment, "order_id": order, "audience": "customer",
        "channel": "edi", "cause_event_id": shipment,
    }  # fmt: skip


def _consume(sheet: Sheet, sent: Span, keys: Said, partition: int, offset: int) -> bool:
    """Processes the record until it is through or its tries are used up. Says whether it got through."""
    error = _SLOW if sheet.outcome.times_out else sheet.outcome.pick(_ERRORS)
    for attempt in range(1, sheet.outcome.tries + 1):
        is_last = attempt == sheet.outcome.tries
        fails = not is_last or sheet.outcome.dies
        said = {
            **_record("process", partition, offset), "messaging.kafka.consumer.group": GROUP,
            "messaging.header.kafka_deliveryAttempt": attempt, **keys,
        }  # fmt: skip
        sheet.spend(0.3, 0.6)
        with sheet.step(DESPATCH, f"{TOPIC} process", said, kind=SpanKind.CONSUMER, parent=sent) as span:
            with sheet.step(DESPATCH, "load shipment", {"db.system.name": "postgresql"}, kind=SpanKind.CLIENT):
                sheet.spend(0.05)
            with sheet.step(DESPATCH, "render notice"):
                sheet.spend(0.4)
            with sheet.step(DESPATCH, "send to carrier", {"server.address": "carrier-edi"}, kind=SpanKind.CLIENT):
                if fails and error is _SLOW:
                    sheet.at += 30.0
                sheet.toil(2.2, 0.6)
            if fails:
                sheet.fail(span, error)
            if fails and is_last:
                _bury(sheet, partition, offset, attempt, error)
        if fails and not is_last:
            sheet.spend(4.0)
    return not sheet.outcome.dies


def _bury(sheet: Sheet, partition: int, offset: int, attempt: int, error: Failure) -> None:
    """Spring's recoverer publishes what it gives up to the dead-letter topic, with the cause in its headers."""
    said: Said = {
        "messaging.system": "kafka", "messaging.operation": "publish", "messaging.destination": DEAD,
        "messaging.header.kafka_dlt-original-topic": TOPIC, "messaging.header.kafka_dlt-original-partition": partition,
        "messaging.header.kafka_dlt-original-offset": offset, "messaging.header.kafka_deliveryAttempt": attempt,
        "messaging.header.kafka_dlt-exception-fqcn": error.error_class,
        "messaging.header.kafka_dlt-exception-message": error.message,
    }  # fmt: skip
    with sheet.step(DESPATCH, f"{DEAD} publish", said, kind=SpanKind.PRODUCER):
        sheet.spend(0.02)


def _record(operation: str, partition: int, offset: int) -> Said:
    return {
        "messaging.system": "kafka", "messaging.operation": operation, "messaging.destination": TOPIC,
        "messaging.destination_kind": "topic", "messaging.kafka.partition": partition,
        "messaging.kafka.message.offset": offset,
    }  # fmt: skip


FLOW = Flow("shipment_notice", draw, ALWAYS | {FaultKind.DEAD_LETTER, FaultKind.RETRY_STORM, FaultKind.API_TIMEOUT})
