"""Rows to test with: each function makes one in the open scope's tenant, with sensible values for what isn't named."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from monitoring.findings import Kind, Severity
from monitoring.models import (
    Alert,
    Attempt,
    BusinessKey,
    Channel,
    DeadLetter,
    Event,
    Intake,
    MappingRule,
    Notification,
    Process,
    Run,
    RunKind,
    Sla,
    Workflow,
)
from monitoring.models.intake import first_id
from monitoring.names import unit_digest
from monitoring.project.run_kinds import KindRow, digest_of
from partners.models import Site, TenantModel

#: Saturday 21 November 2026, 08:00 UTC.
MORNING = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
_number = itertools.count(1)
_PLAIN = KindRow(None, "", "", "", None, ())
_Row = TypeVar("_Row", bound=TenantModel)


def _made(model: type[_Row], given: Mapping[str, Any], fields: Mapping[str, Any]) -> _Row:
    row: _Row = model.objects.create(**{**given, **fields})
    return row


def make_site(**fields: Any) -> Site:
    """A plant."""
    number = next(_number)
    return _made(Site, {"slug": f"plant-{number}", "name": f"Plant {number}"}, fields)


def make_process(**fields: Any) -> Process:
    """A business process."""
    number = next(_number)
    return _made(Process, {"slug": f"process-{number}", "name": f"Process {number}"}, fields)


def make_sla(process: Process, **fields: Any) -> Sla:
    """A promise of fifteen minutes."""
    return _made(Sla, {"process": process, "name": "In time", "target_s": 900}, fields)


def make_rule(process: Process, **fields: Any) -> MappingRule:
    """A mapping rule."""
    number = next(_number)
    given = {"position": number, "name": f"Rule {number}", "condition": "span.name == 'release'", "process": process}
    return _made(MappingRule, given, fields)


def make_channel(**fields: Any) -> Channel:
    """A mail channel."""
    number = next(_number)
    given = {"name": f"Channel {number}", "kind": "email", "target": f"desk-{number}@aster.example"}
    return _made(Channel, given, fields)


def make_workflow(process: Process | None = None, **fields: Any) -> Workflow:
    """An automation."""
    number = next(_number)
    given = {"source_system": "n8n", "source_key": f"w{number}", "name": f"Workflow {number}", "first_seen_at": MORNING}
    return _made(Workflow, {**given, "process": process}, fields)


def make_intake(body: bytes = b"{}", **fields: Any) -> Intake:
    """A row of the intake log."""
    number = next(_number)
    given = {
        "id": first_id(fields.get("received_at", MORNING)) + number,
        "received_at": MORNING,
        "signal": "traces",
        "encoding": "application/json",
        "digest": hashlib.sha256(body + str(number).encode()).digest(),
        "compression": "",
        "body": body,
        "size": len(body),
        "key_prefix": "tests",
    }
    return _made(Intake, given, fields)


def make_run_kind(**fields: Any) -> RunKind:
    """What a run has in common with others; there is one of a sort."""
    kind = _PLAIN._replace(**fields)
    found: RunKind = RunKind.objects.get_or_create(digest=digest_of(kind), defaults=kind._asdict())[0]
    return found


def make_run(workflow: Workflow | None = None, key: str = "", **fields: Any) -> Run:
    """A run that ended well; `key` is a business key such as `order:4711`. Some of the fields are its kind's."""
    workflow = workflow or make_workflow()
    started_at = fields.pop("started_at", MORNING + timedelta(seconds=next(_number)))
    of_kind = {name: fields.pop(name) for name in KindRow._fields if name in fields}
    given = {
        "kind": make_run_kind(**of_kind),
        "trace_id": next(_number).to_bytes(16, "big"),
        "workflow": workflow,
        "process": workflow.process,
        "rank": 2,
        "status": "ok",
        "started_at": started_at,
        "ended_at": started_at + timedelta(seconds=3),
        "root_seen": True,
        "span_count": 2,
    }
    run = _made(Run, given, fields)
    if key:
        key_type, _, value = key.partition(":")
        BusinessKey.objects.create(key_type=key_type, value=value, run=run)
    return run


def make_event(workflow: Workflow | None = None, **fields: Any) -> Event:
    """A business event."""
    workflow = workflow or make_workflow()
    given = {
        "source": "/plant/erp",
        "event_id": f"e{next(_number)}",
        "type": "dev.andon.mfg.order.released.v1",
        "entity_event": "order.released",
        "time": MORNING,
        "received_at": MORNING,
        "workflow": workflow,
        "process": workflow.process,
    }
    if "intake" not in fields:
        body = json.dumps(
            {"specversion": "1.0", "id": "e", "source": "/plant/erp", "type": "t", "data": {"order": 4711}}
        )
        fields["intake"] = make_intake(body.encode(), signal="events", encoding="application/cloudevents+json")
    return _made(Event, given, fields)


def make_dead_letter(workflow: Workflow | None = None, **fields: Any) -> DeadLetter:
    """A stuck unit of work."""
    workflow = workflow or make_workflow()
    given = {
        "unit_id": f"unit-{next(_number)}",
        "workflow": workflow,
        "process": workflow.process,
        "destination": "orders.dlq",
        "error_class": "TimeoutError",
        "confidence": "declared",
        "died_at": MORNING,
    }
    if "intake" not in fields:
        fields["intake"] = make_intake()
    return _made(DeadLetter, given, fields)


def make_attempt(workflow: Workflow, **fields: Any) -> Attempt:
    """A failed try."""
    unit_id = fields.pop("unit_id", f"unit-{next(_number)}")
    given = {
        "unit": unit_digest(unit_id),
        "unit_id": unit_id,
        "attempt": 1,
        "phase": "error",
        "workflow": workflow,
        "ended_at": MORNING,
        "dialect": "n8n",
        "confidence": "declared",
    }
    return _made(Attempt, given, fields)


def make_alert(workflow: Workflow | None = None, **fields: Any) -> Alert:
    """A firing alert."""
    workflow = workflow or make_workflow()
    number = next(_number)
    given = {
        "kind": Kind.DEAD_LETTER.value,
        "severity": Severity.HIGH.value,
        "title": f"Alert {number}",
        "fingerprint": f"dead_letter:{number}",
        "workflow": workflow,
        "process": workflow.process,
        "first_seen_at": MORNING,
        "last_seen_at": MORNING,
        "raised_at": MORNING,
        "reason": "one unit died",
    }
    return _made(Alert, given, fields)


def make_notification(alert: Alert, channel: Channel, **fields: Any) -> Notification:
    """A line of the outbox."""
    given = {
        "alert": alert,
        "channel": channel,
        "event": "raised",
        "message_id": f"msg-{next(_number)}",
        "next_try_at": MORNING,
        "created_at": MORNING,
    }
    return _made(Notification, given, fields)
