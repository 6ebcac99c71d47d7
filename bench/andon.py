"""Andon as it runs in earnest: web workers as `up` starts them, worker, clock and broker, a tenant with a catalogue."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.database import Database
from bench.generator import Generator
from bench.system import Load, Taken
from console.runtime import children
from tests.live import LiveConsole

_CATALOGUE = Path(__file__).with_name("catalogue.yaml")
_VISIBLE_LIMIT_S = 60.0
_SEEN = """
SELECT coalesce(sum(span_count), 0)::bigint FROM monitoring_run WHERE tenant_id = %s AND trace_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant of the console under measurement and its keys."""

    id: int
    slug: str
    ingest_key: str
    api_token: str
    password: str
    email: str


class Andon:
    """A console with everything on and one tenant; further tenants on demand."""

    def __init__(self, database: Database, database_name: str, *, connections: int, name: str = "Andon") -> None:
        self.name, self.connections = name, connections
        self._database, self.database_name = database, database_name
        self.console = LiveConsole(database.home / database_name, database_name, web=children.web)
        self.console.beat()
        self.tenant = self.provision("Ulm")

    def provision(self, name: str) -> Tenant:
        """Make a tenant with an administrator and the benchmark's catalogue."""
        email = f"{name.lower()}@bench.example"
        who = ("--partner", "Bench", "--tenant", name, "--user", email, "--role", "tenant_admin", "--json")
        made = json.loads(self.console.manage("provision", *who).stdout)
        with self._database.connect(self.database_name) as connection:
            row = connection.execute("SELECT id, slug FROM partners_tenant WHERE name = %s", [name]).fetchone()
        assert row is not None
        self.console.manage("apply", str(_CATALOGUE), "--tenant", row[1])
        return Tenant(row[0], row[1], made["ingest_key"], made["api_token"], made["password"], email)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.console.port}"

    def pids(self) -> Mapping[str, int]:
        return self.console.pids()

    def web_workers(self) -> list[int]:
        """The processes that answer requests."""
        below = psutil.Process(self.console.pids()["web"]).children(recursive=True)
        return [child.pid for child in below if "resource_tracker" not in " ".join(child.cmdline())]

    def headers(self) -> dict[str, str]:
        """What a sender of the tenant's says."""
        return {"authorization": f"Bearer {self.tenant.ingest_key}"}

    def take(self, load: Load) -> Taken:
        generator = Generator(self.address, load.file, self.headers(), connections=self.connections)
        with self._database.connect(self.database_name) as connection:
            generator.start()
            sent = generator.result()
            deadline = time.monotonic() + _VISIBLE_LIMIT_S
            while (seen := connection.execute(_SEEN, [self.tenant.id, list(load.traces)]).fetchone()) != (load.spans,):
                if time.monotonic() > deadline:
                    raise SystemExit(f"Of {load.spans} spans acknowledged, runs tell of {seen}.")
                time.sleep(0.005)
            return Taken(time.monotonic() - sent.begun, sent)

    def stop(self) -> None:
        self.console.stop()
