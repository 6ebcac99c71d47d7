"""Service escalation: the CRM hands a case to the next tier; its integration is traced with plain OpenTelemetry."""

from __future__ import annotations

from console.plant.faults import FaultKind
from console.plant.flows.calls import TIMEOUT, call
from console.plant.flows.contract import ALWAYS, Flow
from console.plant.outcome import Failure
from console.plant.randomness import lognormal
from console.plant.sheet import Sheet

CRM, PAGER = "crm-sync", "service-desk"
_REFUSAL = Failure("RosterEmpty", "nobody of the next tier is on duty")


def draw(sheet: Sheet) -> None:
    """A case is opened and its escalation becomes due; the next tier is told, and accepts later."""
    case, order = sheet.plan.own("C-"), sheet.plan.order(days=6)
    severity = sheet.rng.choice(("high", "high", "critical", "medium"))
    opened = {"case_id": case, "severity": severity, "customer_id": f"CU-{int(order) % 60 + 100}", "order_ids": [order]}
    sheet.emit("service.case_opened", case, opened, system="crm", correlation=order)
    sheet.spend(90.0)
    sheet.emit(
        "service.escalation_due", case, {**opened, "tier_from": "L1", "tier_to": "L2"}, system="crm", correlation=order
    )
    sheet.spend(30.0)
    with sheet.step(CRM, "case.escalate", {"case.id": case, "order.id": order, "case.severity": severity}) as root:
        with sheet.step(CRM, "case.read"):
            sheet.spend(0.3)
        with sheet.step(CRM, "roster.lookup"):
            sheet.toil(1.4, 0.5)
        failure = _tell(sheet, case)
        if failure:
            sheet.fail(root, failure)
            return
        with sheet.step(CRM, "case.assign"):
            sheet.spend(0.5)
        escalated = {**opened, "tier_from": "L1", "tier_to": "L2", "owner": f"service-desk@{sheet.plant.domain}"}
        sheet.emit("service.escalated", case, escalated, system="crm", correlation=order)
    memory = {"case_id": case, "severity": severity, "order": order}
    sheet.follow("service_acceptance", lognormal(sheet.rng, 900.0, 0.6), memory)


def accept(sheet: Sheet) -> None:
    """The next tier takes the case over."""
    memory = sheet.plan.memory
    data = {
        "case_id": memory["case_id"], "severity": memory["severity"], "order_ids": [memory["order"]], "tier_from": "L1",
        "tier_to": "L2", "owner": f"service-desk@{sheet.plant.domain}",
    }  # fmt: skip
    sheet.emit("service.escalation_accepted", memory["case_id"], data, system="crm", correlation=memory["order"])


def _tell(sheet: Sheet, case: str) -> Failure | None:
    outcome = sheet.outcome
    refusal = TIMEOUT if outcome.times_out else _REFUSAL
    for attempt in range(1, outcome.tries + 1):
        fails = attempt < outcome.tries or outcome.times_out
        call(
            sheet, CRM, PAGER, "/api/escalations", 1.5, failure=refusal if fails else None, resend=attempt - 1,
            attributes={"case.id": case},
        )  # fmt: skip
        if not fails:
            return None
        sheet.spend(5.0)
    return refusal


FLOW = Flow("service_escalation", draw, ALWAYS | {FaultKind.RETRY_STORM, FaultKind.API_TIMEOUT})
ACCEPTANCE = Flow("service_acceptance", accept, frozenset())
