"""The OpenTelemetry SDK of every simulated system: one resource each, and what their tracers have finished."""

from __future__ import annotations

from random import Random
from typing import cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from console.plant.ids import SeededIds
from console.plant.plants import Plant

_VERSIONS = ("1.4.2", "2.0.1", "3.7.0", "5.11.3")


class Studio:
    """Makes a tracer for each system of each plant; all spans that end are kept until they are taken."""

    def __init__(self) -> None:
        self._ids = SeededIds()
        self._finished = _Finished()
        self._providers: dict[tuple[str, str], TracerProvider] = {}
        self._tracers: dict[tuple[str, str, str], Tracer] = {}

    def draw_from(self, rng: Random) -> None:
        """Starts a run: the ids of its spans come from this source of chance."""
        self._finished.take()
        self._ids.draw_from(rng)

    def tracer(self, plant: Plant, system: str, scope: str) -> Tracer:
        """The tracer of an instrumentation (`scope`) in a system of the plant."""
        key = (plant.slug, system, scope)
        found = self._tracers.get(key)
        if found is None:
            found = self._tracers[key] = cast("Tracer", self._provider(plant, system).get_tracer(scope))
        return found

    def take(self) -> list[ReadableSpan]:
        """The spans that have ended since the last call."""
        return self._finished.take()

    def _provider(self, plant: Plant, system: str) -> TracerProvider:
        key = (plant.slug, system)
        found = self._providers.get(key)
        if found is None:
            found = TracerProvider(
                sampler=ALWAYS_ON, resource=_resource(plant, system), id_generator=self._ids, shutdown_on_exit=False
            )
            found.add_span_processor(self._finished)
            self._providers[key] = found
        return found


class _Finished(SpanProcessor):
    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: object = None) -> None:
        """Only ends matter."""

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)

    def take(self) -> list[ReadableSpan]:
        spans, self._spans = self._spans, []
        return spans


def _resource(plant: Plant, system: str) -> Resource:
    said = {
        "service.name": system,
        "service.namespace": plant.slug,
        "service.version": _VERSIONS[sum(system.encode()) % len(_VERSIONS)],
        "host.name": f"{system}.{plant.domain}",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
    }
    if system.endswith("n8n"):
        said |= {"n8n.instance.id": f"{plant.slug}-{system}", "n8n.instance.role": "main", "service.version": "2.41.1"}
    if plant.states_site:
        said["andon.site"] = plant.slug
    # Not Resource.create(): it would add this process's environment to systems that are somewhere else.
    return Resource(said)
