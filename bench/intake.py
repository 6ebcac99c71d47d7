"""Intake over HTTP with everything on, beside COPY of the same spans as indexed rows, and beside decode-and-drop."""

from __future__ import annotations

from bench.andon import Andon
from bench.database import Database
from bench.peers.copying import Copying
from bench.peers.dropping import Dropping
from bench.rounds import Loads, Series, alternate, ratio
from bench.system import System
from bench.table import Figure

CONNECTIONS = 4
_REQUESTS, _ROUNDS = 60, 3


def main() -> list[Figure]:
    """The quick form: a minute, to steer by. Never to be published."""
    with Database() as database:
        loads = Loads(database.home)
        andon = Andon(database, "bench", connections=CONNECTIONS)
        try:
            sides: list[System] = [andon, Copying(database), Dropping()]
            series = alternate(dict.fromkeys(sides, _REQUESTS), loads, database, rounds=_ROUNDS, patience_s=0.5)
            return rates(series) + costs(series["Andon"])
        finally:
            andon.stop()


def rates(series: dict[str, Series]) -> list[Figure]:
    """Spans a second until they can be read by SQL, and Andon's share of each other system's."""
    andon = series["Andon"]
    found = [Figure("intake", f"Andon over HTTP, {CONNECTIONS} connections, until queryable", andon.rate(), "spans/s")]
    for name, other in series.items():
        if other is not andon:
            compared = ratio(andon, other)
            span = f"{compared.low:.2f} to {compared.high:.2f}"
            found.append(
                Figure("intake", f"beside {name} (range {span})", other.rate(), "spans/s", name, compared.median)
            )
    return found


def costs(series: Series) -> list[Figure]:
    """Processor time a span, by what spent it."""
    names = sorted({name for turn in series.rounds for name in turn.cpu})
    apart = [Figure("intake", f"CPU of {name}", series.cpu(name), "µs/span") for name in names]
    both = Figure("intake", "CPU of server and database", series.server_cpu() + series.cpu("database"), "µs/span")
    packed = Figure("intake", "on the wire", series.rounds[-1].packed, "B/span")
    return [both, *apart, packed]
