"""What makes one span, log record or data point unfit to keep; the reasons a sender reads in the partial success."""

from __future__ import annotations

#: 2200-01-01T00:00:00Z. Later instants are clock faults, and a 64-bit column must hold every instant.
MAX_NS = 7_258_118_400_000_000_000
ZERO_TRACE_ID = bytes(16)
ZERO_SPAN_ID = bytes(8)


def span_fault(trace_id: bytes, span_id: bytes, parent_id: bytes, start_ns: int, end_ns: int) -> str:
    """Why the span can't be kept, or an empty string. `parent_id` is empty for a root, `end_ns` 0 if unknown."""
    if len(trace_id) != 16 or trace_id == ZERO_TRACE_ID:
        return _id_fault("trace id", trace_id, 16)
    if len(span_id) != 8 or span_id == ZERO_SPAN_ID:
        return _id_fault("span id", span_id, 8)
    if parent_id and len(parent_id) != 8:
        return _id_fault("parent span id", parent_id, 8)
    return _span_time_fault(start_ns, end_ns)


def reference_fault(trace_id: bytes, span_id: bytes) -> str:
    """Why a log record's reference to a span can't be kept, or an empty string; empty ids mean no reference."""
    if trace_id and len(trace_id) != 16:
        return _id_fault("trace id", trace_id, 16)
    if span_id and len(span_id) != 8:
        return _id_fault("span id", span_id, 8)
    return ""


def time_fault(what: str, instant_ns: int) -> str:
    """The reason for an instant outside (1970, 2200]."""
    if instant_ns == 0:
        return f"the {what} is missing"
    return f"the {what} {instant_ns} ns is outside the years 1970 to 2200"


def _span_time_fault(start_ns: int, end_ns: int) -> str:
    if not 0 < start_ns <= MAX_NS:
        return time_fault("start time", start_ns)
    if end_ns == 0 or start_ns <= end_ns <= MAX_NS:
        return ""
    if 0 < end_ns < start_ns:
        return f"the span ends {start_ns - end_ns} ns before it starts"
    return time_fault("end time", end_ns)


def _id_fault(what: str, given: bytes, wanted: int) -> str:
    if not given:
        return f"the {what} is missing"
    if len(given) != wanted:
        return f"the {what} has {len(given)} bytes, not {wanted}"
    return f"the {what} is all zeros"
