"""The telemetry that benchmarks send: built once from a fixed seed, then filled with fresh ids and times.

Every request differs from every other, for a repeat would be recognised and cost nothing. A batch is three requests of
512 spans, 128 traces of twelve: two of its traces are split over two requests.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.flows import AGAIN, CALL, CLIENT, CONSUMER, FLOWS, SERVICES, SPANS_IN_TRACE, Step

SEED = 20261121
SPANS = 512
REQUESTS_IN_BATCH = 3
TRACES_IN_BATCH = SPANS * REQUESTS_IN_BATCH // SPANS_IN_TRACE
#: What SDKs and collectors use by default is 6 or 9.
GZIP_LEVEL = 6
_TEMPLATES = 16
#: Shares of traces: of the spans about four in a hundred are failures, second tries or dead letters.
_RETRIED, _FAILED, _DEAD = 0.16, 0.07, 0.01
_HOLE = re.compile(rb"~~(?:T\d{13}|[SBE]\d{5}|O\d{4}|M\d{29})")
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests, packed with gzip, and the ids of the traces they tell of."""

    bodies: tuple[bytes, ...]
    traces: tuple[bytes, ...]
    raw_size: int


@dataclass(slots=True)
class _Template:
    """A serialized request cut at its holes: `parts` alternates between what stays and what is filled in."""

    parts: list[bytes]
    identifiers: list[tuple[int, int, int]]  # place in parts, from and to in the random bytes
    orders: list[tuple[int, int]]  # place in parts, number of the trace
    messages: list[tuple[int, int]]
    moments: list[tuple[int, int]]  # place in parts, nanoseconds after the batch began


class Source:
    """Gives batches without end; two sources of the same seed give the same ids. `digest` names the templates."""

    def __init__(self, seed: int = SEED, *, level: int = GZIP_LEVEL) -> None:
        built = random.Random(SEED)
        made = [_build(built) for _ in range(_TEMPLATES)]
        self.digest = hashlib.sha256(b"".join(body for bodies, _ in made for body in bodies)).hexdigest()
        self._templates = [[_cut(body, moments) for body in bodies] for bodies, moments in made]
        self._chance = random.Random(seed)
        self._level = level
        self._number = 0

    def batch(self, now: Callable[[], int] = time.time_ns) -> Batch:
        """Return the next three requests; their spans end at about `now` (nanoseconds since 1970)."""
        templates = self._templates[self._number % _TEMPLATES]
        self._number += 1
        chance, began = self._chance, now() - 3_000 * _MS
        blob = chance.randbytes(TRACES_IN_BATCH * 16 + REQUESTS_IN_BATCH * SPANS * 8)
        words = chance.randbytes(TRACES_IN_BATCH * 16).hex().encode()
        bodies = [_filled(template, blob, words, began) for template in templates]
        traces = tuple(blob[start : start + 16] for start in range(0, TRACES_IN_BATCH * 16, 16))
        packed = tuple(gzip.compress(body, self._level, mtime=0) for body in bodies)
        return Batch(packed, traces, sum(map(len, bodies)))

    def batches(self, count: int) -> Iterator[Batch]:
        """Yield so many batches."""
        return (self.batch() for _ in range(count))


