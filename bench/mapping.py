"""What understanding costs: µs per span for a 512-span request, with none, twelve and fifty mapping rules."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from bench.table import Figure, show
from monitoring.mapping import VerdictCache, map_decoded
from monitoring.records import Decoded, SpanKind, SpanRecord, StatusCode
from monitoring.rules import Catalogue, KeyRule, Rule
from monitoring.sources.registry import read_trace

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
START_NS = 1_795_250_000_000_000_000
SPANS, TRACES = 512, 43


def request(*, messaging: bool) -> Decoded:
    """Traces of a dozen spans of two services, ten attributes each, one order each; every third is a consumer."""
    resources = [
        {"service.name": name, "service.version": "1.4", "host.name": "plant-a-7"} for name in ("erp-bridge", "mes-api")
    ]
    spans = []
    for number in range(SPANS):
        trace, place = number % TRACES, number // TRACES
        attributes = {f"app.field.{field}": "value" for field in range(7)}
        attributes |= {"order.id": str(4000 + trace), "http.route": "/orders/{id}/release", "http.method": "POST"}
        if messaging and place % 3 == 2:
            attributes |= {
                "messaging.system": "rabbitmq",
                "messaging.operation.name": "process",
                "messaging.destination.name": "erp.orders",
                "messaging.message.id": f"m-{number}",
            }
        spans.append(
            SpanRecord(
                trace_id=trace.to_bytes(16, "big"),
                span_id=(number + 1).to_bytes(8, "big"),
                parent_span_id=(trace + 1).to_bytes(8, "big") if place else None,
                name="release order" if place else "POST /orders/{id}/release",
                kind=SpanKind.CONSUMER if messaging and place % 3 == 2 else SpanKind.SERVER,
                start_ns=START_NS + number * 1_000_000,
                end_ns=START_NS + number * 1_000_000 + 400_000,
                status=StatusCode.UNSET,
                resource=resources[place % 2],
                attributes=attributes,
            )
        )
    return Decoded(spans=tuple(spans))


def catalogue(rules: int, *, keys: tuple[KeyRule, ...] = ()) -> Catalogue:
    """A catalogue whose last rule holds, so that a miss costs every expression."""
    made = tuple(
        Rule(
            id=number,
            position=number,
            name=f"rule {number}",
            condition=f'resource["service.name"] == "{"erp-bridge" if number == rules else f"svc-{number}"}"'
            ' && span["http.route"].startsWith("/orders")',
            process_id=number,
            keys=keys,
        )
        for number in range(1, rules + 1)
    )
    return Catalogue(tenant_id=1, version=1, rules=made)


def microseconds(work: Callable[[], object], times: int = 40) -> float:
    """The median time of one call in µs, the collector off so that it doesn't strike one of the variants."""
    work()
    gc.disable()
    taken = []
    for _ in range(times):
        begin = time.perf_counter_ns()
        work()
        taken.append((time.perf_counter_ns() - begin) / 1_000)
    gc.enable()
    return statistics.median(taken)


def main() -> list[Figure]:
    """Measure mapping with few and many rules, and what a remembered verdict saves."""
    figures = []
    plain, mixed = request(messaging=False), request(messaging=True)
    for label, decoded in (("HTTP spans", plain), ("a third messaging", mixed)):
        for rules in (0, 12, 50):
            taken, cache = catalogue(rules), VerdictCache()
            spent = microseconds(partial(map_decoded, decoded, taken, NOW, cache)) / SPANS
            figures.append(Figure("mapping", f"{label}, {rules} rules", spent, "µs/span"))
    keyed, cache = catalogue(12, keys=(KeyRule("plant", "app.field.3"),)), VerdictCache()
    spent = microseconds(lambda: map_decoded(mixed, keyed, NOW, cache)) / SPANS
    figures.append(Figure("mapping", "a third messaging, 12 rules, a key rule", spent, "µs/span"))
    traces: dict[bytes, list[SpanRecord]] = {}
    for span in mixed.spans:
        traces.setdefault(span.trace_id, []).append(span)
    spent = microseconds(lambda: [read_trace(spans) for spans in traces.values()]) / SPANS
    figures.append(Figure("mapping", "the dialects' part of it", spent, "µs/span"))
    book = VerdictCache().book(catalogue(50))
    entry = plain.spans[0]
    anew = microseconds(lambda: book._judge_span_values(("erp-bridge", "/orders/{id}/release")))
    remembered = microseconds(lambda: [book.for_span(entry) for _ in range(1000)]) / 1000
    return [
        *figures,
        Figure("mapping", "verdict of 50 rules, judged anew", anew, "µs"),
        Figure("mapping", "verdict of 50 rules, remembered", remembered, "µs", "anew", remembered / anew),
    ]


if __name__ == "__main__":
    show(main())
