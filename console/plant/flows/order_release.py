"""Order release, ERP to MES, traced with plain OpenTelemetry; two plants add Andon's own attributes on top."""

from __future__ import annotations

from console.plant.faults import FaultKind
from console.plant.flows.calls import TIMEOUT, call
from console.plant.flows.contract import ALWAYS, Flow
from console.plant.flows.redrive import expect_redrive
from console.plant.outcome import Failure
from console.plant.randomness import uuid
from console.plant.sheet import Attributes, Said, Sheet

ERP, MES = "erp-bridge", "mes-gateway"
ROUTE = "/api/v2/production-orders"
PARKED = "order-release.parked"
MAX_TRIES = 5
_REFUSALS = (
    Failure("MesUnavailable", "MES order service is in maintenance mode"),
    Failure("RoutingNotFound", "no released routing for this material in the plant"),
    Failure("MaterialLocked", "material master is locked by another transaction"),
)


def draw(sheet: Sheet) -> None:
    """Reads and checks the order in the ERP, hands it to the MES, confirms it back."""
    order = sheet.plan.order()
    sheet.emit("order.release_requested", order, requested(sheet, order), system="erp")
    with sheet.step(ERP, "order.release", _said(sheet, order)) as root:
        with sheet.step(ERP, "order.read", _own(sheet)):
            sheet.spend(0.25)
        with sheet.step(ERP, "order.check_material", _own(sheet)):
            sheet.spend(1.1, 0.5)
        failure = _hand_over(sheet, order)
        if failure is None:
            with sheet.step(ERP, "order.confirm", _own(sheet)):
                sheet.spend(0.4)
            sheet.emit("order.released", order, released(sheet, order), system="mes")
        else:
            sheet.fail(root, failure)


def requested(sheet: Sheet, order: str) -> dict[str, object]:
    """What the ERP says when it wants an order released."""
    return {
        "order_id": order,
        "order_type": "production",
        "item": f"DRV-{int(order) % 40 + 100}",
        "quantity": {"value": int(order) % 9 * 20 + 20, "uom": "C62"},
        "due_at": sheet.local(sheet.at + 26 * 3600),
        "revision": 1,
        "plant": sheet.plant.slug,
        "target_system": "mes",
    }


def released(sheet: Sheet, order: str) -> dict[str, object]:
    """What the MES says when it has accepted an order."""
    return {"order_id": order, "revision": 1, "plant": sheet.plant.slug, "target_system": "mes"}


def _said(sheet: Sheet, order: str) -> Attributes:
    said: Said = {"order.id": order, "order.due_at": sheet.local(sheet.at + 26 * 3600)}
    return {**said, "andon.value": round(sheet.rng.uniform(900, 18_000), 2), **_own(sheet)}


def _own(sheet: Sheet) -> Attributes:
    return (
        {"andon.workflow": sheet.plant.named("order-release"), "andon.workflow.version": "7"}
        if sheet.plant.states_site
        else {}
    )


def _hand_over(sheet: Sheet, order: str) -> Failure | None:
    """Tries the MES until it accepts the order or the tries are used up; returns why it was given up."""
    outcome, unit = sheet.outcome, uuid(sheet.rng)
    refusal = TIMEOUT if outcome.times_out else outcome.pick(_REFUSALS)
    for attempt in range(1, outcome.tries + 1):
        is_last = attempt == outcome.tries
        fails = not is_last or outcome.dies or outcome.times_out
        call(
            sheet, ERP, MES, ROUTE, 2.0, failure=refusal if fails else None, resend=attempt - 1,
            attributes={"order.id": order, **_attempt(sheet, unit, attempt, fails=fails, is_last=is_last)},
        )  # fmt: skip
        if not fails:
            return None
        if not is_last:
            sheet.spend(2.0**attempt, 0.1)
    if outcome.dies:
        _park(sheet, order, unit, refusal)
    return refusal


def _attempt(sheet: Sheet, unit: str, attempt: int, *, fails: bool, is_last: bool) -> Attributes:
    if not sheet.plant.states_site:
        return {}
    phase = "ok"
    if fails:
        phase = "retry_scheduled" if not is_last else "dead" if sheet.outcome.dies else "error"
    return {
        "andon.attempt": attempt, "andon.max_attempts": MAX_TRIES, "andon.unit_id": unit, "andon.phase": phase,
        "andon.destination": PARKED if phase == "dead" else ROUTE, **_own(sheet),
    }  # fmt: skip


def _park(sheet: Sheet, order: str, unit: str, refusal: Failure) -> None:
    attempts = sheet.outcome.tries
    with sheet.step(ERP, "order.park", {"order.id": order, **_own(sheet)}) as span:
        sheet.spend(0.05)
        noted: Said = {
            "messaging.message.id": unit,
            "attempts": attempts,
            "queue": PARKED,
            "reason": refusal.error_class,
        }
        sheet.note(span, "dead_lettered", noted)
    expect_redrive(sheet, unit, PARKED, attempts=attempts, subject=order, settles="order.released")


FLOW = Flow(
    "order_release",
    draw,
    ALWAYS | {FaultKind.DEAD_LETTER, FaultKind.RETRY_STORM, FaultKind.API_TIMEOUT},
)
