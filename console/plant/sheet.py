"""A sheet: one run while it is drawn. Steps nest, its clock moves on, and spans and events gather on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.util.types import AttributeValue

from console.plant.cloudevent import CloudEvent
from console.plant.outcome import Failure, Outcome
from console.plant.plan import Plan
from console.plant.plants import Plant
from console.plant.randomness import lognormal, stream, uuid
from console.plant.studio import Studio

Attributes: TypeAlias = Mapping[str, AttributeValue]
#: Attributes while they are gathered.
Said: TypeAlias = dict[str, str | bool | int | float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a run sends, and the runs that follow from it later. Each part says when (epoch seconds) it goes out."""

    tenant: str
    spans: tuple[tuple[float, ReadableSpan], ...]
    events: tuple[tuple[float, CloudEvent], ...]
    follow_ups: tuple[Plan, ...]


@dataclass
class Sheet:
    """Draws one run. `at` is the run's clock in epoch seconds."""

    plan: Plan
    plant: Plant
    studio: Studio
    seed: int
    tenant: str = ""
    at: float = 0.0
    _events: list[tuple[float, CloudEvent]] = field(default_factory=list)
    _follow_ups: list[Plan] = field(default_factory=list)
    _open: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = stream(self.seed, self.plan.token, "draw")
        self.at = self.at or self.plan.started_at.timestamp()
        self.tenant = self.tenant or self.plant.tenant_slug
        self.studio.draw_from(stream(self.seed, self.plan.token, "ids"))

    @property
    def outcome(self) -> Outcome:
        """How the run goes."""
        return self.plan.outcome

    def spend(self, median_s: float, sigma: float = 0.35) -> None:
        """Lets time pass: a lognormal draw around the median."""
        self.at += lognormal(self.rng, median_s, sigma)

    def toil(self, median_s: float, sigma: float = 0.35) -> None:
        """Lets time pass at the step that a slow system slows down."""
        self.at += lognormal(self.rng, median_s, sigma) * self.outcome.slowdown

    @contextmanager
    def step(
        self,
        system: str,
        name: str,
        attributes: Attributes | None = None,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        scope: str = "",
        parent: Span | None = None,
        is_lost: bool = False,
    ) -> Iterator[Span]:
        """A span from now until the block ends, below `parent` or else the innermost open one; lost, it never ends."""
        span = self.studio.tracer(self.plant, self.plant.named(system), scope or system).start_span(
            name, self._context(parent), kind, attributes, start_time=_ns(self.at)
        )
        self._open.append(span)
        try:
            yield span
        finally:
            self._open.pop()
            if not is_lost:
                span.end(_ns(self.at))

    def fail(self, span: Span, failure: Failure, *, stays_quiet: bool = False) -> None:
        """Marks the span as failed with its exception; quietly: the exception alone, the status as it was."""
        # The class alone stands in the stack trace of a real client too, but a trace of ours would be made up.
        said = {"exception.type": failure.error_class, "exception.message": failure.message}
        span.add_event("exception", {**said, "exception.escaped": "False"}, _ns(self.at))
        if not stays_quiet:
            span.set_attribute("error.type", failure.error_class)
            span.set_status(Status(StatusCode.ERROR, failure.message))

    def note(self, span: Span, name: str, attributes: Attributes) -> None:
        """A timed note on a span."""
        span.add_event(name, attributes, _ns(self.at))

    def emit(
        self,
        entity_event: str,
        subject: str,
        data: Mapping[str, Any],
        *,
        system: str,
        after_s: float = 0.0,
        correlation: str = "",
    ) -> None:
        """An event of our vocabulary, from a system of the plant, `after_s` seconds from now."""
        at = self.at + after_s
        extensions = {"plant": self.plant.slug, "correlationid": correlation or subject}
        if self._open:
            context = self._open[-1].get_span_context()
            extensions["traceparent"] = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
        event = CloudEvent(
            id=uuid(self.rng),
            source=f"https://{self.plant.domain}/{system}",
            type=f"example.{self.plant.slug}.mfg.{entity_event}.v1",
            time=self.local(at),
            subject=subject,
            data=data,
            extensions=extensions,
        )
        self._events.append((at, event))

    def follow(self, flow: str, after_s: float, memory: dict[str, str], outcome: Outcome | None = None) -> None:
        """A run that this one leads to, later."""
        plan = self.plan
        started_at = datetime.fromtimestamp(self.at + after_s, UTC)
        token = f"{plan.token}/{flow}"
        self._follow_ups.append(
            Plan(plan.plant, flow, started_at, plan.number, token, plan.per_day, outcome or Outcome(), memory)
        )

    def local(self, at: float) -> str:
        """A moment as RFC 3339 with the plant's offset."""
        return datetime.fromtimestamp(at, UTC).astimezone(self.plant.zone).isoformat(timespec="milliseconds")

    def money(self, amount: float) -> dict[str, Any]:
        """An amount in the plant's currency."""
        return {"amount": round(amount, 2), "currency": self.plant.currency}

    def drawn(self) -> Drawn:
        """The finished run. A trace goes out in one piece when its last span has ended.

        A collector in front of the console that groups by trace does the same; the systems behind it end their spans
        each at its own time, and a part that arrived without the one that names it would be taken for another run.
        """
        spans = self.studio.take()
        ends: dict[int, float] = defaultdict(float)
        for span in spans:
            ends[span.context.trace_id] = max(ends[span.context.trace_id], _seconds(span.end_time))
        return Drawn(
            self.tenant,
            tuple((ends[span.context.trace_id], span) for span in spans),
            tuple(self._events),
            tuple(self._follow_ups),
        )

    def _context(self, parent: Span | None) -> Context:
        above = parent or (self._open[-1] if self._open else None)
        return set_span_in_context(above, Context()) if above else Context()


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000) * 1_000


def _seconds(nanoseconds: int | None) -> float:
    return (nanoseconds or 0) / 1_000_000_000
