"""The clock of a promise, as pages show it: what was promised, how it stands, how much time is used. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitoring.detect.titles import duration
from monitoring.models import Run, Sla
from monitoring.models.catalogue import SlaKind
from monitoring.models.telemetry import SlaState

#: From here on a running clock asks to be watched.
_AT_RISK = 0.75


@dataclass(frozen=True, slots=True)
class SlaClock:
    """`per_cent` of the promised time is used, at most 100; `margin` is left or overdrawn; `runs_on` until it ends."""

    state: str
    promise: str
    words: str
    margin: str
    per_cent: float
    due_at: datetime
    runs_on: bool
    name: str = ""


def sla_clock(run: Run, now: datetime, sla: Sla | None = None) -> SlaClock | None:
    """Return the clock of a run, or None where nothing was promised."""
    due = run.sla_due_at
    if due is None or run.sla_state == SlaState.NONE:
        return None
    seen = run.ended_at if run.root_seen else now
    promised, used = (due - run.started_at).total_seconds(), (seen - run.started_at).total_seconds()
    share = used / promised if promised > 0 else float(seen > due)
    late = (seen - due).total_seconds()
    words, state = _stand(late, share, ended=run.root_seen)
    if run.sla_state == SlaState.FAILED:
        # It stopped in time; what was promised did not happen.
        words, state = f"failed with {duration(late)} left", "warn"
    return SlaClock(
        state=state,
        promise=promise(sla) if sla else f"within {duration(promised)}",
        words=words,
        margin=duration(late),
        per_cent=round(max(0.0, min(share, 1.0)) * 100, 2),
        due_at=due,
        runs_on=not run.root_seen,
        name=sla.name if sla else "",
    )


def promise(sla: Sla) -> str:
    """Say what was promised: `within 10 min`, `by 06:00 each day`, `by the time that erp.due states`."""
    if sla.kind == SlaKind.DURATION and sla.target_s is not None:
        return f"within {duration(sla.target_s)}"
    if sla.due_local:
        return f"by {sla.due_local} each day"
    return f"by the time that {sla.due_attribute} states" if sla.due_attribute else "by the stated time"


def _stand(late: float, share: float, *, ended: bool) -> tuple[str, str]:
    if late > 0:
        return (f"{duration(late)} late" if ended else f"{duration(late)} past due"), "breach"
    if ended:
        return f"met with {duration(late)} to spare", "ok"
    return f"{duration(late)} left", "warn" if share >= _AT_RISK else "watch"
