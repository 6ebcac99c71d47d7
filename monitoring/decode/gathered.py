"""What a decoder has gathered so far: the good items of a request, and the ones it refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from monitoring.records import Decoded, EventRecord, LogRecord, MetricPoint, PayloadTooLarge, Rejection, SpanRecord

from .limits import Limits, refusal
from .values import clean_text


@dataclass(slots=True)
class Gathered:
    """The state of one decoding; `index` counts the request's items in the order in which they stand in it."""

    limits: Limits
    noun: str
    index: int = 0
    spans: list[SpanRecord] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    metrics: list[MetricPoint] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    def admit(self, more: int) -> None:
        """Fail before `more` items are read if the request then holds more than it may."""
        if self.index + more > self.limits.items:
            raise PayloadTooLarge(refusal(self.noun, self.limits.items))

    def refuse(self, reason: str, item_id: str = "") -> None:
        """Note that the item at the current index is refused, and go on to the next. What is quoted can be stored."""
        self.rejections.append(Rejection(self.index, clean_text(reason), clean_text(item_id)))
        self.index += 1

    def keep(self, points: Iterable[MetricPoint]) -> None:
        """Keep what one data point says, and go on to the next."""
        self.metrics.extend(points)
        self.index += 1

    def decoded(self) -> Decoded:
        """The finished result."""
        return Decoded(
            spans=tuple(self.spans),
            logs=tuple(self.logs),
            metrics=tuple(self.metrics),
            events=tuple(self.events),
            rejections=tuple(self.rejections),
        )
