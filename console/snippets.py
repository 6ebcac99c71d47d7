"""What a sender needs to reach this console, ready to copy: one snippet for each kind of source."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of configuration or code with endpoint and key filled in; `note` says where it goes."""

    name: str
    title: str
    note: str
    code: str


_ENVIRONMENT = """\
OTEL_SERVICE_NAME=order-release
OTEL_EXPORTER_OTLP_ENDPOINT=$endpoint
OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
OTEL_EXPORTER_OTLP_COMPRESSION=gzip
OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20$key
"""

_PYTHON = """\
# pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint="$endpoint/v1/traces",
    headers={"Authorization": "Bearer $key"},
    compression=Compression.Gzip,
)
provider = TracerProvider(resource=Resource.create({"service.name": "order-release"}))
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)

with trace.get_tracer("order-release").start_as_current_span("release order") as span:
    span.set_attribute("erp.order", "4711")
provider.shutdown()
"""

_COLLECTOR = """\
exporters:
  otlphttp/andon:
    endpoint: $endpoint
    compression: gzip
    headers:
      Authorization: "Bearer $key"
    retry_on_failure:
      enabled: true
    sending_queue:
      enabled: true

service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlphttp/andon]
    logs:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlphttp/andon]
"""

_N8N = """\
N8N_OTEL_ENABLED=true
N8N_OTEL_EXPORTER_OTLP_ENDPOINT=$endpoint
N8N_OTEL_EXPORTER_OTLP_TRACING_PATH=/v1/traces
N8N_OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer $key
N8N_OTEL_EXPORTER_SERVICE_NAME=n8n
N8N_OTEL_TRACES_INCLUDE_NODE_SPANS=true
N8N_OTEL_TRACES_INJECT_OUTBOUND=true
"""

_CELERY = """\
# pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http opentelemetry-instrumentation-celery
from celery.signals import worker_process_init
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


@worker_process_init.connect(weak=False)
def start_tracing(**_):
    exporter = OTLPSpanExporter(
        endpoint="$endpoint/v1/traces",
        headers={"Authorization": "Bearer $key"},
        compression=Compression.Gzip,
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "shop-floor-worker"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()
"""

_EVENT = """\
curl --fail-with-body $endpoint/v1/events \\
  -H 'Authorization: Bearer $key' \\
  -H 'Content-Type: application/cloudevents+json' \\
  -d '{
    "specversion": "1.0",
    "id": "'"$$(date +%s)"'",
    "source": "/erp/orders",
    "type": "dev.andon.mfg.order.released.v1",
    "subject": "4711",
    "data": {"order": "4711"}
  }'
"""

_ALL = (
    ("cloudevent", "One event, by hand", "Paste it into a terminal: the quickest way to see something arrive.", _EVENT),
    ("environment", "Any OpenTelemetry SDK", "Environment variables that every SDK understands.", _ENVIRONMENT),
    ("python", "OpenTelemetry in Python", "Protobuf over HTTP, gzip. Run as it stands, it sends one span.", _PYTHON),
    ("collector", "OpenTelemetry Collector", "An exporter beside those you have.", _COLLECTOR),
    ("n8n", "n8n", "Environment of n8n 2.19 or newer; nothing else to install.", _N8N),
    ("celery", "Celery", "In the module that makes the Celery app. Retries and rejections are understood.", _CELERY),
)
#: Stands where the key goes as long as none was just made.
PLACEHOLDER = "YOUR_INGEST_KEY"


def snippets(endpoint: str, key: str = PLACEHOLDER) -> tuple[Snippet, ...]:
    """Return all snippets for an endpoint without a trailing slash."""
    return tuple(
        Snippet(name, title, note, Template(code).substitute(endpoint=endpoint, key=key).rstrip())
        for name, title, note, code in _ALL
    )
