"""The parts of a run's page besides its waterfall: attempts, events, logs, payloads, and why it serves its process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models.functions import Length

from console.runs.attempts import confidence_words, phase_shown
from console.runs.attributes import AttributeRow, attribute_row, attribute_rows
from console.runs.waterfall import Mark, span_duration
from console.words import Shown
from monitoring.facts import Rank
from monitoring.models import Attempt, Intake, MappingRule, Run
from monitoring.records import LogRecord
from monitoring.selectors.visibility import visible_rows
from partners.viewer import Viewer

#: More attempts or log records than this on one page help nobody; the page says how many it leaves out.
MOST = 500
_RANKS = {
    Rank.GUESS: "Guessed from a span inside the trace; its root has not arrived.",
    Rank.ENTRY: "Taken from the first span that entered this part of the trace.",
    Rank.ROOT: "Taken from the root of the trace.",
    Rank.DECLARED: "The source itself names its workflow.",
}
_LOG_LEVELS = ((21, "dead", "Fatal"), (17, "breach", "Error"), (13, "warn", "Warning"), (9, "unknown", "Info"))


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One attempt with its words."""

    attempt: Attempt
    shown: Shown
    sure: str
    why_sure: str
    span_id: str
    took: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record; `after` counts from the run's start."""

    after: str
    shown: Shown
    body: AttributeRow
    attributes: tuple[AttributeRow, ...]
    span_id: str


@dataclass(frozen=True, slots=True)
class PayloadLine:
    """One request that the run was computed from."""

    intake: Intake
    digest: str
    stored: int


@dataclass(frozen=True, slots=True)
class MappingLine:
    """Why the run serves its process."""

    rule: MappingRule | None
    rule_gone: bool
    reason: str
    rank: str


def attempts_of(viewer: Viewer, run: Run) -> list[Attempt]:
    """Return what is abnormal about the run's tries, in the order in which it happened."""
    attempts = visible_rows(viewer, Attempt).filter(run=run)
    return list(attempts.order_by("ended_at", "attempt", "pk")[: MOST + 1])


def attempt_lines(attempts: Iterable[Attempt]) -> list[AttemptLine]:
    """Return the attempts with their words."""
    return [
        AttemptLine(
            attempt,
            phase_shown(attempt.phase),
            *confidence_words(attempt.confidence),
            bytes(attempt.span_id).hex() if attempt.span_id else "",
            span_duration(round((attempt.ended_at - attempt.started_at).total_seconds() * 1e9))
            if attempt.started_at
            else "",
        )
        for attempt in attempts
    ]


def marks_of(attempts: Iterable[Attempt]) -> dict[bytes, Mark]:
    """Return what the attempts say of single spans; of several, the highest try."""
    marks: dict[bytes, Mark] = {}
    for attempt in attempts:
        if attempt.span_id is None:
            continue
        span_id = bytes(attempt.span_id)
        if span_id not in marks or marks[span_id].attempt <= attempt.attempt:
            marks[span_id] = Mark(attempt.attempt, attempt.phase, attempt.confidence, attempt.max_attempts)
    return marks


def log_lines(logs: Iterable[LogRecord], start_ns: int) -> list[LogLine]:
    """Return log records as lines."""
    return [
        LogLine(
            after=span_duration(max(0, log.time_ns - start_ns)),
            shown=_level(log),
            body=attribute_row("body", log.body),
            attributes=attribute_rows(log.attributes),
            span_id=log.span_id.hex() if log.span_id else "",
        )
        for log in logs
    ]


def payload_lines(run: Run) -> list[PayloadLine]:
    """Return the requests that a visible run was computed from, oldest first, without reading their bodies."""
    intakes = Intake.objects.filter(pk__in=run.intakes).annotate(stored=Length("body")).defer("body")
    return [
        PayloadLine(intake, bytes(intake.digest).hex(), intake.stored)
        for intake in intakes.order_by("received_at", "pk")[:MOST]
    ]


def requests_gone(run: Run) -> int:
    """Return how many of the requests behind a visible run are no longer kept."""
    return len(set(run.intakes)) - Intake.objects.filter(pk__in=run.intakes).count()


def mapping_of(viewer: Viewer, run: Run) -> MappingLine:
    """Return the rule that decided, if it still stands."""
    rule: MappingRule | None = None
    if run.kind.mapping_rule_id is not None:
        rule = visible_rows(viewer, MappingRule).filter(pk=run.kind.mapping_rule_id).first()
    rank = _RANKS.get(Rank(run.rank), "") if run.rank in set(Rank) else ""
    return MappingLine(rule, run.kind.mapping_rule_id is not None and rule is None, run.kind.mapping_reason, rank)


def _level(log: LogRecord) -> Shown:
    state, word = next(
        ((state, word) for least, state, word in _LOG_LEVELS if log.severity_number >= least), ("unknown", "Debug")
    )
    return Shown(state, log.severity_text[:20].capitalize() or word)
