"""Redrive: somebody takes a dead letter out of its queue and sends it again, and this time it arrives."""

from __future__ import annotations

from console.plant.flows.contract import Flow
from console.plant.sheet import Sheet


def expect_redrive(
    sheet: Sheet, message_ref: str, queue: str, *, attempts: int, subject: str, settles: str = "", key: str = "order_id"
) -> None:
    """Plans the redrive of a unit that died, where the fault heals. `settles` is the event that was missing so far."""
    repaired = sheet.outcome.repaired_after_s
    if repaired is None:
        return
    memory = {"message_ref": message_ref, "queue": queue, "attempts": str(attempts), "subject": subject, "key": key}
    sheet.follow("redrive", repaired, {**memory, "settles": settles})


def draw(sheet: Sheet) -> None:
    """Tells of the replay, and of the business event that the unit was to bring about."""
    memory = sheet.plan.memory
    subject = memory["subject"]
    data = {
        "queue": memory["queue"],
        "message_ref": memory["message_ref"],
        "attempts": int(memory["attempts"]) + 1,
        memory["key"]: subject,
        "reason": "cause removed, sent again from the dead-letter queue",
    }
    system = f"redrive/{memory['queue'].replace(' ', '-').replace('/', '-').replace('$', '')}"
    sheet.emit("integration.message_replayed", memory["message_ref"], data, system=system, correlation=subject)
    sheet.spend(4.0)
    if memory["settles"]:
        done = {memory["key"]: subject, "plant": sheet.plant.slug, "target_system": "mes", "revision": 1}
        sheet.emit(memory["settles"], subject, done, system=_source_of(memory["settles"]))


def _source_of(entity_event: str) -> str:
    if entity_event == "order.completed":
        return "shopfloor"
    return {"order": "mes", "inventory": "wms", "supplier": "erp", "comms": "shipping", "shipment": "shipping"}.get(
        entity_event.partition(".")[0], "qms"
    )


FLOW = Flow("redrive", draw, frozenset())