def requests(count: int) -> list[bytes]:
    """Return so many packed requests; the same traces, other ids each time of asking."""
    source = Source(time.time_ns())
    found = [body for batch in source.batches(-(-count // REQUESTS_IN_BATCH)) for body in batch.bodies]
    return found[:count]


def _filled(template: _Template, blob: bytes, words: bytes, began: int) -> bytes:
    parts = template.parts
    for place, start, stop in template.identifiers:
        parts[place] = blob[start:stop]
    for place, trace in template.orders:
        parts[place] = b"%07d" % (int.from_bytes(blob[trace * 16 : trace * 16 + 4]) % 10_000_000)
    for place, trace in template.messages:
        parts[place] = words[trace * 32 : trace * 32 + 32]
    for place, after in template.moments:
        parts[place] = (began + after).to_bytes(8, "little")
    return b"".join(parts)


def _cut(body: bytes, moments: Sequence[tuple[int, int]]) -> _Template:
    template = _Template([], [], [], [], [])
    end = 0
    for hole in _HOLE.finditer(body):
        template.parts += [body[end : hole.start()], hole[0]]
        end = hole.end()
        place, kind, number = len(template.parts) - 1, hole[0][2:3], int(hole[0][3:])
        if kind == b"T":
            template.identifiers.append((place, number * 16, number * 16 + 16))
        elif kind == b"S":
            start = TRACES_IN_BATCH * 16 + number * 8
            template.identifiers.append((place, start, start + 8))
        elif kind == b"O":
            template.orders.append((place, number))
        elif kind == b"M":
            template.messages.append((place, number))
        else:
            template.moments.append((place, moments[number][kind == b"E"]))
    template.parts.append(body[end:])
    return template


def _build(chance: random.Random) -> tuple[list[bytes], list[tuple[int, int]]]:
    """Three serialized requests with their holes, and begin and end of each span in ns after the batch began."""
    moments: list[tuple[int, int]] = []
    spans = [step for trace in range(TRACES_IN_BATCH) for step in _trace(trace, chance, moments)]
    bodies = [_request(spans[start : start + SPANS]) for start in range(0, len(spans), SPANS)]
    return bodies, moments


def _request(spans: Sequence[tuple[str, dict[str, Any]]]) -> bytes:
    request = ExportTraceServiceRequest()
    for service in SERVICES:
        group = request.resource_spans.add()
        resource = {
            "service.name": service,
            "service.version": "2.4.1",
            "service.instance.id": f"{service}-5d9c7b6f4-x2x9q",
            "host.name": "ulm-07",
            "deployment.environment.name": "production",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": "1.38.0",
        }
        _describe(group.resource.attributes, resource)
        scope = group.scope_spans.add()
        scope.scope.name, scope.scope.version = "plant.automation", "3.1.0"
        for owner, fields in spans:
            if owner == service:
                attributes, events = fields["attributes"], fields["events"]
                span = scope.spans.add(**{name: fields[name] for name in fields.keys() - {"attributes", "events"}})
                _describe(span.attributes, attributes)
                for event, said in events:
                    noted = span.events.add(name=event, time_unix_nano=span.end_time_unix_nano)
                    _describe(noted.attributes, said)
    return request.SerializeToString()


def _trace(number: int, chance: random.Random, moments: list[tuple[int, int]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The spans of one trace, with holes where ids, times and keys go."""
    flow = FLOWS[chance.randrange(len(FLOWS))]
    luck = chance.random()
    fate = "dead" if luck < _DEAD else "failed" if luck < _DEAD + _FAILED else ""
    fate = fate or ("retried" if luck < _DEAD + _FAILED + _RETRIED else "")
    first, at = number * SPANS_IN_TRACE, chance.randrange(1_500 * _MS)
    consumer = max(place for place, step in enumerate(flow) if step.kind == CONSUMER)
    for place, planned in enumerate(flow):
        step = _second_try(flow[CALL]) if fate == "retried" and place == AGAIN else planned
        at += chance.randrange(_MS, 12 * _MS)
        moments.append((at, at + chance.randrange(_MS, 90 * _MS)))
        span = first + place
        texts = {"{order}": f"~~O{number:04}", "{message}": f"~~M{number:029}"}
        fields: dict[str, Any] = {
            "trace_id": f"~~T{number:013}".encode(),
            "span_id": f"~~S{span:05}".encode(),
            "parent_span_id": f"~~S{first + step.parent:05}".encode() if step.parent >= 0 else b"",
            "name": step.name,
            "kind": step.kind,
            "start_time_unix_nano": int.from_bytes(f"~~B{span:05}".encode(), "little"),
            "end_time_unix_nano": int.from_bytes(f"~~E{span:05}".encode(), "little"),
            "attributes": {name: _told(name, value, texts, chance) for name, value in step.attributes.items()},
            "events": [],
        }
        _suffer(fields, fate, call=place == CALL, consumer=place == consumer)
        yield step.service, fields


def _second_try(call: Step) -> Step:
    return Step(call.service, call.name, CLIENT, call.parent, {**call.attributes, "http.request.resend_count": 1})


def _suffer(fields: dict[str, Any], fate: str, *, call: bool, consumer: bool) -> None:
    """What a failed call, and a consumer that gives up because of it, say."""
    if fate and call:
        fields["attributes"] |= {"http.response.status_code": 503, "error.type": "503"}
        fields["status"] = {"code": 2, "message": "Service Unavailable"}
    if fate in {"failed", "dead"} and consumer:
        said = {"exception.type": "TimeoutError", "exception.message": "The controller did not answer within 30 s"}
        fields["attributes"] |= {"error.type": "TimeoutError"}
        fields["status"] = {"code": 2, "message": said["exception.message"]}
        fields["events"].append(("exception", said))
        if fate == "dead":
            queue = f"{fields['attributes']['messaging.destination.name']}.dlq"
            fields["events"].append(("message.dead_lettered", {"messaging.destination.name": queue}))


def _told(name: str, value: str | int, texts: dict[str, str], chance: random.Random) -> str | int:
    if isinstance(value, str):
        for hole, text in texts.items():
            value = value.replace(hole, text)
        return value
    # Thread ids are addresses; sizes and tags are small.
    return value or chance.randrange(1, 2**46 if name == "thread.id" else 5_000)


def _describe(target: Any, values: Mapping[str, str | int]) -> None:
    for name, value in values.items():
        pair = target.add(key=name)
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value
