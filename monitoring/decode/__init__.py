"""From a payload to records: one pure function for every signal and encoding that Andon speaks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitoring.records import Decoded, Encoding, Payload, Signal, UnsupportedPayload

from . import native
from .cloudevents import decode_events
from .limits import LIMITS, Limits
from .otlp_json import decode_json
from .otlp_protobuf import decode_protobuf
from .spans_of import spans_of

__all__ = ["LIMITS", "Limits", "decode", "is_slow", "spans_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENT_ENCODINGS = (Encoding.CLOUDEVENT_BINARY, Encoding.CLOUDEVENT_STRUCTURED, Encoding.CLOUDEVENT_BATCH)


def is_slow(payload: Payload, limits: Limits = LIMITS) -> bool:
    """Whether this takes many times as long to read as its size says, mostly to find out what is wrong with it."""
    is_compiled = payload.signal is Signal.TRACES and payload.encoding is Encoding.PROTOBUF
    return is_compiled and native.is_left_to_python(payload.body, limits)


def decode(payload: Payload, limits: Limits = LIMITS) -> Decoded:
    """Everything the payload says; the same payload always decodes to the same records.

    Raises MalformedPayload if the body as a whole can't be read and PayloadTooLarge if it holds more than `limits`
    allow. An item that can't be kept stands in `rejections`, and the others are taken.
    """
    if payload.signal is Signal.EVENTS and payload.encoding in _EVENT_ENCODINGS:
        return decode_events(payload, limits)
    received_ns = (payload.received_at - _EPOCH) // timedelta(microseconds=1) * 1000
    if payload.signal is not Signal.EVENTS and payload.encoding is Encoding.PROTOBUF:
        return decode_protobuf(payload.signal, payload.body, received_ns, limits)
    if payload.signal is not Signal.EVENTS and payload.encoding is Encoding.JSON:
        return decode_json(payload.signal, payload.body, received_ns, limits)
    raise UnsupportedPayload(f"{payload.signal} can't be read as {payload.encoding}; send OTLP or CloudEvents.")
