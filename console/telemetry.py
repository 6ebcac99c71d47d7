"""Andon's own tracing and error reports, both off without an endpoint."""

from __future__ import annotations

import os
from typing import Any

import sentry_sdk
from django.conf import settings
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration

_HIDDEN = "(hidden)"
#: Parts of names whose values never leave the installation.
_PERSONAL = ("password", "secret", "token", "authorization", "cookie", "email", "digest", "key", "body", "payload")


def set_up() -> None:
    """Start tracing where OTEL_EXPORTER_OTLP_ENDPOINT names a collector, and error reports where SENTRY_DSN does."""
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        provider = TracerProvider(
            resource=Resource.create({"service.name": "andon", "service.version": settings.VERSION})
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
    if settings.SENTRY_DSN:
        sentry_sdk.init(
            dsn=settings.SENTRY_DSN,
            release=f"andon@{settings.VERSION}",
            send_default_pii=False,
            max_request_body_size="never",
            include_local_variables=False,
            before_send=scrubbed,
            integrations=[DjangoIntegration(), CeleryIntegration()],
            default_integrations=True,
        )


def scrubbed(event: Any, hint: Any) -> Any:
    """Return the event without request data and without the values of personal fields."""
    request = event.get("request")
    if isinstance(request, dict):
        for part in ("data", "cookies", "headers", "query_string", "env"):
            request.pop(part, None)
    event.pop("user", None)
    return _without_personal(event)


def _without_personal(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _HIDDEN if any(word in str(name).lower() for word in _PERSONAL) else _without_personal(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_without_personal(item) for item in value]
    return value
