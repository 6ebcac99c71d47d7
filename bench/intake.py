"""Intake over HTTP with everything on, beside other consoles and beside the limits of the machine, turn by turn."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from bench.andon import Andon
from bench.database import Database
from bench.generator import percentile
from bench.measures import memory
from bench.outcome import Options, Outcome
from bench.payloads import GZIP_LEVEL, SPANS
from bench.peers.copying import Copying
from bench.peers.dropping import Dropping
from bench.peers.mlflow import MLFLOW
from bench.peers.phoenix import PHOENIX
from bench.peers.serving import Peer, Unavailable
from bench.rounds import Loads, Series, alternate, ratio, turn
from bench.system import System
from bench.table import Figure

CONNECTIONS = 32
#: Requests of 512 spans in one turn: in earnest, in the quick form, and of a peer that takes a few hundred spans/s.
REQUESTS, _QUICK_REQUESTS, _SLOW_REQUESTS = 480, 60, 9
_QUICK_ROUNDS, _SLOW_ROUNDS = 3, 3
_KEYS = {"Phoenix": "phoenix", "MLflow": "mlflow", "COPY": "copy"}


def main(options: Options) -> Outcome:
    """Measure. The quick form takes a minute and leaves the other consoles out: it is to steer by."""
    with Database() as database, ExitStack() as started:
        loads = Loads(database.home)
        andon = Andon(database, "bench", connections=CONNECTIONS)
        started.callback(andon.stop)
        about = {"payloads_sha256": loads.source.digest, "gzip_level": GZIP_LEVEL, "postgresql": database.settings()}
        print(f"payloads: SHA-256 {loads.source.digest}, {SPANS} spans a request, gzip level {GZIP_LEVEL}")
        print("PostgreSQL for all:", ", ".join(f"{name}={value}" for name, value in database.settings().items()))
        sides: list[System] = [andon, Copying(database), Dropping()]
        if options.quick:
            shares = dict.fromkeys(sides, _QUICK_REQUESTS)
            series = alternate(shares, loads, database, rounds=_QUICK_ROUNDS, patience_s=options.patience_s)
        else:
            about["connections"] = _try_connections(andon, loads, database, options.patience_s)
            slow = _peers(database, started)
            shares = {**dict.fromkeys(sides, REQUESTS), **dict.fromkeys(slow, _SLOW_REQUESTS)}
            few = dict.fromkeys(slow, min(_SLOW_ROUNDS, options.rounds))
            series = alternate(shares, loads, database, rounds=options.rounds, few=few, patience_s=options.patience_s)
        found = _rates(series)
        found.add(_costs(series))
        found.add(_memory(andon))
        found.about |= about
        return found


def _peers(database: Database, started: ExitStack) -> list[System]:
    found: list[System] = []
    for recipe in (MLFLOW, PHOENIX):
        try:
            peer = Peer(recipe, database, connections=CONNECTIONS)
            started.callback(peer.stop)
            found.append(peer)
        except Unavailable as error:
            print(f"{recipe.name} is left out: {error}")
    return found


def _try_connections(andon: Andon, loads: Loads, database: Database, patience_s: float) -> Mapping[str, float]:
    """One turn with each number of connections, after a warm-up; Andon keeps the best."""
    turn(andon, loads.make(REQUESTS), database, patience_s=patience_s)
    rates: dict[int, float] = {}
    for number in (8, 16, 32):
        andon.connections = number
        rates[number] = turn(andon, loads.make(REQUESTS), database, patience_s=patience_s).rate
        print(f"  {number} connections: {rates[number]:,.0f} spans/s", flush=True)
    andon.connections = max(rates, key=lambda number: rates[number])
    return {f"{number} connections, spans/s": rate for number, rate in rates.items()}


def _rates(series: Mapping[str, Series]) -> Outcome:
    """Spans a second until they can be read by SQL, and Andon's share of each other system's."""
    andon = series["Andon"]
    waits = [wait * 1e3 for each in andon.rounds for wait in each.latencies]
    found = Outcome([
        Figure("intake", "Andon over HTTP, until queryable", andon.rate(), "spans/s"),
        Figure("intake", "send to answer, p50", percentile(waits, 0.5), "ms"),
        Figure("intake", "send to answer, p99", percentile(waits, 0.99), "ms"),
        Figure("intake", "told to come again", sum(each.put_off for each in andon.rounds), "requests"),
    ])  # fmt: skip
    for name, other in series.items():
        if other is andon or not other.rounds:
            continue
        compared = ratio(andon, other)
        beside = f"beside {name} ({compared.low:.3g} to {compared.high:.3g})"
        found.figures.append(Figure("intake", beside, other.rate(), "spans/s", name, compared.median))
        if name in _KEYS:
            found.reached[_KEYS[name]] = compared.median
    return found


def _costs(series: Mapping[str, Series]) -> Outcome:
    """Processor time and bytes a span."""
    andon = series["Andon"]
    both = andon.server_cpu() + andon.cpu("database")
    found = Outcome(reached={"cpu": both, "disk": andon.disk() / andon.packed()})
    found.figures.append(Figure("intake", "Andon: CPU of server and database", both, "µs/span"))
    for name in sorted({name for each in andon.rounds for name in each.cpu}):
        found.figures.append(Figure("intake", f"Andon: CPU of {name}", andon.cpu(name), "µs/span"))
    found.figures.append(Figure("intake", "on the wire, gzip", andon.packed(), "B/span"))
    for name, each in series.items():
        if not each.rounds or not each.disk():
            continue
        share = each.disk() / each.packed()
        found.figures.append(Figure("intake", f"{name}: on disk", each.disk(), "B/span", "wire", share))
        found.figures.append(Figure("intake", f"{name}: in the write-ahead log", each.wal(), "B/span"))
        if each is not andon:
            server, base = each.server_cpu(), each.cpu("database")
            found.figures.append(Figure("intake", f"{name}: CPU of its server", server, "µs/span"))
            found.figures.append(Figure("intake", f"{name}: CPU of database", base, "µs/span"))
    return found


def _memory(andon: Andon) -> Outcome:
    held = [memory(pid) for pid in andon.web_workers()]
    figures = [
        Figure("intake", f"web worker {number}: most memory ever held", each.peak, "MB")
        for number, each in enumerate(held, start=1)
    ]
    figures += [
        Figure("intake", f"web worker {number}: share of memory now (PSS)", each.proportional, "MB")
        for number, each in enumerate(held, start=1)
    ]
    return Outcome(figures, {"memory": max(each.peak for each in held)})
