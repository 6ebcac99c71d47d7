"""What the detectors conclude. Frozen, and free of Django; detectors take windows in and give findings out.

A detector is pure: the projection hands it windows with every figure it may use, `now` included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import NamedTuple

from monitoring.facts import BusinessKey


class Severity(StrEnum):
    """How loud an alert is, loudest first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Kind(StrEnum):
    """What is wrong; the names of INTERFACE.md. Later issues add detectors, not names."""

    DEAD_LETTER = "dead_letter"
    RETRY_STORM = "retry_storm"
    POISON_UNIT = "poison_unit"
    NO_BACKOFF = "no_backoff"
    STACKED_RETRIES = "stacked_retries"
    REDRIVE_LOOP = "redrive_loop"
    SLA_AT_RISK = "sla_at_risk"
    SLA_BREACH = "sla_breach"
    BURN_RATE = "burn_rate"
    SILENT_WORKFLOW = "silent_workflow"
    SILENT_STALL = "silent_stall"
    MISSING_EVENT = "missing_event"
    DELAYED_CONSUMPTION = "delayed_consumption"
    DUPLICATE_EFFECT = "duplicate_effect"
    SEQUENCE_GAP = "sequence_gap"
    SLOW_RUNS = "slow_runs"
    PROCESS_DRIFT = "process_drift"
    UNMAPPED = "unmapped"
    CONTRACT_BREAK = "contract_break"
    UNGOVERNED_CHANGE = "ungoverned_change"
    SOD_VIOLATION = "sod_violation"
    AGENT_OUT_OF_POLICY = "agent_out_of_policy"
    TELEMETRY_BLIND = "telemetry_blind"


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """What the catalogue knows about the process a window belongs to; None fields mean nobody has said."""

    id: int | None
    name: str
    criticality: str  # "critical", "high", "normal", "low"
    owner: str  # display name, "" when unowned
    regulated: bool = False
    sla_id: int | None = None
    sla_name: str = ""
    sla_seconds: int | None = None
    cost_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class WorkflowFacts:
    """The automation a window belongs to. It may serve several processes; a window is about one of them."""

    id: int
    name: str
    source_system: str


@dataclass(frozen=True, slots=True)
class DeadLetterFact:
    """One newly stored dead letter."""

    id: int
    unit_id: str
    destination: str
    error_class: str
    message: str
    attempts: int
    died_at: datetime
    run_id: int | None
    span_id: str
    event_id: int | None
    keys: tuple[BusinessKey, ...]
    redriven_before: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetterWindow:
    """The dead letters that one payload added to one workflow and destination with one error class.

    `open_keys` are the business keys of every member that is open, the fresh ones included, None where they are too
    many to be named; `open_value` is the money that the sources say is at stake in them, None where they say nothing.
    """

    workflow: WorkflowFacts
    process: ProcessFacts
    destination: str
    error_class: str
    fresh: tuple[DeadLetterFact, ...]
    open_before: int
    now: datetime
    open_keys: tuple[BusinessKey, ...] | None = ()
    open_value: float | None = None


class TrySums(NamedTuple):
    """Attempts of one workflow in one window: the sums of its minutes."""

    first_attempts: int = 0
    retries: int = 0
    successes: int = 0
    retry_successes: int = 0

    @property
    def ratio(self) -> float:
        """Retries for each first attempt; 1 where there are retries alone."""
        return self.retries / self.first_attempts if self.first_attempts else float(bool(self.retries))


class Heed(IntEnum):
    """How much of a window's attempts a detector has to see, given its sums."""

    NOTHING = 0
    #: The newest of them, as examples; the sums say the rest.
    NEWEST = 1
    WHOLE = 2


@dataclass(frozen=True, slots=True)
class AttemptWindow:
    """Attempts of one workflow in five minutes of event time that end with the newest attempt.

    `first_attempts + retries` is all attempts; `retry_successes` counts attempts >= 2 that ended well.
    `earlier` holds retry ratios of the windows just before, newest first; `baseline_ratio` is the usual one at this
    time (None when there is too little history); `units_by_attempts` maps number of attempts to units. Of more units
    than are read one by one, `errors`, `run_ids` and `keys` are those of the worst: then `keys` are not `complete`. Of
    a window that is read in part (`Heed.NEWEST`) the first attempts stand for the units.
    """

    workflow: WorkflowFacts
    process: ProcessFacts
    started_at: datetime
    ended_at: datetime
    first_attempts: int
    retries: int
    successes: int
    retry_successes: int
    units: int
    errors: Mapping[str, int]
    units_by_attempts: Mapping[int, int]
    earlier: tuple[float, ...]
    baseline_ratio: float | None
    run_ids: tuple[int, ...]
    keys: tuple[BusinessKey, ...]
    now: datetime
    complete: bool = True


@dataclass(frozen=True, slots=True)
class SlaWindow:
    """One run or event chain measured against its promise."""

    workflow: WorkflowFacts
    process: ProcessFacts
    run_id: int
    sla_kind: str  # "duration" or "due_time"
    started_at: datetime
    ended_at: datetime | None  # None: still running at `now`
    due_at: datetime
    keys: tuple[BusinessKey, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class UnmappedWindow:
    """An automation that serves no process of the catalogue."""

    workflow: WorkflowFacts
    first_seen_at: datetime
    runs: int
    events: int
    reason: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """A pointer to what a finding relied on: `type` is run, span, event, dead_letter, attempt, payload or sla."""

    type: str
    id: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ImpactPart:
    """One term of the business impact sum."""

    label: str
    points: int
    why: str


@dataclass(frozen=True, slots=True)
class Impact:
    """Business impact, always shown as the sum of its parts. `score` = sum of points, bounded to 0..100."""

    score: int
    priority: str  # "P1".."P4"
    parts: tuple[ImpactPart, ...]


@dataclass(frozen=True, slots=True)
class NextStep:
    """What the person who meets the alert should do first: a sentence, and the page or action that does it."""

    text: str
    action: str = ""  # "open_dead_letters", "open_run", "assign_process", "acknowledge"


@dataclass(frozen=True, slots=True)
class Finding:
    """One conclusion of one detector. Findings with the same fingerprint meet in one alert."""

    kind: Kind
    severity: Severity
    title: str  # one sentence in business words
    fingerprint: str  # stable: kind, workflow or process, and what groups it
    occurred_at: datetime  # event time of the newest thing it saw
    count: int  # how many new members this finding adds
    workflow_id: int | None
    process_id: int | None
    reason: str  # why it fired, with the figures and the threshold
    figures: Mapping[str, float | int | str] = field(default_factory=lambda: MappingProxyType({}))
    evidence: tuple[Evidence, ...] = ()
    impact: Impact = Impact(score=0, priority="P4", parts=())
    next_step: NextStep = NextStep(text="")
    keys: tuple[BusinessKey, ...] = ()
    sla_id: int | None = None
