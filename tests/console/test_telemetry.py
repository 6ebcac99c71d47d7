"""Andon's own traces and error reports: off without an endpoint, and never with what is personal."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from console.embedded.home import PROJECT
from console.telemetry import scrubbed, set_up
from tests.monitoring.post_boxes import Post, web_receiver

_PROGRAM = """
import django
django.setup()
import sentry_sdk
from django.conf import settings
from opentelemetry import trace
from console.telemetry import set_up
set_up()
with trace.get_tracer("andon.monitoring").start_as_current_span("andon.project"):
    pass
password = "hunter2"
sentry_sdk.set_user({"email": "person@aster.example"})
sentry_sdk.set_context("import", {"api_token": "hunter3", "rows": 7})
try:
    raise ValueError("a fault of ours")
except ValueError as fault:
    sentry_sdk.capture_exception(fault)
trace.get_tracer_provider().shutdown()
sentry_sdk.flush(5)
"""


@pytest.fixture(scope="module")
def posts() -> list[Post]:
    """What a console with both endpoints set sends out when something breaks in it."""
    with web_receiver() as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        environ = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "SENTRY_DSN": f"http://abc@127.0.0.1:{port}/1",
        }
        subprocess.run([sys.executable, "-c", _PROGRAM], cwd=PROJECT, env=environ, check=True, timeout=60)
        return list(receiver.posts)


def test_it_exports_its_spans_under_its_name(posts: list[Post]) -> None:
    [export] = [post for post in posts if post.target == "/v1/traces"]
    body = gzip.decompress(export.body) if export.headers.get("content-encoding") == "gzip" else export.body
    [group] = ExportTraceServiceRequest.FromString(body).resource_spans
    assert group.scope_spans[0].spans[0].name == "andon.project"
    assert {pair.key: pair.value.string_value for pair in group.resource.attributes}["service.name"] == "andon"


def test_it_reports_a_fault_without_what_is_personal(posts: list[Post]) -> None:
    envelopes = [post for post in posts if post.target.startswith("/api/1/envelope")]
    said = b"".join(
        gzip.decompress(post.body) if post.headers.get("content-encoding") == "gzip" else post.body
        for post in envelopes
    )
    assert b"a fault of ours" in said
    assert b'"rows":7' in said.replace(b" ", b"")
    for personal in (b"hunter2", b"hunter3", b"person@aster.example"):
        assert personal not in said


def test_it_sends_nothing_where_no_endpoint_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    before = trace.get_tracer_provider()
    set_up()
    assert trace.get_tracer_provider() is before


def test_it_takes_out_the_request_and_the_person() -> None:
    event = {
        "message": "broke",
        "user": {"email": "person@aster.example"},
        "request": {
            "url": "https://andon.example/t/aster/",
            "method": "POST",
            "data": {"password": "hunter2"},
            "cookies": {"andon": "s"},
            "headers": {"Authorization": "Bearer x"},
            "query_string": "token=x",
            "env": {"REMOTE_ADDR": "10.1.2.3"},
        },
        "extra": {"ingest_key": "andon_in_x", "nested": [{"Email": "a@b.example", "count": 3}]},
    }
    assert scrubbed(event, {}) == {
        "message": "broke",
        "request": {"url": "https://andon.example/t/aster/", "method": "POST"},
        "extra": {"ingest_key": "(hidden)", "nested": [{"Email": "(hidden)", "count": 3}]},
    }


def test_a_report_that_is_not_scrubbed_is_caught() -> None:
    """The control: the check above would see it."""
    event = {"request": {"data": {"password": "hunter2"}}}
    assert "hunter2" in str(event)
    assert "hunter2" not in str(scrubbed(event, {}))
