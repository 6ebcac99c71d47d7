"""Compares the ledger with what is there: over the public API, and over SQL as one whom row-level security lets see."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
import zstandard

from bench.campaign.expected import Expected, expected
from bench.campaign.ledger import Told
from bench.campaign.plans import Plan
from bench.campaign.plant import Plant, Tenant
from console import roles
from console.embedded import postgres

_ITEM = re.compile(rb"([0-9a-f]{8}-s\d{3}-\d{7}):(\d{3})")
_COUNTERS = (
    "runs", "failed", "events", "first_attempts", "retries", "successes", "retry_successes", "dead_letters",
    "duration_ms",
)  # fmt: skip


@dataclass(slots=True)
class Verdict:
    """What is not as it must be. Every figure but `indeterminate_stored` must be 0."""

    acked: int = 0
    stored: int = 0
    lost: int = 0
    phantom: int = 0
    misfiled: int = 0
    double: dict[str, int] = field(default_factory=dict)  # by counter: found minus what is stored
    undelivered: int = 0
    wrong_answers: int = 0
    indeterminate_stored: int = 0
    repeated_messages: int = 0  # at least once: allowed, shown
    #: 429 and 503 as the senders saw them, and as the console counted them for its tenants.
    refusals_seen: int = 0
    refusals_written: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def doubled(self) -> int:
        """The sum of all drifts, whatever their sign."""
        return sum(map(abs, self.double.values()))

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not (
            self.lost or self.phantom or self.misfiled or self.doubled or self.undelivered or self.wrong_answers
        )

    def drift(self, counter: str, difference: int, example: str) -> None:
        """Add to a counter's drift."""
        self.double.setdefault(counter, 0)
        if difference:
            self.double[counter] += abs(difference)
            self.note(f"{counter}: {example}")

    def forget(self, counter: str) -> None:
        """Leave a counter out of the verdict."""
        self.double.pop(counter, None)
        self.examples = [example for example in self.examples if not example.startswith(f"{counter}:")]

    def note(self, example: str) -> None:
        """Keep the first few cases for the person who has to find the cause."""
        if len(self.examples) < 30:
            self.examples.append(example)


def check(
    plant: Plant, tenants: Sequence[Tenant], told: Told, received: Mapping[str, int], *, patience_s: float
) -> Verdict:
    """Do the set arithmetic. `received` counts the webhooks' ids.

    What a worker counted that was killed is written down by whoever finds its file: so long it is waited for.
    """
    deadline = time.monotonic() + patience_s
    verdict = Verdict(acked=told.acked_items, wrong_answers=len(told.wrong_answers) + len(told.refused))
    for wrong in (*told.wrong_answers, *(f"{name} was refused: {why}" for name, why in told.refused.items())):
        verdict.note(wrong)
    found = _stored(plant, tenants)
    plans = _match(verdict, told, found)
    figures = expected(plans)
    for number, tenant in enumerate(tenants):
        own = figures.get(number, Expected())
        _check_api(verdict, plant, tenant, own)
        _check_rows(verdict, plant, tenant, own)
        _check_notifications(verdict, plant, tenant, own, received)
        _check_outcomes(verdict, plant, tenant, {sign: told.signs[number, sign] for sign in "ALRU"}, deadline)
    return verdict


def _stored(plant: Plant, tenants: Sequence[Tenant]) -> dict[tuple[str, int], Counter[int]]:
    """How often each item stands in the intake log, by stamp and tenant."""
    numbers = {tenant.id: number for number, tenant in enumerate(tenants)}
    found: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
    for tenant_id, body, compression, headers in _log(plant):
        text = _plain(body, compression) + json.dumps(headers).encode()
        for stamp, item in _ITEM.findall(text):
            found[stamp.decode(), numbers[tenant_id]][int(item)] += 1
    return found


