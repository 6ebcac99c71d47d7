"""An HTTP call from one system to another, as client and server instrumentations write it."""

from __future__ import annotations

from opentelemetry.trace import Span, SpanKind

from console.plant.outcome import Failure
from console.plant.sheet import Attributes, Sheet

TIMEOUT = Failure("TimeoutError", "no answer within 30 s")
TIMEOUT_S = 30.0


def call(
    sheet: Sheet,
    client: str,
    server: str,
    route: str,
    median_s: float,
    *,
    attributes: Attributes | None = None,
    failure: Failure | None = None,
    resend: int = 0,
) -> Span:
    """One try. It fails with the server's refusal, or after the caller's patience; the client's span is returned."""
    host = f"{server}.{sheet.plant.domain}"
    said = {"http.request.method": "POST", "url.full": f"https://{host}{route}", "server.address": host}
    repeated = {"http.request.resend_count": resend} if resend else {}
    with sheet.step(client, "POST", {**said, **repeated, **(attributes or {})}, kind=SpanKind.CLIENT) as span:
        if failure is TIMEOUT:
            sheet.at += TIMEOUT_S
            sheet.fail(span, failure)
            return span
        route_said = {"http.request.method": "POST", "http.route": route}
        with sheet.step(server, f"POST {route}", route_said, kind=SpanKind.SERVER) as answer:
            sheet.toil(median_s)
            status = 503 if failure else 201
            answer.set_attribute("http.response.status_code", status)
            if failure:
                sheet.fail(answer, failure)
        sheet.spend(0.02)
        span.set_attribute("http.response.status_code", status)
        if failure:
            sheet.fail(span, failure)
    return span
