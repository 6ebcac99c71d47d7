"""The whole story: a consumer of the OpenTelemetry SDK gives up on a message, and the owner of the process sees it."""

from __future__ import annotations

import http.client
import time

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from pytest_django import DjangoDbBlocker

from monitoring.models import Alert, DeadLetter, Intake, Notification, Run, Sla
from tests.live import LiveConsole
from tests.monitoring.line import span, traces
from tests.online import Online
from tests.rows import make_channel, make_process, make_rule, make_sla

pytestmark = pytest.mark.story


def consume(online: Online) -> None:
    """A plain consumer as anyone writes it, with the exporter's own gzip over protobuf."""
    exporter = OTLPSpanExporter(
        endpoint=f"{online.console.url}/v1/traces",
        headers={"Authorization": f"Bearer {online.key}"},
        compression=Compression.Gzip,
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "order-release"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("plant")
    message = {
        "messaging.system": "rabbitmq",
        "messaging.destination.name": "orders",
        "messaging.operation.name": "process",
        "messaging.message.id": "m-4711",
        "order.id": "4711",
    }
    with tracer.start_as_current_span("orders process", kind=SpanKind.CONSUMER, attributes=message) as consumed:
        try:
            raise TimeoutError("MES did not answer within 30 s")
        except TimeoutError as fault:
            consumed.record_exception(fault)
            consumed.add_event("message.dead_lettered", {"messaging.destination.name": "orders.dlq"})
            consumed.set_status(Status(StatusCode.ERROR))
    provider.shutdown()


def test_a_message_that_dies_in_a_consumer_reaches_the_owner_of_its_process(
    live_console: LiveConsole, django_db_blocker: DjangoDbBlocker
) -> None:
    aster = Online(live_console, django_db_blocker, "Aster Foods")
    owner = aster.person()
    with aster.rows():
        process = make_process(name="Order release ERP → MES", owner=owner, criticality="critical")
        make_sla(process, name="released in 5 min", target_s=300)
        make_rule(process, condition="resource['service.name'] == 'order-release'")
        make_channel(min_severity="high")
    page = http.client.HTTPConnection("127.0.0.1", live_console.port, timeout=20)
    page.request("GET", f"/live/?tenant={aster.tenant.slug}", headers={"Cookie": aster.session(owner)})
    stream = page.getresponse().fp
    assert aster.post("/v1/traces", traces(span(), service="order-release")).status == 200
    while stream.readline() != b"event: runs\n":
        pass  # From here on the stream is known to listen.

    consume(aster)
    exported = time.monotonic()
    while stream.readline() != b"event: alerts\n":
        pass
    heard_after = time.monotonic() - exported
    page.close()

    assert heard_after < 1
    with aster.rows():
        alert = Alert.objects.select_related("process__owner").get(kind="dead_letter")
        assert alert.title == "Order release ERP → MES: 1 order given up in orders"
        assert (alert.status, alert.severity, alert.process) == ("firing", "critical", process)
        assert alert.process is not None
        assert alert.process.owner == owner
        assert Sla.objects.get(pk=alert.sla_id).name == "released in 5 min"
        assert alert.keys == [{"type": "order", "value": "4711"}]
        dead, run = DeadLetter.objects.get(), Run.objects.get(dead_letters=1)
        assert (dead.unit_id, dead.error_class, dead.destination, dead.state) == (
            "m-4711",
            "TimeoutError",
            "orders",
            "open",
        )
        assert (dead.run_id, run.status, run.process) == (run.pk, "dead", process)
        assert Intake.objects.get(pk=run.intakes[0]).compression == "gzip"
        assert list(Notification.objects.values_list("event", flat=True)) == ["raised"]

    # Its notification waits in the broker until there is a worker; this console has no mail server, and says so.
    live_console.worker()
    while (sent := told(aster)).state == "intended":
        assert time.monotonic() - exported < 60
        time.sleep(0.2)
    assert (sent.state, sent.tries, sent.reason[:23]) == ("suppressed", 1, "No mail server is set: ")


def told(online: Online) -> Notification:
    with online.rows():
        found: Notification = Notification.objects.get()
    return found
