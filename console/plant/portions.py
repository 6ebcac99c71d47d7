"""Cuts many spans into requests of a size that a console likes, without cutting a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from opentelemetry.sdk.trace import ReadableSpan


def portions(spans: Sequence[ReadableSpan], size: int = 400) -> Iterator[list[ReadableSpan]]:
    """Runs of whole traces with at least `size` spans each, the last one with what is left."""
    portion: list[ReadableSpan] = []
    for _, trace in groupby(spans, key=lambda span: span.context.trace_id):
        portion += trace
        if len(portion) >= size:
            yield portion
            portion = []
    if portion:
        yield portion
