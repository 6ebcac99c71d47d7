"""Production confirmation, MES to ERP, as Celery tasks: one CONSUMER span a try, run and apply_async nested."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.trace import Span, SpanKind

from console.plant.faults import FaultKind
from console.plant.flows.contract import ALWAYS, Flow
from console.plant.flows.redrive import expect_redrive
from console.plant.outcome import Failure
from console.plant.randomness import uuid
from console.plant.sheet import Attributes, Said, Sheet

SENDER, WORKER, ERP = "mes-shopfloor", "confirmation-worker", "erp-gateway"
QUEUE = "confirmations"
SCOPE = "opentelemetry.instrumentation.celery"
_ERRORS = (
    Failure("ConnectionError", "ERP gateway refused the connection"),
    Failure("PostingPeriodClosed", "posting period is closed for this plant"),
    Failure("OrderLocked", "order is being processed by another user"),
)
_SLOW = Failure("TimeoutError", "ERP gateway gave no answer within 30 s")


def draw(sheet: Sheet) -> None:
    """A confirmed operation becomes a task; a worker posts it to the ERP, again and again where that fails."""
    order, task_id = sheet.plan.order(lag=3), uuid(sheet.rng)
    good = sheet.rng.randrange(10, 200)
    with sheet.step(
        SENDER, f"apply_async/{_task(sheet)}", _sent(sheet, task_id), kind=SpanKind.PRODUCER, scope=SCOPE,
        is_lost=sheet.outcome.loses_root,
    ) as sent:  # fmt: skip
        sheet.spend(0.004)
    error = _SLOW if sheet.outcome.times_out else sheet.outcome.pick(_ERRORS)
    for attempt in range(1, sheet.outcome.tries + 1):
        is_last = attempt == sheet.outcome.tries
        fails = not is_last or sheet.outcome.dies
        again = _run(sheet, sent, order, _Try(task_id, attempt, error if fails else None, gives_up=is_last))
        if again is not None:
            sheet.at += 2.0**attempt
            sent = again
    if sheet.outcome.dies:
        expect_redrive(sheet, task_id, QUEUE, attempts=sheet.outcome.tries, subject=order, settles="order.completed")
        return
    sheet.emit(
        "order.completed", order,
        {"order_id": order, "state": "confirmed", "qty_good": good, "qty_scrap": good // 50, "work_center": "WC-20"},
        system="shopfloor",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Try:
    task_id: str
    attempt: int
    error: Failure | None
    gives_up: bool


def _run(sheet: Sheet, sent: Span, order: str, one: _Try) -> Span | None:
    """One try. Returns the span of the message that asks for the next one, None where this was the last."""
    sheet.spend(0.15, 0.6)
    said, error = _received(sheet, one.task_id, one.attempt), one.error
    with sheet.step(WORKER, f"run/{_task(sheet)}", said, kind=SpanKind.CONSUMER, scope=SCOPE, parent=sent) as run:
        # Celery's instrumentation knows no orders; the integrator sets this one in the task.
        run.set_attribute("manufacturing.order.id", order)
        with sheet.step(WORKER, "load operation", {"db.system.name": "postgresql"}, kind=SpanKind.CLIENT):
            sheet.spend(0.03)
        with sheet.step(WORKER, "check quantities"):
            sheet.spend(0.02)
        _post(sheet, order, error)
        if error is None:
            run.set_attribute("celery.state", "SUCCESS")
            return None
        if one.gives_up:
            run.set_attribute("celery.state", "FAILURE")
            sheet.fail(run, error)
            return None
        wait = f"Retry in {2**one.attempt}s"
        run.set_attribute("celery.state", "RETRY")
        run.set_attribute("celery.retry.reason", f"{wait}: {error.error_class}('{error.message}')")
        again = f"apply_async/{_task(sheet)}"
        with sheet.step(WORKER, again, _sent(sheet, one.task_id), kind=SpanKind.PRODUCER, scope=SCOPE) as message:
            sheet.spend(0.003)
        return message


def _post(sheet: Sheet, order: str, error: Failure | None) -> None:
    said = {"rpc.system": "jsonrpc", "rpc.service": "confirmation", "rpc.method": "post", "erp.order_id": order}
    with sheet.step(WORKER, "confirmation/post", {**said, "server.address": ERP}, kind=SpanKind.CLIENT) as span:
        if error is _SLOW:
            sheet.at += 30.0
        else:
            sheet.toil(1.8, 0.5)
        if error:
            sheet.fail(span, error)


def _task(sheet: Sheet) -> str:
    return f"{sheet.plant.named('erp')}.post_confirmation".replace("-", "_")


def _sent(sheet: Sheet, task_id: str) -> Attributes:
    return {
        "celery.action": "apply_async", "messaging.message.id": task_id, "celery.task_name": _task(sheet),
        "messaging.destination_kind": "queue", "messaging.destination": QUEUE,
    }  # fmt: skip


def _received(sheet: Sheet, task_id: str, attempt: int) -> Attributes:
    said: Said = {
        "celery.action": "run", "messaging.conversation_id": task_id, "messaging.message.id": task_id,
        "messaging.destination": QUEUE, "celery.task_name": _task(sheet),
        "celery.hostname": f"celery@{sheet.plant.slug}-w1",
        "celery.delivery_info": str({"exchange": "", "routing_key": QUEUE, "priority": 0, "redelivered": False}),
    }  # fmt: skip
    # The instrumentation leaves the count of retries out on the first try.
    return {**said, "celery.retries": attempt - 1} if attempt > 1 else said


FLOW = Flow(
    "production_confirmation",
    draw,
    ALWAYS | {FaultKind.DEAD_LETTER, FaultKind.RETRY_STORM, FaultKind.API_TIMEOUT, FaultKind.STUCK_RUN},
)
