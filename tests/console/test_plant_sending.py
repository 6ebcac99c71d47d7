"""The plant as a client: it waits when told to, gives up nothing that can still be taken, and says what it sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from console.plant.plants import BY_SLUG, PLANTS
from console.plant.scenario import SCENARIOS, Scenario, play
from console.plant.sender import Sender
from console.plant.sign_ins import SIGN_INS
from console.plant.tenants import demo_ensure
from governance.models import AuditEntry
from monitoring.models import MappingRule, Process
from partners.keys import find_holder
from partners.models import Membership, Tenant, User
from partners.models.keys import KeyKind
from partners.roles import Role
from partners.scope import tenant_scope


class Console:
    """Takes what is sent, after the answers it was told to give first."""

    def __init__(self) -> None:
        self.first_answers: list[tuple[int, dict[str, str]]] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = outer.first_answers.pop(0) if outer.first_answers else (200, {})
                if status == 200:
                    outer.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def spans(self) -> list[tuple[str, bytes]]:
        """Service and trace id of each span that arrived."""
        found: list[tuple[str, bytes]] = []
        for path, headers, body in self.requests:
            if path != "/v1/traces":
                continue
            assert headers["content-encoding"] == "gzip"
            for group in ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans:
                service = next(a.value.string_value for a in group.resource.attributes if a.key == "service.name")
                found += [(service, span.trace_id) for scope in group.scope_spans for span in scope.spans]
        return found


@pytest.fixture
def console() -> Iterator[Console]:
    running = Console()
    Thread(target=running.server.serve_forever, daemon=True).start()
    yield running
    running.server.shutdown()
    running.server.server_close()


def scenario(name: str, *, seed: int = 5, rate: float = 200.0, seconds: float = 0.05) -> Scenario:
    return Scenario(name, BY_SLUG["rockford"], "somebody", rate, seconds, seed)


def no_wait(_seconds: float) -> None:
    """Time passes by itself."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_sends_what_it_tells(console: Console, name: str) -> None:
    sender = Sender(console.url, "andon_in_x", wait=no_wait, gives_up=True)
    runs = play(scenario(name), sender, wait=no_wait)
    assert runs == (5 if name == "silent_source" else 10)
    assert len(console.spans()) == sender.tally.spans > 0
    assert sender.tally.lost == 0
    assert all(headers["authorization"] == "Bearer andon_in_x" for _, headers, _ in console.requests)


def test_the_same_seed_sends_the_same_traces(console: Console) -> None:
    for _ in range(2):
        play(scenario("retry_storm"), Sender(console.url, "k"), wait=no_wait)
    traces = [trace for _, trace in console.spans()]
    assert len(traces) == 2 * len(traces[: len(traces) // 2])
    assert set(traces[: len(traces) // 2]) == set(traces[len(traces) // 2 :])


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_console_gets_everything_once(console: Console, status: int) -> None:
    console.first_answers = [(status, {"Retry-After": "0"})] * 3
    sender = Sender(console.url, "k", wait=no_wait)
    play(scenario("healthy"), sender, wait=no_wait)
    assert len(console.spans()) == sender.tally.spans
    assert sender.tally.lost == 0


def test_it_waits_as_long_as_the_console_asks(console: Console) -> None:
    console.first_answers = [(503, {"Retry-After": "7"})]
    waited: list[float] = []
    sender = Sender(console.url, "k", wait=waited.append)
    sender.send_events([])
    assert waited == [7.0]


def test_what_can_never_be_taken_is_counted_as_lost(console: Console) -> None:
    console.first_answers = [(413, {})]
    sender = Sender(console.url, "k", wait=no_wait)
    play(scenario("dead_letter", rate=20.0), sender, wait=no_wait)
    assert sender.tally.lost == sender.tally.spans > 0
    assert sender.tally.last_problem.startswith("413")


def test_a_refused_key_is_told_by_simulate_and_waited_for_by_the_plant(console: Console) -> None:
    console.first_answers = [(401, {})]
    hasty = Sender(console.url, "k", wait=no_wait, gives_up=True)
    hasty.send_events([])
    assert hasty.tally.answers == {"401": 1}
    console.first_answers = [(401, {})]
    patient = Sender(console.url, "k", wait=no_wait)
    patient.send_events([])
    assert patient.tally.answers == {"401": 1, "200": 1}


@pytest.mark.django_db
def test_the_demo_is_made_once(tmp_path: Path) -> None:
    demo_ensure(tmp_path)
    entries = json.loads((tmp_path / "demo.json").read_text())
    assert {entry["role"] for entry in entries} == {role.value for role in Role}
    assert all(User.objects.get(email=entry["email"]).check_password(entry["password"]) for entry in entries)
    keys = json.loads((tmp_path / "plant-keys.json").read_text())
    assert keys.keys() == {plant.tenant_slug for plant in PLANTS}
    for slug, key in keys.items():
        holder = find_holder(KeyKind.INGEST, key)
        assert holder is not None
        assert holder.tenant_id == Tenant.objects.get(slug=slug).pk
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    before = _rows(tmp_path)
    demo_ensure(tmp_path)
    assert _rows(tmp_path) == before


@pytest.mark.django_db
def test_the_demo_leaves_alone_what_people_have_changed(tmp_path: Path) -> None:
    demo_ensure(tmp_path)
    tenant = Tenant.objects.get(slug="valdecanto-envases")
    with tenant_scope(tenant.pk, actor="user:1"):
        MappingRule.objects.all().delete()
    demo_ensure(tmp_path)
    with tenant_scope(tenant.pk, actor="user:1"):
        assert not MappingRule.objects.exists()


@pytest.mark.django_db
def test_every_process_of_the_demo_has_an_owner_a_promise_and_a_site(tmp_path: Path) -> None:
    demo_ensure(tmp_path)
    for tenant in Tenant.objects.filter(slug__in={plant.tenant_slug for plant in PLANTS}):
        with tenant_scope(tenant.pk, actor="user:1"):
            processes = list(Process.objects.prefetch_related("slas"))
            assert processes
            assert all(process.owner_id and process.site_id and process.slas.all() for process in processes)


def test_every_sign_in_is_a_role_address() -> None:
    assert {person.role for person in SIGN_INS} == set(Role)
    assert all(person.email.endswith(".example") for person in SIGN_INS)


def _rows(home: Path) -> tuple[object, ...]:
    counts: list[object] = [User.objects.count(), Membership.objects.count(), Tenant.objects.count()]
    for tenant in Tenant.objects.order_by("pk"):
        with tenant_scope(tenant.pk, actor="user:1"):
            counts += [Process.objects.count(), AuditEntry.objects.count()]
    return (*counts, (home / "demo.json").read_text(), (home / "plant-keys.json").read_text())
