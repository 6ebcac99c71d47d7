"""Dead letters: work that stands still until a person or a redrive moves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from monitoring.destinations import is_dead_letter
from monitoring.detect.impact import impact, severity
from monitoring.detect.thresholds import limit, overlaid
from monitoring.detect.titles import business_units, counted, subject
from monitoring.findings import DeadLetterFact, DeadLetterWindow, Evidence, Finding, Kind, NextStep

_MAX_EVIDENCE = 20


@dataclass(frozen=True, slots=True)
class DeadLetterThresholds:
    """When a group of dead letters is worth a louder alert; the first one always alerts."""

    many_open: float = limit(20, "dead letters open in the group")


class DeadLetter:
    """One finding for each workflow, destination and error class; its count grows with every further dead letter."""

    kind = Kind.DEAD_LETTER
    window = DeadLetterWindow

    def examine(self, window: DeadLetterWindow, thresholds: Mapping[str, float]) -> tuple[Finding, ...]:
        if not window.fresh:
            return ()
        limits = overlaid(DeadLetterThresholds(), thresholds)
        fresh_keys = (key for letter in window.fresh for key in letter.keys)
        keys = tuple(dict.fromkeys((*fresh_keys, *(window.open_keys or ()))))
        # Of too many to be named only the fresh ones' orders are known, which say nothing of how many there are.
        kind, known = business_units(keys if window.open_keys is not None else ())
        open_now = window.open_before + len(window.fresh)
        return (
            Finding(
                kind=self.kind,
                severity=severity(
                    window.process, raised=(open_now >= limits.many_open, window.process.regulated)
                ),
                title=_title(window, counted(known, kind) if known else counted(open_now, "message")),
                fingerprint=_fingerprint(window),
                occurred_at=max(letter.died_at for letter in window.fresh),
                count=len(window.fresh),
                workflow_id=window.workflow.id,
                process_id=window.process.id,
                reason=_reason(window, open_now),
                figures=MappingProxyType({
                    "fresh": len(window.fresh),
                    "open": open_now,
                    "max_attempts": max(letter.attempts for letter in window.fresh),
                    "redriven_before": sum(letter.redriven_before > 0 for letter in window.fresh),
                    "destination": window.destination,
                    "error_class": window.error_class,
                }),
                evidence=tuple(_evidence(window.fresh))[:_MAX_EVIDENCE],
                impact=impact(
                    window.process, unit_kind=kind, unit_count=known or open_now, value=window.open_value
                ),
                next_step=_next_step(window, open_now),
                keys=keys,
            ),
        )  # fmt: skip


def _fingerprint(window: DeadLetterWindow) -> str:
    place = f"{window.workflow.id}:{window.process.id or 0}"
    return f"dead_letter:{place}:{window.destination}:{window.error_class}"


def _title(window: DeadLetterWindow, hit: str) -> str:
    return f"{subject(window.workflow, window.process)}: {hit} {_where(window.destination)}"


def _where(destination: str) -> str:
    if not destination:
        return "failed for good"
    if is_dead_letter(destination):
        return f"stuck in dead-letter queue {destination}"
    return f"given up in {destination}"


def _reason(window: DeadLetterWindow, open_now: int) -> str:
    most = max(letter.attempts for letter in window.fresh)
    tries = f"after up to {most} attempts" if most > 1 else "at the first attempt"
    error = f" with {window.error_class}" if window.error_class else ""
    message = next((letter.message for letter in window.fresh if letter.message), "")
    said = f' ("{message[:160]}")' if message else ""
    again = sum(letter.redriven_before > 0 for letter in window.fresh)
    redriven = f" {again} of them had been redriven before." if again else ""
    return (
        f"{len(window.fresh)} newly dead {tries}{error}{said}; {open_now} open in this group."
        f" Any dead letter alerts: nothing moves it on by itself.{redriven}"
    )


def _evidence(letters: tuple[DeadLetterFact, ...]) -> Iterator[Evidence]:
    for letter in letters:
        yield Evidence("dead_letter", str(letter.id), f"{letter.unit_id}, attempt {letter.attempts}")
    for letter in letters:
        if letter.run_id is not None:
            yield Evidence("run", str(letter.run_id), letter.unit_id)
        if letter.span_id:
            yield Evidence("span", letter.span_id, letter.error_class)
        if letter.event_id is not None:
            yield Evidence("event", str(letter.event_id), letter.unit_id)


def _next_step(window: DeadLetterWindow, open_now: int) -> NextStep:
    again = any(letter.redriven_before for letter in window.fresh)
    if again:
        text = "Don't redrive again before the cause is removed: it died of a redrive already. Open the last error."
    elif window.error_class:
        text = f"Remove the cause of {window.error_class}, then redrive {_these(open_now)}."
    else:
        text = f"Find the cause in the last spans of the dead letters, then redrive {_these(open_now)}."
    return NextStep(text, "open_dead_letters")


def _these(number: int) -> str:
    return "it" if number == 1 else f"all {number}"
