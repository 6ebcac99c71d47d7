"""The sender's truth: an append-only file of what was attempted, acknowledged, refused or left open, fsynced."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from bench.campaign.plans import Plan


class Ledger:
    """Writes one line for each thing that happens to a request. `written` waits until it is on the disk."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._waiting: list[bytes] = []
        self._synced: asyncio.Future[None] | None = None
        self._worker: asyncio.Task[None] | None = None

    def note(self, sign: str, plan: Plan, more: str = "") -> None:
        """Append a line: A acknowledged, L asked to come later, R refused for good, U unsure, G given up."""
        self._append(f"{sign} {plan.id} {more}".rstrip())

    async def attempted(self, plans: list[Plan]) -> None:
        """Append the plans and return once they are on the disk: nothing is sent that the ledger does not know."""
        for plan in plans:
            self._append("T " + json.dumps(plan.as_json(), separators=(",", ":")))
        assert self._synced is not None
        await asyncio.shield(self._synced)

    async def close(self) -> None:
        """Write what waits."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])
        self._file.close()

    def _append(self, line: str) -> None:
        self._waiting.append(line.encode() + b"\n")
        if self._synced is None:
            self._synced = asyncio.get_running_loop().create_future()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """One fsync for all that gathered while the one before it ran."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(0.005)
            lines, self._waiting = self._waiting, []
            synced, self._synced = self._synced, None
            await loop.run_in_executor(None, self._put, b"".join(lines))
            if synced is not None and not synced.done():
                synced.set_result(None)

    def _put(self, lines: bytes) -> None:
        self._file.write(lines)
        os.fsync(self._file.fileno())


@dataclass(slots=True)
class Told:
    """What the ledger says: every plan by id, and what became of it."""

    plans: dict[str, Plan] = field(default_factory=dict)
    acked: dict[str, int] = field(default_factory=dict)  # answers of 2xx
    refused: dict[str, str] = field(default_factory=dict)
    unsure: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    #: Answers and missing answers by tenant and sign.
    signs: Counter[tuple[int, str]] = field(default_factory=Counter)
    given_up: set[str] = field(default_factory=set)
    wrong_answers: list[str] = field(default_factory=list)  # a 2xx that did not reject what it must

    @property
    def acked_items(self) -> int:
        """Items of acknowledged requests without those that were rejected."""
        return sum(self.plans[name].items - self.plans[name].rejected for name in self.acked)


def read(path: Path) -> Told:
    """Read a ledger back."""
    told = Told()
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            sign, _, rest = line.rstrip("\n").partition(" ")
            if sign == "T":
                plan = Plan(**json.loads(rest))
                told.plans[plan.id] = plan
                continue
            name, _, more = rest.partition(" ")
            told.signs[told.plans[name].tenant, sign] += 1
            match sign:
                case "A":
                    told.acked[name] = told.acked.get(name, 0) + 1
                    if int(more) != told.plans[name].rejected:
                        told.wrong_answers.append(f"{name}: {more} rejected")
                case "R":
                    told.refused[name] = more
                case "U":
                    told.unsure[name] += 1
                case "G":
                    told.given_up.add(name)
    return told
