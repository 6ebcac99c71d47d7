"""The compiled walk of traces, where there is one (see `build`); what it leaves alone is read in Python, to one end."""

from __future__ import annotations

from typing import Any

from monitoring.decode.limits import Limits
from monitoring.records import Decoded, SpanRecord

from . import build

#: Why traces are read in Python; empty where the compiled walk is in use.
ABSENT = ""

try:
    from . import trace_walk
except ImportError as fault:
    ABSENT = f"it can't be loaded: {fault}" if build.target().exists() else "nothing is compiled; make install says why"
else:
    if build.digest() != trace_walk.BUILT_FROM:
        ABSENT = "it was compiled from other sources; make install compiles it again"


def decoded(body: bytes, limits: Limits) -> Decoded | None:
    """Everything a trace request says; None where Python has to read it, which knows what to refuse."""
    if ABSENT or not trace_walk.is_within_limits(body, limits):
        return None
    found = trace_walk.spans_in(body)
    return Decoded(spans=tuple(found[0]), rejections=tuple(found[1])) if found else None


def is_left_to_python(body: bytes, limits: Limits) -> bool:
    """Whether a trace request is too much, or too odd, for the compiled walk that is in use."""
    return not ABSENT and not trace_walk.is_within_limits(body, limits)


def counter(shape: dict[int, Any]) -> trace_walk.Counter | None:
    """What counts the fields of bodies of that shape as `wire_scan` does; None where nothing is compiled."""
    return None if ABSENT else trace_walk.Counter(shape)


def spans_of(body: bytes, trace_id: bytes) -> list[SpanRecord] | None:
    """The trace's spans in a body that was taken; None where Python has to look for them."""
    if ABSENT or not trace_id:
        return None
    found = trace_walk.spans_in(body, trace_id)
    return found[0] if found else None
