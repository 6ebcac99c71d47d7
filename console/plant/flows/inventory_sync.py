"""Inventory sync, WMS to ERP, over a RabbitMQ quorum queue with the current messaging conventions."""

from __future__ import annotations

from opentelemetry.trace import Span, SpanKind

from console.plant.faults import FaultKind
from console.plant.flows.contract import ALWAYS, Flow
from console.plant.flows.redrive import expect_redrive
from console.plant.outcome import Failure
from console.plant.randomness import uuid
from console.plant.sheet import Sheet

WMS, ERP = "wms-agent", "erp-inventory"
QUEUE, DEAD = "inventory.moves", "inventory.moves.dlq"
_ERRORS = (
    Failure("StockMismatch", "quantity on hand in the ERP is below the quantity moved"),
    Failure("UnknownLocation", "storage location is not maintained in the ERP"),
    Failure("DeadlockDetected", "inventory record is locked by another session"),
)
_SLOW = Failure("TimeoutError", "inventory posting gave no answer within 30 s")


def draw(sheet: Sheet) -> None:
    """A movement in the warehouse is published and posted by the ERP's consumer; what it refuses ends in the DLQ."""
    order, movement, message = sheet.plan.order(lag=2), sheet.plan.own("MV"), uuid(sheet.rng)
    said = {**_message(message), "messaging.operation.name": "publish", "messaging.operation.type": "send"}
    said = {**said, "inventory.movement.id": movement, "order.id": order}
    with sheet.step(WMS, f"publish {QUEUE}", said, kind=SpanKind.PRODUCER, is_lost=sheet.outcome.loses_root) as sent:
        sheet.spend(0.01)
    posted = _consume(sheet, sent, movement, order, message)
    if not posted:
        expect_redrive(
            sheet, message, DEAD, attempts=sheet.outcome.tries, subject=movement, settles="inventory.moved",
            key="movement_ref",
        )  # fmt: skip
        return
    data = {
        "item": f"DRV-{sheet.rng.randrange(100, 140)}", "from_location": "WH-01", "to_location": "LINE-3",
        "quantity": {"value": sheet.rng.randrange(5, 60), "uom": "C62"}, "movement_ref": movement,
        "idempotency_key": f"{movement}/1", "order_id": order,
    }  # fmt: skip
    for _ in range(sheet.outcome.receipts):
        sheet.emit("inventory.moved", movement, data, system="wms", correlation=order)
        sheet.spend(2.0)


def _consume(sheet: Sheet, sent: Span, movement: str, order: str, message: str) -> bool:
    """Delivers the message until it is posted or the tries are used up. Says whether it was posted."""
    error = _SLOW if sheet.outcome.times_out else sheet.outcome.pick(_ERRORS)
    for attempt in range(1, sheet.outcome.tries + 1):
        is_last = attempt == sheet.outcome.tries
        fails = not is_last or sheet.outcome.dies
        said = {
            **_message(message), "messaging.operation.name": "process", "messaging.operation.type": "process",
            "inventory.movement.id": movement, "order.id": order,
        }  # fmt: skip
        if attempt > 1:
            said["messaging.header.x-delivery-count"] = attempt - 1
        sheet.spend(0.2, 0.6)
        with sheet.step(ERP, f"process {QUEUE}", said, kind=SpanKind.CONSUMER, parent=sent) as span:
            with sheet.step(ERP, "read stock", {"db.system.name": "postgresql"}, kind=SpanKind.CLIENT):
                sheet.spend(0.04)
            with sheet.step(ERP, "post movement", {"db.system.name": "postgresql"}, kind=SpanKind.CLIENT):
                if fails and error is _SLOW:
                    sheet.at += 30.0
                sheet.toil(0.9, 0.5)
            if fails:
                sheet.fail(span, error)
            if not fails:
                _settle(sheet, "ack", message)
            elif is_last:
                _settle(sheet, "reject", message, error)
        if fails and not is_last:
            sheet.spend(5.0)
    return not sheet.outcome.dies


def _settle(sheet: Sheet, word: str, message: str, error: Failure | None = None) -> None:
    said = {**_message(message), "messaging.operation.name": word, "messaging.operation.type": "settle"}
    if error:
        said |= {"messaging.header.x-delivery-count": sheet.outcome.tries, "error.type": error.error_class}
    with sheet.step(ERP, f"{word} {QUEUE}", said, kind=SpanKind.CLIENT) as span:
        sheet.spend(0.004)
        if error:
            sheet.fail(span, error)


def _message(message: str) -> dict[str, str | int]:
    return {
        "messaging.system": "rabbitmq", "messaging.destination.name": QUEUE, "messaging.message.id": message,
        "messaging.rabbitmq.destination.routing_key": QUEUE, "server.address": "rabbitmq",
    }  # fmt: skip


FLOW = Flow(
    "inventory_sync",
    draw,
    ALWAYS | {FaultKind.DEAD_LETTER, FaultKind.RETRY_STORM, FaultKind.API_TIMEOUT, FaultKind.DUPLICATE_RECEIPT},
)
