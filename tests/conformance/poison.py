"""Hostile values: each one stands in a batch of 100 good spans or events, which must all be taken.

`rejected` is nought where a value can be repaired without changing what the item means (a NUL becomes U+FFFD) or is
merely odd; those are kept.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.conformance.bodies import JSON, PROTOBUF, START, js_batch, js_pairs, js_span, pb_batch, pb_field, pb_span
from tests.monitoring.wire import length_delimited, wire

GOOD = 100


@dataclass(frozen=True, slots=True)
class Poison:
    """One span among 100 good ones. `body` takes their trace; `words` stand in the answer where it is rejected."""

    body: Callable[[bytes], bytes]
    words: str = ""
    rejected: int = 1
    encoding: str = PROTOBUF


def pb(words: str = "", /, *, raw: bytes = b"", **changes: Any) -> Poison:
    """A protobuf span with these fields, and raw ones behind them; without words it is kept."""

    def body(trace: bytes) -> bytes:
        bad = wire(pb_span(**{"trace": trace, "number": 500, **changes})) + raw
        half = GOOD // 2
        good = [pb_span(trace, number + 1) for number in range(GOOD)]
        return pb_batch(*good[:half], bad, *good[half:])

    return Poison(body, words, int(bool(words)))


def js(words: str = "", /, *, put: tuple[str, str] | None = None, **changes: object) -> Poison:
    """A JSON span with these members; `put` replaces a quoted placeholder with JSON that Python would not write."""

    def body(trace: bytes) -> bytes:
        good = [js_span(trace, number + 1) for number in range(GOOD)]
        half = GOOD // 2
        found = js_batch(*good[:half], js_span(trace, 500, **changes), *good[half:])
        return found.replace(put[0].encode(), put[1].encode()) if put else found

    return Poison(body, words, int(bool(words)), JSON)


def _valued(value: dict[str, object], words: str = "", put: tuple[str, str] | None = None) -> Poison:
    return js(words, put=put, attributes=js_pairs(k=value))


def _naughty() -> list[str]:
    """A text for each kind of trouble that texts make: every control, separator and format character, and more."""
    kinds = ("Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cn")
    found = {
        kind: [chr(point) for point in range(0x3000) if unicodedata.category(chr(point)) == kind] for kind in kinds
    }
    texts = [f"a{character}b" for characters in found.values() for character in characters[:60]]
    texts += ["'; DROP TABLE monitoring_run;--", "<script>alert(1)</script>", "{{7*7}}", "%(x)s", "${jndi:ldap://x}"]
    texts += [
        "../../etc/passwd",
        "\\x00",
        "null",
        "undefined",
        "NaN",
        "-1",
        "1e400",
        "0x10",
        "١٢٣",
        "Ⅷ",
        "=cmd|' /C'!A0",
    ]
    texts += [
        "\U0001d57f\U0001d58a\U0001d59d\U0001d599",
        "👩\u200d👩\u200d👧",
        "🏳\ufe0f\u200d🌈",
        "ﷺ",
        "ß",
        "\u0131",
        "İ",
        "ǅ",
        "\u202etxt.exe",
        "a" + "\u0301" * 50,
    ]
    return texts + [chr(0x1F300 + number) * 3 for number in range(515 - len(texts))]


#: 64 kB of one letter and marks upon it.
ZALGO = "Z" + "\u0301\u0316\u0334" * 10_667
NAUGHTY = _naughty()

VALUES: dict[str, Poison] = {
    "nul-in-name": pb(name="a\x00b"),
    "nul-in-name-json": js(name="a\x00b"),
    "u0000-in-jsonb": _valued({"stringValue": "a\x00b"}),
    "u0000-in-key": js(attributes=[{"key": "a\x00b", "value": {"stringValue": "x"}}]),
    "lone-surrogate": js(name="HERE", put=("HERE", r"\ud800")),
    "invalid-utf8-string": pb("can't be parsed", raw=length_delimited(5, b"\xff\xfe")),
    "invalid-utf8-attribute": pb("can't be parsed", raw=length_delimited(9, length_delimited(1, b"\xc0\xa0"))),
    "NaN": _valued({"doubleValue": "HERE"}, put=('"HERE"', "NaN")),
    "Infinity": _valued({"doubleValue": "HERE"}, put=('"HERE"', "-Infinity")),
    "1e999": _valued({"doubleValue": "HERE"}, put=('"HERE"', "1e999")),
    "NaN-protobuf": pb(attributes=[{"key": "k", "value": AnyValue(double_value=float("nan"))}]),
    "duplicate-json-key": js(name="first", put=('"first"', '"first", "name": "second"')),
    "two-oneof-members": _valued({"stringValue": "a", "intValue": "1"}, "given twice"),
    "two-oneof-members-protobuf": pb(
        raw=length_delimited(
            9, length_delimited(1, b"k") + length_delimited(2, length_delimited(1, b"a") + b"\x18\x05")
        )
    ),
    "traceid-zero": pb("the trace id is all zeros", trace=bytes(16)),
    "traceid-15-bytes": pb("the trace id has 15 bytes, not 16", trace=b"x" * 15),
    "traceid-17-bytes": pb("the trace id has 17 bytes, not 16", trace=b"x" * 17),
    "traceid-missing": pb("the trace id is missing", trace=b""),
    "traceid-non-hex": js("not hexadecimal", traceId="xyz" * 10 + "xy"),
    "traceid-base64": js("not hexadecimal", traceId="S/kvNXezTaajzpKdDg5HNg=="),
    "traceid-number": js("not hexadecimal", traceId=12),
    "spanid-zero": pb("the span id is all zeros", span_id=bytes(8)),
    "spanid-4-bytes": pb("the span id has 4 bytes, not 8", span_id=b"1234"),
    "parentid-3-bytes": pb("the parent span id has 3 bytes, not 8", parent_span_id=b"123"),
    "snake_case-keys": js("the trace id is missing", traceId=..., trace_id="ab" * 16),
    "enum-name": js("kind", kind="SPAN_KIND_SERVER"),
    "enum-99": js(kind=99),
    "enum-99-protobuf": pb(raw=pb_field(6, 99)),
    "time-2^64-1": pb("outside the years", start_time_unix_nano=2**64 - 1, end_time_unix_nano=2**64 - 1),
    "time-negative": js("outside the years", startTimeUnixNano="-5"),
    "time-2^64": js("outside the years", startTimeUnixNano=str(2**64)),
    "end-before-start": pb("ends 10 ns before it starts", end_time_unix_nano=START - 10),
    "time-0": pb("the start time is missing", start_time_unix_nano=0),
    "year-2262": pb("outside the years", start_time_unix_nano=2**63 - 1, end_time_unix_nano=2**63 - 1),
    "uint64-as-float-1.5": js("startTimeUnixNano", startTimeUnixNano=1.5),
    "int64-as-float-1.5": _valued({"intValue": 1.5}, "not a whole number"),
    "self-parent-span": pb(parent_span_id=(500).to_bytes(8, "big")),
    "rtl-override-and-homoglyph-owner": pb(name="\u202e\u043ewner\u202c of \u0440ayments"),
    "zalgo-64kB": pb(name=ZALGO),
    "naughty-515": pb(attributes=[{"key": f"k{n}", "value": AnyValue(string_value=t)} for n, t in enumerate(NAUGHTY)]),
    "naughty-515-json": js(attributes=[{"key": t, "value": {"stringValue": t}} for t in NAUGHTY]),
    "attributes-no-list": js("attributes is not an array", attributes={}),
}