def _log(plant: Plant) -> Iterator[tuple[Any, ...]]:
    parameters = postgres.connection(plant.home, postgres.ADMIN)
    with roles.connect(parameters) as connection:
        connection.autocommit = False
        with connection.cursor("log") as cursor:
            assert isinstance(cursor, psycopg.ServerCursor)
            cursor.itersize = 500
            cursor.execute("SELECT tenant_id, body, compression, headers FROM monitoring_intake")
            yield from cursor


def _plain(body: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.decompress(body)
    return zstandard.ZstdDecompressor().decompressobj().decompress(body) if compression == "zstd" else bytes(body)


def _match(verdict: Verdict, told: Told, found: Mapping[tuple[str, int], Counter[int]]) -> list[Plan]:
    """Hold the log against the ledger; return the plans that are stored."""
    stamps = {plan.stamp for plan in told.plans.values()}
    known = {(plan.stamp, plan.tenant): plan for plan in told.plans.values()}
    stored = []
    for place, items in found.items():
        plan = known.get(place)
        if plan is None:
            verdict.misfiled += len(items) if place[0] in stamps else 0
            verdict.phantom += len(items) if place[0] not in stamps else 0
            verdict.note(f"{place[0]} under tenant {place[1]}, who did not send it")
            continue
        stored.append(plan)
        verdict.stored += len(items) - plan.rejected
        verdict.drift("log rows", sum(items.values()) - len(items), f"{plan.id} is kept more than once")
        verdict.phantom += max(0, len(items) - plan.items)
        if plan.id in told.acked:
            verdict.lost += max(0, plan.items - len(items))
        elif told.unsure.get(plan.id) or plan.id in told.given_up:
            verdict.indeterminate_stored += len(items)
    for name in told.acked:
        plan = told.plans[name]
        if (plan.stamp, plan.tenant) not in found:
            verdict.lost += plan.items - plan.rejected
            verdict.note(f"{name} ({plan.kind}) was acknowledged and is not there")
    return stored


def _check_api(verdict: Verdict, plant: Plant, tenant: Tenant, own: Expected) -> None:
    """What anyone with the tenant's token reads."""
    runs = {
        run["trace_id"]: (run["span_count"], run["attempts"], run["retries"], run["dead_letters"])
        for run in _listed(plant, tenant, "runs/")
    }
    _same_set(verdict, "runs", set(runs), set(own.runs))
    for place, name in enumerate(("span count", "attempts of runs", "retries of runs", "dead letters of runs")):
        for trace_id in runs.keys() & own.runs.keys():
            difference = runs[trace_id][place] - own.runs[trace_id][place]
            verdict.drift(name, difference, f"{trace_id} has {runs[trace_id]}, sent {own.runs[trace_id]}")
    _same_set(verdict, "events", [event["event_id"] for event in _listed(plant, tenant, "events/")], own.events)
    _same_set(verdict, "dead letters", [row["unit_id"] for row in _listed(plant, tenant, "dead-letters/")],
              own.dead_letters)  # fmt: skip
    alerts = list(_listed(plant, tenant, "alerts/?kind=dead_letter"))
    verdict.drift("alerts", len(alerts) - len(own.alerts), f"{tenant.name} has {len(alerts)} of {len(own.alerts)}")
    counted, wanted = sum(alert["count"] for alert in alerts), own.alerts.total()
    verdict.drift("alert counts", counted - wanted, f"{tenant.name} counts {counted} of {wanted}")


def _check_rows(verdict: Verdict, plant: Plant, tenant: Tenant, own: Expected) -> None:
    """Counters by minute and what has no list of its own."""
    columns = ", ".join(f"sum({name})::bigint" for name in _COUNTERS)
    statement = f"SELECT minute, {columns} FROM monitoring_workflowminute WHERE tenant_id = %s GROUP BY minute"
    found: Counter[Any] = Counter()
    for minute, *sums in plant.rows(statement, [tenant.id]):
        found.update({(minute, name): figure for name, figure in zip(_COUNTERS, sums, strict=True)})
    for minute, name in {*found, *own.minutes}:
        have, wanted = found[minute, name], own.minutes[minute, name]
        verdict.drift(f"by minute: {name}", have - wanted, f"{tenant.name} {minute:%H:%M} has {have}, sent {wanted}")
    statement = "SELECT count(*), sum(items)::int, sum(rejected)::int FROM monitoring_intake WHERE tenant_id = %s"
    kept, names = plant.rows(statement, [tenant.id])[0], ("requests", "items", "rejected")
    for name, said, wanted in zip(names, kept, (own.requests, own.items, own.rejected), strict=True):
        verdict.drift(f"in the log: {name}", (said or 0) - wanted, f"{tenant.name} has {said}, sent {wanted}")
    attempts = plant.rows("SELECT count(*) FROM monitoring_attempt WHERE tenant_id = %s", [tenant.id])[0][0]
    verdict.drift("attempts", attempts - own.attempts, f"{tenant.name} has {attempts}, sent {own.attempts}")


def _check_notifications(
    verdict: Verdict, plant: Plant, tenant: Tenant, own: Expected, received: Mapping[str, int]
) -> None:
    """One line for each alert, delivered at least once under one id."""
    rows = plant.rows("SELECT message_id, state FROM monitoring_notification WHERE tenant_id = %s AND state <> "
                      "'suppressed' AND event = 'raised'", [tenant.id])  # fmt: skip
    verdict.drift("notifications", len(rows) - len(own.alerts), f"{tenant.name}: {len(rows)} of {len(own.alerts)}")
    for message_id, state in rows:
        if state != "delivered" or not received.get(message_id):
            verdict.undelivered += 1
            verdict.note(f"{message_id} is {state}, received {received.get(message_id, 0)} times")
        verdict.repeated_messages += max(0, received.get(message_id, 0) - 1)


def _check_outcomes(verdict: Verdict, plant: Plant, tenant: Tenant, seen: Mapping[str, int], deadline: float) -> None:
    """Every answer that a sender saw was counted before, once; what it did not see may have been counted.

    A refusal without a known sender (the database could not say whose the key is) is nobody's, so those have no least.
    """
    statement = "SELECT status = 200, sum(requests)::int FROM monitoring_intakeoutcome WHERE tenant_id = %s GROUP BY 1"
    while (counted := dict(plant.rows(statement, [tenant.id]))).get(True, 0) < seen["A"]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    accepted, refused = counted.get(True, 0), counted.get(False, 0)
    told = f"{tenant.name} counts {accepted} accepted and {refused} refused; seen were {dict(seen)}"
    verdict.drift("outcomes: accepted", _outside(accepted, seen["A"], seen["A"] + seen["U"]), told)
    verdict.drift("outcomes: refused", _outside(refused, 0, seen["L"] + seen["R"] + seen["U"]), told)
    verdict.refusals_seen += seen["L"] + seen["R"]
    verdict.refusals_written += refused


def _outside(figure: int, least: int, most: int) -> int:
    return max(0, least - figure, figure - most)


def _same_set(verdict: Verdict, name: str, found: Any, wanted: set[str]) -> None:
    counted = Counter(found)
    twice = sum(count - 1 for count in counted.values())
    missing, more = wanted - counted.keys(), counted.keys() - wanted
    verdict.drift(name, twice + len(missing) + len(more), f"missing {sorted(missing)[:3]}, more {sorted(more)[:3]}")


def _listed(plant: Plant, tenant: Tenant, path: str) -> Iterator[dict[str, Any]]:
    """All rows of a list of the API, page by page."""
    connection = http.client.HTTPConnection("127.0.0.1", plant.port, timeout=60)
    sign = "&" if "?" in path else "?"
    address: str | None = f"/api/v1/{path}" + f"{sign}page_size=200"
    while address:
        connection.request("GET", address, headers={"Authorization": f"Bearer {tenant.token}"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{address} answered {answer.status}: {body}")
        yield from body["results"]
        following = urlsplit(body["next"] or "")
        address = f"{following.path}?{following.query}" if body["next"] else None
    connection.close()
