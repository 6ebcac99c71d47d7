"""Order release, ERP to MES, as an n8n workflow: constant span names, retries inside a node invisible."""

from __future__ import annotations

from opentelemetry.trace import SpanKind

from console.plant.faults import FaultKind
from console.plant.flows.contract import ALWAYS, Flow
from console.plant.flows.order_release import ROUTE, released, requested
from console.plant.flows.redrive import expect_redrive
from console.plant.outcome import Failure
from console.plant.sheet import Attributes, Said, Sheet

N8N, MES, SCOPE = "n8n", "mes-gateway", "n8n-workflow"
WORKFLOW_ID = "Rk3vT0qEoRdRel01"
_REFUSAL = Failure("NodeApiError", "Service unavailable - try again later or consider setting this node to retry")


def draw(sheet: Sheet) -> None:
    """Runs the workflow; where it fails, n8n's error workflow runs below it and a person has to start it again."""
    order, execution = sheet.plan.order(), str(sheet.rng.randrange(10_000, 9_999_999))
    sheet.emit("order.release_requested", order, requested(sheet, order), system="erp")
    failure = _REFUSAL if sheet.outcome.dies else None
    _execution(sheet, order, execution, failure)
    if failure is None:
        sheet.emit("order.released", order, released(sheet, order), system="mes")
        return
    unit = f"n8n:{sheet.plant.slug}-{N8N}:{execution}"
    expect_redrive(sheet, unit, "n8n executions", attempts=1, subject=order, settles="order.released")


def _execution(sheet: Sheet, order: str, execution: str, failure: Failure | None) -> None:
    said: Said = {
        "n8n.workflow.id": WORKFLOW_ID,
        "n8n.workflow.name": "Order release ERP to MES",
        "n8n.workflow.version_id": "9d1f6a52-order-release-12",
        "n8n.workflow.node_count": 3,
        "n8n.workflow.custom.order_id": order,
        "n8n.project.id": "plant-integration",
        "n8n.execution.id": execution,
        "n8n.execution.mode": "trigger",
        "n8n.execution.status": "error" if failure else "success",
        "n8n.execution.is_retry": False,
        "andon.value": round(sheet.rng.uniform(900, 18_000), 2),
    }
    if failure:
        said["n8n.execution.error_type"] = failure.error_class
    with sheet.step(N8N, "workflow.execute", said, scope=SCOPE) as root:
        _node(sheet, "Read order", "n8n-nodes-base.postgres", 0.2, None)
        _post(sheet, failure)
        if failure is None:
            _node(sheet, "Confirm to ERP", "n8n-nodes-base.httpRequest", 0.5, None)
            return
        sheet.fail(root, failure)
        _error_workflow(sheet)


def _post(sheet: Sheet, failure: Failure | None) -> None:
    """The node that calls the MES. Its own tries leave no mark but the requests that arrive at the other end."""
    with sheet.step(N8N, "node.execute", _node_said("Post to MES", "n8n-nodes-base.httpRequest"), scope=SCOPE) as span:
        for _ in range(3 if failure else 1):
            said = {"http.request.method": "POST", "http.route": ROUTE}
            with sheet.step(MES, f"POST {ROUTE}", said, kind=SpanKind.SERVER) as answer:
                sheet.toil(1.6)
                answer.set_attribute("http.response.status_code", 503 if failure else 201)
                if failure:
                    sheet.fail(answer, Failure("503", "MES order service is in maintenance mode"))
            sheet.spend(0.3, 0.1)
        if failure:
            sheet.fail(span, failure)


def _error_workflow(sheet: Sheet) -> None:
    said: Said = {
        "n8n.workflow.id": "Zx9ErrorHandler1", "n8n.workflow.name": "Error handler", "n8n.workflow.node_count": 2,
        "n8n.execution.id": str(sheet.rng.randrange(10_000_000, 99_999_999)), "n8n.execution.mode": "error",
        "n8n.execution.status": "success", "n8n.execution.is_retry": False,
    }  # fmt: skip
    with sheet.step(N8N, "workflow.execute", said, scope=SCOPE):
        _node(sheet, "Tell the order desk", "n8n-nodes-base.emailSend", 0.4, None)


def _node(sheet: Sheet, name: str, node_type: str, median_s: float, failure: Failure | None) -> None:
    with sheet.step(N8N, "node.execute", _node_said(name, node_type), scope=SCOPE) as span:
        sheet.spend(median_s)
        if failure:
            sheet.fail(span, failure)


def _node_said(name: str, node_type: str) -> Attributes:
    return {
        "n8n.node.id": name.lower().replace(" ", "-"), "n8n.node.name": name, "n8n.node.type": node_type,
        "n8n.node.type_version": 2, "n8n.node.items.input": 1, "n8n.node.items.output": 1,
    }  # fmt: skip


FLOW = Flow("order_release_n8n", draw, ALWAYS | {FaultKind.DEAD_LETTER})
