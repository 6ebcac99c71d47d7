"""Supplier orders and advance ship notices: EDI as CloudEvents, then Azure Service Bus on the way to the ERP."""

from __future__ import annotations

from opentelemetry.trace import Span, SpanKind

from console.plant.faults import FaultKind
from console.plant.flows.contract import ALWAYS, Flow
from console.plant.flows.redrive import expect_redrive
from console.plant.outcome import Failure
from console.plant.randomness import lognormal, uuid
from console.plant.sheet import Sheet

EDI, ERP = "edi-gateway", "erp-receiving"
QUEUE = "asn-inbound"
DEAD = f"{QUEUE}/$DeadLetterQueue"
_SUPPLIERS = ("SUP-2041", "SUP-2077", "SUP-3108", "SUP-3340")
_ERRORS = (
    Failure("MaxDeliveryCountExceeded", "purchase order line is closed"),
    Failure("MaxDeliveryCountExceeded", "unit of measure of the notice does not fit the purchase order"),
    Failure("MaxDeliveryCountExceeded", "handling unit number exists already"),
)
_SLOW = Failure("TimeoutError", "receiving gave no answer within 30 s")


def draw(sheet: Sheet) -> None:
    """An ASN arrives for yesterday's purchase order and is posted as an expected receipt; today's order goes out."""
    asn, order, message = sheet.plan.own("ASN"), sheet.plan.order(days=1), uuid(sheet.rng)
    supplier = _SUPPLIERS[int(order) % len(_SUPPLIERS)]
    po = f"45{order}"
    dock_at = sheet.local(sheet.at + 30 * 3600)
    data: dict[str, object] = {
        "asn_id": asn, "po_ids": [po], "supplier_id": supplier, "message_ref": f"EDI-{asn}",
        "ship_at": sheet.local(sheet.at), "eta": dock_at,
        "packages": [{"sscc": f"34012345{sheet.rng.randrange(10**9, 10**10)}"}],
    }  # fmt: skip
    said = {**_message(message), "messaging.operation.name": "send", "messaging.operation.type": "send"}
    said = {**said, "asn.id": asn, "po.id": po, "asn.dock_at": dock_at}
    with sheet.step(EDI, f"send {QUEUE}", said, kind=SpanKind.PRODUCER, is_lost=sheet.outcome.loses_root) as sent:
        sheet.emit("supplier.asn_received", asn, data, system="edi", correlation=po)
        sheet.spend(0.05)
    if _consume(sheet, sent, asn, po, message):
        receipt = {"asn_id": asn, "po_ids": [po], "supplier_id": supplier, "idempotency_key": f"{asn}/receipt"}
        for number in range(sheet.outcome.receipts):
            sheet.emit(
                "supplier.receipt_posted", po, {**receipt, "document": f"GR{asn[3:]}-{number + 1}"}, system="erp"
            )
            sheet.spend(3.0)
    else:
        expect_redrive(
            sheet, message, DEAD, attempts=sheet.outcome.tries, subject=po, settles="supplier.receipt_posted",
            key="po_id",
        )  # fmt: skip
    _order_more(sheet, supplier)


def respond(sheet: Sheet) -> None:
    """The supplier's business answer to a purchase order."""
    memory = sheet.plan.memory
    data: dict[str, object] = {
        "po_id": memory["po_id"], "supplier_id": memory["supplier_id"], "message_ref": f"EDI-R{memory['po_id']}",
        "response": sheet.rng.choice(("accepted", "accepted", "accepted", "changed", "rejected")), "line_deltas": [],
    }  # fmt: skip
    sheet.emit("supplier.po_responded", memory["po_id"], data, system="edi")


def _order_more(sheet: Sheet, supplier: str) -> None:
    po = f"45{sheet.plan.order()}"
    data = {
        "po_id": po,
        "supplier_id": supplier,
        "message_ref": f"EDI-{po}",
        "value": sheet.money(sheet.rng.uniform(500, 9e3)),
    }
    sheet.emit("supplier.po_sent", po, data, system="edi")
    sheet.follow("supplier_response", lognormal(sheet.rng, 5 * 3600.0, 0.7), {"po_id": po, "supplier_id": supplier})


def _consume(sheet: Sheet, sent: Span, asn: str, po: str, message: str) -> bool:
    """Delivers the notice until the ERP takes it. Says whether it did."""
    error = _SLOW if sheet.outcome.times_out else sheet.outcome.pick(_ERRORS)
    for attempt in range(1, sheet.outcome.tries + 1):
        is_last = attempt == sheet.outcome.tries
        fails = not is_last or sheet.outcome.dies
        said = {
            **_message(message), "messaging.operation.name": "process", "messaging.operation.type": "process",
            "messaging.servicebus.message.delivery_count": attempt, "asn.id": asn, "po.id": po,
        }  # fmt: skip
        sheet.spend(0.4, 0.6)
        with sheet.step(ERP, f"process {QUEUE}", said, kind=SpanKind.CONSUMER, parent=sent) as span:
            with sheet.step(ERP, "match purchase order"):
                sheet.toil(1.2, 0.5)
            with sheet.step(ERP, "post expected receipt"):
                if fails and error is _SLOW:
                    sheet.at += 30.0
                sheet.spend(1.5, 0.5)
            if fails:
                sheet.fail(span, error)
            _settle(sheet, message, attempt, _word(fails=fails, is_last=is_last), error if fails and is_last else None)
        if fails and not is_last:
            sheet.spend(20.0)
    return not sheet.outcome.dies


def _word(*, fails: bool, is_last: bool) -> str:
    if not fails:
        return "complete"
    return "dead_letter" if is_last else "abandon"


def _settle(sheet: Sheet, message: str, attempt: int, word: str, error: Failure | None) -> None:
    said = {
        **_message(message), "messaging.operation.name": word, "messaging.operation.type": "settle",
        "messaging.servicebus.disposition_status": word, "messaging.servicebus.message.delivery_count": attempt,
    }  # fmt: skip
    with sheet.step(ERP, f"{word} {QUEUE}", said, kind=SpanKind.CLIENT) as span:
        sheet.spend(0.03)
        if error is None:
            return
        span.set_attribute("messaging.header.DeadLetterReason", error.error_class)
        sheet.fail(span, error)
        noted = {
            "queue": DEAD, "message_ref": message, "reason": error.error_class, "attempts": attempt,
            "first_failed_at": sheet.local(sheet.at - 20.0 * attempt), "message": error.message,
        }  # fmt: skip
        sheet.emit("integration.message_dead_lettered", message, noted, system="service-bus-monitor")


def _message(message: str) -> dict[str, str | int]:
    return {"messaging.system": "servicebus", "messaging.destination.name": QUEUE, "messaging.message.id": message}


FLOW = Flow(
    "supplier_asn",
    draw,
    ALWAYS | {FaultKind.DEAD_LETTER, FaultKind.RETRY_STORM, FaultKind.API_TIMEOUT, FaultKind.DUPLICATE_RECEIPT},
)
RESPONSE = Flow("supplier_response", respond, frozenset())
