"""From sending a dead letter to its alert on an open event stream: alone, and beside 50,000 spans a second.

The stream is that of a tenant which gets nothing but these dead letters, each in a workflow of its own, one after the
other; the load belongs to another tenant on the same workers. So each `alerts` event belongs to the request before it.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import queue
import random
import re
import string
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlencode

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from bench.andon import Andon, Tenant
from bench.database import Database
from bench.disk import Probe
from bench.flows import CONSUMER, INTERNAL, SPANS_IN_TRACE
from bench.generator import Generator, percentile
from bench.intake import CONNECTIONS
from bench.measures import wait_for_quiet
from bench.outcome import Options, Outcome
from bench.payloads import SPANS
from bench.rounds import Loads
from bench.table import Figure

_SPANS_A_SECOND = 50_000
_ALONE, _BESIDE = 60, 300
_PAUSE_S = 0.02, 0.06
_SETTLING_S = 3.0
_PATIENCE_S = 30.0
_MOST_S = 120.0
#: A page is usually safe in a fraction of a millisecond.
_STALL_S = 0.01
_OPEN = "SELECT count(*) FROM monitoring_alert WHERE tenant_id = %s AND kind = 'dead_letter'"


class Watcher:
    """Somebody signed in with an open page, who also sends."""

    def __init__(self, andon: Andon, tenant: Tenant) -> None:
        self._chance = random.Random(7)
        self._headers = {
            "authorization": f"Bearer {tenant.ingest_key}",
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
        }
        self._intake = http.client.HTTPConnection(andon.address, timeout=30)
        self._page = http.client.HTTPConnection(andon.address)
        headers = {"Cookie": signed_in(andon.address, tenant), "Accept": "text/event-stream"}
        self._page.request("GET", f"/live/?tenant={tenant.slug}", headers=headers)
        self._stream = self._page.getresponse()
        if self._stream.status != 200:
            raise SystemExit(f"The event stream answered {self._stream.status}.")
        self._heard: queue.Queue[float] = queue.Queue()
        self.sent = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := self._stream.fp.readline():
                if line == b"event: alerts\n":
                    self._heard.put(time.monotonic())

    def raise_alert(self) -> float:
        """Send a dead letter; return the seconds until the stream tells of an alert."""
        body = dead_letter(self._chance, self.sent)
        self.sent += 1
        begun = time.monotonic()
        self._intake.request("POST", "/v1/traces", body, self._headers)
        try:
            heard = self._heard.get(timeout=_PATIENCE_S)
        except queue.Empty:
            raise SystemExit(f"No alert was heard of within {_PATIENCE_S:.0f} s.") from None
        answer = self._intake.getresponse()
        if answer.status != 200:
            raise SystemExit(f"A dead letter was answered with {answer.status}: {answer.read()[:200]!r}")
        answer.read()
        return heard - begun

    def reconnect(self) -> None:
        """Send over a new connection: the server closes one that was idle."""
        self._intake.close()

    def settle(self) -> None:
        """Forget what a stream says when it opens, and what the first alerts were heard of."""
        for _ in range(5):
            self.raise_alert()
            self.pause()
        time.sleep(_SETTLING_S)
        self.unexpected()

    def unexpected(self) -> int:
        """How many alerts were heard of that no request was waiting for; they are forgotten."""
        found = self._heard.qsize()
        for _ in range(found):
            self._heard.get()
        return found

    def pause(self) -> None:
        """Wait a moment, no two alike, so that no rhythm of the server is met each time."""
        time.sleep(self._chance.uniform(*_PAUSE_S))


def main(options: Options) -> Outcome:
    """Measure both."""
    with Database() as database:
        andon = Andon(database, "alerting", connections=CONNECTIONS)
        try:
            tenant = andon.provision("Watched")
            watcher = Watcher(andon, tenant)
            watcher.settle()
            wait_for_quiet(options.patience_s)
            watcher.reconnect()
            alone = []
            for _ in range(_ALONE):
                alone.append(watcher.raise_alert())
                watcher.pause()
            with Probe(database.home) as probe:
                began, rate = _beside(andon, database, watcher, percentile(alone, 0.5))
            beside = [took for _, took in began]
            if unexpected := watcher.unexpected():
                print(f"  {unexpected} alerts were heard of that nobody waited for: the times may be too short")
            with database.connect(andon.database_name) as connection:
                found = connection.execute(_OPEN, [tenant.id]).fetchone()
            if found != (watcher.sent,):
                raise SystemExit(f"{watcher.sent} dead letters raised {found} alerts.")
        finally:
            andon.stop()
    figures = [Figure("alerting", "load beside it, truly reached", rate, "spans/s")]
    for name, waits in (("alone", alone), ("beside load", beside)):
        for share in (0.5, 0.99):
            what = f"send to alert on the stream, {name}, n={len(waits)}, p{share * 100:.0f}"
            figures.append(Figure("alerting", what, percentile(waits, share) * 1e3, "ms"))
    figures += _disk(probe, began)
    return Outcome(figures, {"alert": percentile(beside, 0.99) * 1e3})


def _disk(probe: Probe, began: Sequence[tuple[float, float]]) -> list[Figure]:
    """What the disk took meanwhile, and the alerts beside which it did not stall: none is told of before it is safe."""
    took = [seconds for _, seconds in probe.took]
    calm = [seconds for at, seconds in began if probe.longest(at, seconds) < _STALL_S]
    found = {
        "fdatasync of 8 KiB on the same disk meanwhile, p50": percentile(took, 0.5),
        "fdatasync of 8 KiB on the same disk meanwhile, p99": percentile(took, 0.99),
        "fdatasync of 8 KiB on the same disk meanwhile, longest": max(took),
    }
    if calm:
        found[f"send to alert, the disk not stalled, n={len(calm)}, p99"] = percentile(calm, 0.99)
    return [Figure("alerting", name, seconds * 1e3, "ms") for name, seconds in found.items()]


def _beside(
    andon: Andon, database: Database, watcher: Watcher, usual_s: float
) -> tuple[list[tuple[float, float]], float]:
    """Raise alerts while the load runs; return when each began and its wait, and the load's spans a second."""
    lasting = min(_MOST_S, _SETTLING_S + _BESIDE * (usual_s * 1.5 + sum(_PAUSE_S) / 2))
    per_second = _SPANS_A_SECOND / SPANS
    load = Loads(database.home, seed=3).make(int(lasting * per_second))
    generator = Generator(
        *(andon.address, load.file, andon.headers()),
        connections=andon.connections,
        per_second=per_second,
        most_s=lasting,
    )
    generator.start()
    time.sleep(_SETTLING_S)
    watcher.reconnect()
    until, waits = time.monotonic() + lasting - _SETTLING_S, list[tuple[float, float]]()
    while time.monotonic() < until and len(waits) < _BESIDE:
        waits.append((time.monotonic(), watcher.raise_alert()))
        watcher.pause()
    sent = generator.result()
    if len(waits) < _BESIDE:
        print(f"  only {len(waits)} of {_BESIDE} alerts fell into the {lasting:.0f} s of load")
    return waits, sent.requests * SPANS / (sent.ended - sent.begun)


