"""With many spans stored, all taken in over HTTP: the rate against an empty console, and runs read back at random."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import psycopg

from bench.andon import Andon
from bench.database import Database
from bench.flows import SPANS_IN_TRACE
from bench.generator import percentile
from bench.intake import CONNECTIONS, REQUESTS
from bench.loading import fill
from bench.measures import memory, stored, wait_for_quiet
from bench.outcome import Options, Outcome
from bench.rounds import Loads, alternate, ratio
from bench.table import Figure
from console.embedded.home import PROJECT

_TENANTS = 4
_QUICK_STORED, _QUICK_REQUESTS = 200_000, 60
#: Two sides that are nearly alike: one turn beside the other is off by a fifth on a busy machine, and pages written in
#: full after a checkpoint fall on some turns only.
_ROUNDS_FOR_ONE = 3
_RUNS, _WARM_UP = 300, 30
#: What filling leaves to be done later belongs to filling, not to the turns after it.
_DUE = "SELECT count(*) FROM monitoring_timer WHERE kind = 'run_settle'"
_REST_S, _LONGEST_REST_S = 5, 600
_LIMITS = "SELECT min(id), max(id) FROM monitoring_run WHERE tenant_id = %s"
_WHOLE = "SELECT id FROM monitoring_run WHERE tenant_id = %s AND id = ANY(%s) AND span_count = %s"


def main(options: Options) -> Outcome:
    """Fill, then measure."""
    wanted = min(options.stored, _QUICK_STORED) if options.quick else options.stored
    with Database() as database:
        full = Andon(database, "full", connections=CONNECTIONS, name="full")
        empty: Andon | None = None
        try:
            found = _filled(full, database, wanted, options.patience_s)
            found.add(_read_back(full, database, options.patience_s))
            empty = Andon(database, "empty", connections=CONNECTIONS, name="empty")
            requests = _QUICK_REQUESTS if options.quick else REQUESTS
            rounds = options.rounds if options.quick else options.rounds * _ROUNDS_FOR_ONE
            series = alternate(
                {full: requests, empty: requests},
                *(Loads(database.home), database),
                rounds=rounds,
                patience_s=options.patience_s,
            )
            compared = ratio(series["full"], series["empty"])
            held = max(memory(pid).peak for pid in full.web_workers())
            found.figures += [
                Figure("volume", "rate, empty", series["empty"].rate(), "spans/s"),
                Figure(
                    *("volume", f"rate, full ({compared.low:.3g} to {compared.high:.3g})", series["full"].rate()),
                    *("spans/s", "empty", compared.median),
                ),
                *(
                    Figure("volume", f"{name}: CPU of {part}", spent, "µs/span")
                    for name, each in series.items()
                    for part, spent in (("server", each.server_cpu()), ("database", each.cpu("database")))
                ),
                *(
                    Figure("volume", f"{name}: in the write-ahead log", each.wal(), "B/span")
                    for name, each in series.items()
                ),
                Figure("volume", "web worker: most memory ever held", held, "MB"),
            ]
            found.reached |= {"stored": compared.median, "memory": held}
            return found
        finally:
            full.stop()
            if empty is not None:
                empty.stop()


def _filled(full: Andon, database: Database, wanted: int, patience_s: float) -> Outcome:
    """Fill several tenants; what it took and what it weighs."""
    tenants = [full.tenant, *(full.provision(f"Plant{number}") for number in range(1, _TENANTS))]
    database.checkpoint()
    with database.connect(full.database_name) as connection:
        before = stored(connection)
        print(f"  storing {wanted:,} spans in {_TENANTS} tenants", flush=True)
        spans, seconds = fill(full, tenants, wanted)
        rested = _rest(connection)
        wait_for_quiet(patience_s)
        database.checkpoint()
        grown = stored(connection).since(before)
    print(f"  stored {spans:,} spans in {seconds:.0f} s; at rest {rested:.0f} s later", flush=True)
    return Outcome([
        Figure("volume", f"stored {spans:,} spans, building them included", spans / seconds, "spans/s"),
        Figure("volume", "on disk, tables and indexes", grown.tables / spans, "B/span"),
        Figure("volume", "in the write-ahead log", grown.wal / spans, "B/span"),
    ])  # fmt: skip


def _rest(connection: psycopg.Connection[Any]) -> float:
    """Wait until every trace that came in parts is settled; return the seconds it took."""
    begun = time.monotonic()
    while time.monotonic() - begun < _LONGEST_REST_S:
        row = connection.execute(_DUE).fetchone()
        assert row is not None
        if not row[0]:
            break
        time.sleep(_REST_S)
    return time.monotonic() - begun


def _read_back(full: Andon, database: Database, patience_s: float) -> Outcome:
    """Random runs of one tenant, over REST and through the selector that page and REST share."""
    chance, tenant = random.Random(11), full.tenant
    with database.connect(full.database_name) as connection:
        limits = connection.execute(_LIMITS, [tenant.id]).fetchone()
        assert limits is not None
        some = [chance.randint(*limits) for _ in range((_RUNS + _WARM_UP) * 3 * _TENANTS)]
        rows = connection.execute(_WHOLE, [tenant.id, some, SPANS_IN_TRACE]).fetchall()
    runs = [row[0] for row in rows]
    chance.shuffle(runs)
    runs = runs[: _RUNS + _WARM_UP]
    wait_for_quiet(patience_s)
    over_rest, selected = _over_rest(full, runs)[_WARM_UP:], _selected(full, runs)[_WARM_UP:]
    figures = [
        Figure("volume", f"one run's spans {how}, n={len(waits)}, p{share * 100:.0f}", percentile(waits, share), "ms")
        for how, waits in (("over REST", over_rest), ("through the selector", selected))
        for share in (0.5, 0.95)
    ]
    return Outcome(figures, {"read_back": percentile(over_rest, 0.95)})


def _over_rest(full: Andon, runs: Sequence[int]) -> list[float]:
    """Milliseconds of each, one after the other over a kept connection."""
    connection = http.client.HTTPConnection(full.address, timeout=30)
    waits = []
    for run in runs:
        begun = time.monotonic()
        connection.request("GET", f"/api/v1/runs/{run}/spans/", headers={
            "authorization": f"Bearer {full.tenant.api_token}"
        })  # fmt: skip
        answer = connection.getresponse()
        body = answer.read()
        waits.append((time.monotonic() - begun) * 1e3)
        if answer.status != 200 or len(json.loads(body)["results"]) != SPANS_IN_TRACE:
            raise SystemExit(f"Run {run} was answered with {answer.status}: {body[:200]!r}")
    return waits


def _selected(full: Andon, runs: Sequence[int]) -> list[float]:
    """Milliseconds of each in a process of its own, which has the console's settings."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.selecting", full.tenant.slug],
        input=json.dumps(list(runs)),
        cwd=PROJECT,
        env=full.console.env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"Reading back failed:\n{done.stderr}")
    waits: list[float] = json.loads(done.stdout)
    return waits
