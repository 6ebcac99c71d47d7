"""Alternating rounds: every system takes the same number of fresh spans in turn, and is watched while it does."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.database import Database
from bench.generator import written
from bench.measures import cpu_of, stored, wait_for_quiet
from bench.payloads import REQUESTS_IN_BATCH, SPANS, Source
from bench.system import Load, System


@dataclass(frozen=True, slots=True)
class Round:
    """One system's turn."""

    rate: float  # spans a second, from the first send until all could be read
    cpu: Mapping[str, float]  # µs a span, by process tree; "database" and "generator" among them
    packed: float  # bytes a span on the wire
    put_off: int
    latencies: Sequence[float]  # seconds from sending a request to its answer
    disk: float  # bytes a span that tables and indexes grew by
    wal: float


@dataclass(slots=True)
class Series:
    """All turns of one system after its warm-up."""

    rounds: list[Round] = field(default_factory=list)

    def rate(self) -> float:
        return statistics.median(turn.rate for turn in self.rounds)

    def cpu(self, *names: str) -> float:
        """The median of the µs a span that these process trees took together."""
        return statistics.median(sum(turn.cpu.get(name, 0.0) for name in names) for turn in self.rounds)

    def disk(self) -> float:
        """Bytes a span in tables and indexes: the mean, for files grow by leaps."""
        return statistics.fmean(turn.disk for turn in self.rounds)

    def wal(self) -> float:
        """Bytes a span in the write-ahead log."""
        return statistics.fmean(turn.wal for turn in self.rounds)

    def packed(self) -> float:
        """Bytes a span on the wire, packed with gzip."""
        return statistics.fmean(turn.packed for turn in self.rounds)

    def server_cpu(self) -> float:
        """The median of what the system itself took, without database and generator."""
        return statistics.median(
            sum(spent for name, spent in turn.cpu.items() if name not in {"database", "generator"})
            for turn in self.rounds
        )


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median and range of one system's rate over another's, turn by turn."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


def ratio(one: Series, other: Series) -> Ratio:
    """Compare the turns that stood beside each other."""
    found = [mine.rate / theirs.rate for mine, theirs in zip(one.rounds, other.rounds, strict=False)]
    return Ratio(statistics.median(found), min(found), max(found))


class Loads:
    """Makes loads of fresh spans, in a file that is written over each time."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.source = Source(seed)
        self._file = folder / f"load-{seed}.bin"

    def make(self, requests: int) -> Load:
        """So many requests, rounded up to whole batches."""
        batches = [self.source.batch() for _ in range(-(-requests // REQUESTS_IN_BATCH))]
        count = len(batches) * REQUESTS_IN_BATCH
        packed = written((body for batch in batches for body in batch.bodies), self._file)
        traces = [trace for batch in batches for trace in batch.traces]
        return Load(self._file, count, count * SPANS, traces, packed, sum(batch.raw_size for batch in batches))


def turn(system: System, load: Load, database: Database, *, patience_s: float) -> Round:
    """One system's turn. What it still does after the last span can be read counts as its cost, not as its time."""
    wait_for_quiet(patience_s)
    roots = {**{name: [pid] for name, pid in system.pids().items()}, "database": [database.pid]}
    with database.connect(system.database_name or "postgres") as connection:
        room, spent = stored(connection), cpu_of(roots)
        taken = system.take(load)
        wait_for_quiet(patience_s)
        cpu = {name: after - spent[name] for name, after in cpu_of(roots).items()} | {"generator": taken.sent.cpu_s}
        grown = stored(connection).since(room)
    return Round(
        rate=load.spans / taken.seconds,
        cpu={name: seconds * 1e6 / load.spans for name, seconds in cpu.items()},
        packed=load.packed / load.spans,
        put_off=taken.sent.put_off,
        latencies=taken.sent.latencies,
        disk=grown.tables / load.spans,
        wal=grown.wal / load.spans,
    )


def alternate(
    systems: Mapping[System, int],
    loads: Loads,
    database: Database,
    *,
    rounds: int,
    few: Mapping[System, int] | None = None,
    patience_s: float,
) -> dict[str, Series]:
    """Let the systems take turns, after a first round that warms all up. `systems` gives each its requests a turn.

    Every other round goes the other way round: who comes first finds a machine that has rested for longer, which is
    worth up to a tenth. `few` names systems that are too slow to take part in every round, with the rounds they do.
    Before and after each turn the machine is given up to `patience_s` seconds to come to rest.
    """
    series = {system.name: Series() for system in systems}
    for number in range(rounds + 1):
        for system, requests in tuple(systems.items())[:: -1 if number % 2 else 1]:
            if number > (few or {}).get(system, rounds):
                continue
            found = turn(system, loads.make(requests), database, patience_s=patience_s)
            if number:
                series[system.name].rounds.append(found)
            print(
                f"  {'turn ' + str(number) if number else 'warm-up'}: {system.name} {found.rate:,.0f} spans/s",
                flush=True,
            )
    return series
