"""Quality hold: a Camunda process blocks the stock; the decision and the release follow hours later."""

from __future__ import annotations

from opentelemetry.trace import SpanKind

from console.plant.faults import FaultKind
from console.plant.flows.contract import ALWAYS, Flow
from console.plant.flows.redrive import expect_redrive
from console.plant.outcome import Failure
from console.plant.randomness import lognormal
from console.plant.sheet import Sheet

ENGINE, WORKER = "quality-engine", "quality-worker"
PROCESS = "quality-hold"
_TRIES = 3
_CLASSES = (("routine", 5 * 3600.0), ("routine", 5 * 3600.0), ("mrb", 15 * 3600.0), ("customer", 10 * 3600.0))
_DECISIONS = ("use_as_is", "rework", "rework", "repair", "scrap")
_ERRORS = (
    Failure("JOB_NO_RETRIES", "lot is not known to the warehouse"),
    Failure("JOB_NO_RETRIES", "stock is already reserved for a shipment"),
)


def draw(sheet: Sheet) -> None:
    """Places the hold. Its decision and its release are runs of their own, later and under the same hold number."""
    hold, lot, order = sheet.plan.own("H-"), f"L{sheet.plan.order(days=1)}", sheet.plan.order(days=1)
    kind, decided_after = sheet.rng.choice(_CLASSES)
    due_at = sheet.local(sheet.at + decided_after * 1.6)
    data = {
        "hold_id": hold, "lot_ids": [lot], "class": kind, "order_id": order, "due_at": due_at,
        "reason_code": sheet.rng.choice(("DIM-02", "SURF-11", "DOC-01", "TORQ-05")),
        "value": sheet.money(sheet.rng.uniform(2_000, 60_000)),
    }  # fmt: skip
    instance = sheet.rng.randrange(2**51, 2**52)
    said = {**_process(sheet, instance), "hold.id": hold, "lot.id": lot, "order.id": order, "hold.due_at": due_at}
    lost = sheet.outcome.loses_root
    with sheet.step(ENGINE, "process quality-hold", said, is_lost=lost) as root:
        sheet.emit("quality.hold_placed", hold, data, system="qms", correlation=order)
        _job(sheet, instance, "classify", None)
        failure = _block(sheet, instance)
        if failure:
            sheet.fail(root, failure)
        else:
            _job(sheet, instance, "notify-owner", None)
    memory = {"hold_id": hold, "lot": lot, "order": order, "class": kind}
    sheet.follow("quality_decision", lognormal(sheet.rng, decided_after, 0.4), memory)


def decide(sheet: Sheet) -> None:
    """Tells the decision, and lets the release follow where the lot is not scrapped."""
    memory = sheet.plan.memory
    decision = sheet.rng.choice(_DECISIONS)
    data = {
        "hold_id": memory["hold_id"], "lot_ids": [memory["lot"]], "class": memory["class"], "disposition": decision,
        "approver": f"quality-lead@{sheet.plant.domain}", "signature_ref": sheet.plan.own("SIG-"),
    }  # fmt: skip
    sheet.emit("quality.dispositioned", memory["hold_id"], data, system="qms", correlation=memory["order"])
    sheet.follow("quality_release", lognormal(sheet.rng, 3600.0, 0.5), memory)


def release(sheet: Sheet) -> None:
    """Gives the stock free again."""
    memory = sheet.plan.memory
    instance = sheet.rng.randrange(2**51, 2**52)
    said = {
        **_process(sheet, instance),
        "hold.id": memory["hold_id"],
        "lot.id": memory["lot"],
        "order.id": memory["order"],
    }
    with sheet.step(ENGINE, "process quality-hold", said):
        _job(sheet, instance, "release-stock", None)
        data = {"hold_id": memory["hold_id"], "lot_ids": [memory["lot"]], "class": memory["class"]}
        sheet.emit("quality.released", memory["hold_id"], data, system="qms", correlation=memory["order"])


def _block(sheet: Sheet, instance: int) -> Failure | None:
    """The job that blocks the stock in the warehouse: Camunda counts its tries downwards and raises an incident."""
    outcome = sheet.outcome
    tries = _TRIES if outcome.dies else min(outcome.tries, _TRIES)
    key = sheet.rng.randrange(2**51, 2**52)
    error = outcome.pick(_ERRORS)
    for attempt in range(1, tries + 1):
        fails = attempt < tries or outcome.dies
        _job(sheet, instance, "block-stock", error if fails else None, key=key, left=_TRIES - attempt + 1)
        if fails and attempt < tries:
            sheet.spend(10.0, 0.1)
    if not outcome.dies:
        return None
    expect_redrive(sheet, f"camunda:{key}", "block-stock", attempts=_TRIES, subject=sheet.plan.own("H-"), key="hold_id")
    return error


def _job(
    sheet: Sheet, instance: int, element: str, failure: Failure | None, *, key: int = 0, left: int = _TRIES
) -> None:
    said = {
        **_process(sheet, instance), "camunda.element_id": element, "camunda.job_type": element,
        "camunda.job_key": str(key or sheet.rng.randrange(2**51, 2**52)), "camunda.job_retries": left,
    }  # fmt: skip
    with sheet.step(WORKER, f"job {element}", said, kind=SpanKind.CONSUMER) as span:
        sheet.toil(3.0, 0.5)
        if failure:
            sheet.fail(span, failure)


def _process(sheet: Sheet, instance: int) -> dict[str, str | int]:
    return {
        "camunda.process_definition_id": sheet.plant.named(PROCESS), "camunda.process_definition_version": 4,
        "camunda.process_instance_key": str(instance),
    }  # fmt: skip


FLOW = Flow("quality_hold", draw, ALWAYS | {FaultKind.DEAD_LETTER, FaultKind.RETRY_STORM, FaultKind.STUCK_RUN})
DECISION = Flow("quality_decision", decide, frozenset())
RELEASE = Flow("quality_release", release, frozenset())
