"""Bodies that were good once: bytes flipped, cut, doubled and moved, fields rewritten. For as long as one likes:
`python -m tests.conformance.fuzz 300` tries for 300 seconds and says how many bodies it was.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import orjson

from monitoring.decode import LIMITS, decode, spans_of
from monitoring.records import Decoded, Encoding, MalformedPayload, Payload, PayloadTooLarge, Signal, UnsupportedPayload
from tests.conformance import odd_traces
from tests.conformance.bodies import js_batch, js_span, pb_batch, pb_span
from tests.conformance.both_ways import agree
from tests.conformance.poison import VALUES, ZALGO
from tests.monitoring.wire import TRACE

DECLARED = (MalformedPayload, PayloadTooLarge, UnsupportedPayload)
_RECEIVED = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
_EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/s",
    "type": "t",
    "time": "2026-11-21T09:00:00Z",
    "data": {"a": [1]},
}
_TOKENS = [
    *(
        b'"traceId"',
        b'"spans"',
        b"null",
        b"[]",
        b"{}",
        b"NaN",
        b"1e999",
        b'"\\ud800"',
        b"9" * 60,
        b"-1",
        b'"kind"',
        b"true",
    ),
    *(b"\x0a\x00", b"\x12\x00", b"\xff\xff\xff\xff\x07", b"\x80\x80\x00", b"\x4a\x02\x0a\x00", b"\x0b\x0c", b"%C0%A0"),
]

Seed = tuple[Signal, Encoding, bytes, dict[str, str]]


def seeds() -> list[Seed]:
    """Good bodies and bodies with one poison, in every signal and encoding."""
    found: list[Seed] = []
    for given in VALUES.values():
        encoding = Encoding(given.encoding)
        found.append((Signal.TRACES, encoding, given.body(TRACE)[:20_000], {}))
    small_pb = pb_batch(*(pb_span(TRACE, number, name=ZALGO[:20]) for number in range(1, 4)))
    small_js = js_batch(*(js_span(TRACE, number) for number in range(1, 4)))
    for signal in (Signal.TRACES, Signal.LOGS, Signal.METRICS):
        named = small_js.replace(b"Spans", {"traces": b"Spans", "logs": b"Logs", "metrics": b"Metrics"}[signal].title())
        found += [(signal, Encoding.PROTOBUF, small_pb, {}), (signal, Encoding.JSON, named, {})]
    event = orjson.dumps(_EVENT)
    headers = {f"ce-{name}": str(value) for name, value in _EVENT.items() if name != "data"}
    chance = random.Random(1)  # noqa: S311  Repeatable.
    odd = [odd_traces.body(chance) for _ in range(20)]
    return [
        *found,
        *((Signal.TRACES, Encoding.PROTOBUF, one, {}) for one in odd),
        (Signal.EVENTS, Encoding.CLOUDEVENT_STRUCTURED, event, {}),
        (Signal.EVENTS, Encoding.CLOUDEVENT_BATCH, b"[" + event + b"," + event + b"]", {}),
        (Signal.EVENTS, Encoding.CLOUDEVENT_BINARY, b'{"a":1}', {**headers, "content-type": "application/json"}),
    ]


def mutated(body: bytes, rng: random.Random) -> bytes:
    """The body after a few changes."""
    changed = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(_CHANGES)(changed, rng)
    return bytes(changed)


def _flip(body: bytearray, rng: random.Random) -> None:
    if body:
        body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)


def _byte(body: bytearray, rng: random.Random) -> None:
    if body:
        body[rng.randrange(len(body))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x12, 0x4A, 0x22, 0x7B, 0x5D))


def _cut(body: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(body) + 1)
    del body[start : start + rng.choice((1, 2, 8, 64, len(body)))]


def _double(body: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(body) + 1)
    piece = body[start : start + rng.choice((1, 4, 40, 400))]
    body[start:start] = piece * rng.choice((1, 2, 50))


def _insert(body: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(body) + 1)
    body[start:start] = rng.choice(_TOKENS) * rng.choice((1, 1, 3, 200))


_CHANGES: Sequence[Callable[[bytearray, random.Random], None]] = (_flip, _byte, _byte, _cut, _double, _insert)


def tried(seed: Seed, rng: random.Random) -> str:
    """Decode one changed body: what became of it. Anything but records or a declared error is raised."""
    signal, encoding, body, headers = seed
    if headers and rng.random() < 0.5:
        name = rng.choice(sorted(headers))
        headers = {**headers, name: mutated(headers[name].encode("latin-1"), rng).decode("latin-1")}
    payload = Payload(signal, encoding, mutated(body, rng), headers, _RECEIVED)
    if (signal, encoding) == (Signal.TRACES, Encoding.PROTOBUF):
        agree(payload)
    try:
        found = decode(payload)
    except DECLARED as refused:
        if not 0 < len(str(refused)) < 1_000:
            raise AssertionError("a refusal says nothing, or too much") from refused
        return type(refused).__name__
    _check(payload, found)
    return "partly" if found.rejections else "taken"


def _check(payload: Payload, found: Decoded) -> None:
    assert len(found.spans) + len(found.logs) + len(found.events) <= LIMITS.items
    for rejection in found.rejections:
        rejection.reason.encode()
        assert rejection.reason
    for trace_id in {span.trace_id for span in found.spans[:3]}:
        # What is taken can be read again, and reads the same.
        again = spans_of(payload, trace_id)
        assert again == tuple(span for span in found.spans if span.trace_id == trace_id)


def fuzz(seconds: float, seed: int, most: int = sys.maxsize) -> Counter[str]:
    """Try for so long, or so often; how often each thing became of a body."""
    rng = random.Random(seed)  # noqa: S311  The same seed shall change the same bytes.
    given, outcomes = seeds(), Counter[str]()
    end = time.monotonic() + seconds
    while time.monotonic() < end and outcomes.total() < most:
        state = rng.getstate()
        try:
            outcomes[tried(rng.choice(given), rng)] += 1
        except Exception as fault:
            rng.setstate(state)
            signal, encoding, _, _ = rng.choice(given)
            raise AssertionError(f"{signal} {encoding}, seed {seed}, body {outcomes.total()}: {fault!r}") from fault
    return outcomes


if __name__ == "__main__":
    began = int(time.time())
    print(f"seed {began}: {dict(fuzz(float(sys.argv[1]), began))}")  # noqa: T201
