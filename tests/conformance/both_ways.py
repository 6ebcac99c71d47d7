"""Traces in protobuf are read by compiled code or by Python: what each makes of the same body."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from monitoring.decode import LIMITS, Limits, decode, native, spans_of
from monitoring.records import MalformedPayload, Payload, PayloadTooLarge

compiled = pytest.mark.skipif(bool(native.ABSENT), reason=f"not compiled: {native.ABSENT}")


@contextmanager
def in_python() -> Iterator[None]:
    """Read as where nothing could be compiled."""
    before = native.ABSENT
    native.ABSENT = "a test asks for Python"
    try:
        yield
    finally:
        native.ABSENT = before


def outcome(payload: Payload, limits: Limits = LIMITS) -> tuple[object, str]:
    """What decoding ends in. Its repr tells True from 1 and one order of keys from another."""
    try:
        found = decode(payload, limits)
    except (MalformedPayload, PayloadTooLarge) as refused:
        return type(refused), str(refused)
    return found, repr(found)


def agree(payload: Payload, limits: Limits = LIMITS) -> None:
    """Fail unless both make the same of the body, and of each of its traces."""
    compiled_outcome = outcome(payload, limits)
    with in_python():
        python_outcome = outcome(payload, limits)
    assert compiled_outcome == python_outcome
    if isinstance(compiled_outcome[0], type):
        return
    for trace_id in {span.trace_id for span in decode(payload, limits).spans[:3]}:
        found = spans_of(payload, trace_id)
        with in_python():
            assert repr(found) == repr(spans_of(payload, trace_id))