def dead_letter(chance: random.Random, number: int) -> bytes:
    """A trace of twelve spans whose message died, in a workflow that nobody has heard of before."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "alarm-cell"
    scope = group.scope_spans.add()
    trace, root, now = chance.randbytes(16), chance.randbytes(8), time.time_ns()
    # Digits would be taken for a number that changes from run to run.
    letters = "".join(string.ascii_lowercase[int(digit)] for digit in f"{number:06}")
    for place in range(SPANS_IN_TRACE):
        span = scope.spans.add(
            trace_id=trace,
            span_id=chance.randbytes(8) if place else root,
            parent_span_id=root if place else b"",
            name=f"step {place}" if place else "process orders",
            kind=INTERNAL if place else CONSUMER,
            start_time_unix_nano=now - 50_000_000 + place * 1_000_000,
            end_time_unix_nano=now,
        )
        said: dict[str, str] = {"plant.site": "ulm-werk-2"} if place else {
            "messaging.system": "rabbitmq",
            "messaging.destination.name": f"cell.{letters}",
            "messaging.operation.name": "process",
            "messaging.message.id": chance.randbytes(16).hex(),
            "order.id": f"{number:07}",
        }  # fmt: skip
        for name, value in said.items():
            span.attributes.add(key=name).value.string_value = value
        if not place:
            span.status.code = Status.STATUS_CODE_ERROR
            span.status.message = "The cell did not answer"
            span.events.add(name="message.dead_lettered", time_unix_nano=now)
    return gzip.compress(request.SerializeToString(), 6, mtime=0)


def signed_in(address: str, tenant: Tenant) -> str:
    """Sign in over the sign-in page; return the Cookie header of the session."""
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", "/accounts/login/")
    page = connection.getresponse()
    token = page.headers["set-cookie"].split("andon-csrf=")[1].split(";")[0]
    hidden = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.read())
    form = {
        "login": tenant.email,
        "password": tenant.password,
        "csrfmiddlewaretoken": hidden[1].decode() if hidden else token,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"andon-csrf={token}"}
    connection.request("POST", "/accounts/login/", urlencode(form), headers)
    answer = connection.getresponse()
    cookie = re.search(r"\bandon=([^;]+)", " ".join(answer.headers.get_all("set-cookie") or ()))
    if answer.status != 302 or cookie is None:
        raise SystemExit(f"Signing in was answered with {answer.status}.")
    return f"andon={cookie[1]}"
