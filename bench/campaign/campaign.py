"""One campaign from an empty disk to a verdict: start, send, kill, wait until it is quiet, compare."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.campaign import controls
from bench.campaign.checker import Verdict, check
from bench.campaign.crew import Crew
from bench.campaign.ledger import read
from bench.campaign.nemesis import Nemesis, Toll
from bench.campaign.plant import Plant, Tenant

TENANTS = ["Aster Foods", "Birch Metals", "Cedar Pharma"]
#: A claim of a worker that died runs out after a minute.
_QUIET_S = 180.0
_COUNTED_S = 45.0
_AWAITED = "kind IN ('notification', 'run_settle')"


@dataclass(slots=True)
class Outcome:
    """What a campaign did and found."""

    toll: Toll
    verdict: Verdict
    seconds: float
    acked: int
    requests: int
    deaths: list[str]


def campaign(
    faults: Callable[[Nemesis, Crew], None],
    *,
    seed: int,
    control: str = "",
    senders: int = 10,
    pause_s: float = 0.2,
    quiet_s: float = _QUIET_S,
    hasten: bool = False,
    folder: Path | None = None,
) -> Outcome:
    """Run one campaign. `faults` strikes while the senders work; the console is made for it and removed after it.

    `folder` is where it all stands: its database is as durable as that disk. `hasten` lets the claims of dead workers
    run out at once when all is sent, instead of waiting out their minute.
    """
    ledger = Path(tempfile.mkdtemp(prefix="andon-ledger-"))
    begun = time.monotonic()
    plant = Plant((folder or ledger) / "console", control=control)
    try:
        plant.start()
        controls.prepare(control, plant)
        tenants = plant.tenants(TENANTS)
        crew = Crew(plant.port)
        for tenant in tenants:
            _make_channel(plant, tenant, crew.sink.port)
        keys = [tenant.key for tenant in tenants]
        run = int.from_bytes(os.urandom(4), "big")
        crew.send(ledger / "ledger", keys, run=run, seed=seed, senders=senders, pause_s=pause_s)
        nemesis = Nemesis(plant, crew, seed)
        faults(nemesis, crew)
        crew.finish(120, plant.revive)
        plant.wait_ready()
        if hasten:
            _let_claims_run_out(plant)
        _wait_until_quiet(plant, quiet_s)
        told = read(ledger / "ledger")
        verdict = check(plant, tenants, told, crew.sink.received, patience_s=min(quiet_s, _COUNTED_S))
        crew.stop()
        seconds = time.monotonic() - begun
        return Outcome(nemesis.toll, verdict, seconds, told.acked_items, len(told.acked), list(plant.deaths))
    finally:
        plant.stop()
        shutil.rmtree(ledger, ignore_errors=True)


def kills(
    wanted: Mapping[str, int],
    progress: Callable[[Toll, int], None],
    *,
    items: int = 0,
    calm_s: float = 0.0,
    most_s: float = math.inf,
) -> Callable[[Nemesis, Crew], None]:
    """Kill until each kind has its number, resting up to twice `calm_s` in between, then wait for so many items.

    After `most_s` it ends with what it has.
    """

    def strike(nemesis: Nemesis, crew: Crew) -> None:
        end = time.monotonic() + most_s
        nemesis.run(wanted, lambda toll: progress(toll, crew.acked_items), calm_s=calm_s, until=end)
        while crew.acked_items < items and time.monotonic() < end:
            progress(nemesis.toll, crew.acked_items)
            time.sleep(0.1)

    return strike


def _make_channel(plant: Plant, tenant: Tenant, port: int) -> None:
    channel = {
        "name": "campaign", "kind": "webhook", "target": f"http://127.0.0.1:{port}/", "min_severity": "low",
        "kinds": ["dead_letter"],
    }  # fmt: skip
    request = urllib.request.Request(
        f"http://127.0.0.1:{plant.port}/api/v1/channels/",
        json.dumps(channel).encode(),
        {"authorization": f"Bearer {tenant.token}", "content-type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=20).close()


def _let_claims_run_out(plant: Plant) -> None:
    plant.rows("UPDATE monitoring_notification SET claimed_until = now() WHERE claimed_until > now()")
    plant.rows(f"UPDATE monitoring_timer SET due_at = now() WHERE {_AWAITED} AND due_at > now()")


def _wait_until_quiet(plant: Plant, most_s: float) -> None:
    """Until no notification waits to be sent and no run to be settled. What never comes is for the checker to say."""
    deadline = time.monotonic() + most_s
    waiting = f"SELECT count(*) FROM monitoring_timer WHERE {_AWAITED}"
    while plant.rows(waiting)[0][0] and time.monotonic() < deadline:
        plant.revive()
        time.sleep(0.5)
