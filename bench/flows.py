"""The automations of the benchmark's plant: five flows over five services, twelve spans each, as SDKs describe them.

A text in curly brackets is filled in for each trace: `{order}` a business key of seven digits, `{message}` the id of
a message. A number 0 stands for one that differs from span to span. HTTP, database and messaging
attributes are those of OpenTelemetry's semantic conventions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Attributes = Mapping[str, str | int]

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
SERVICES = ("erp-bridge", "mes-gateway", "wms-sync", "quality-api", "edi-gateway")
SPANS_IN_TRACE = 12
#: The step that a retried trace fails at first, and the one that then stands for its second try.
CALL, AGAIN = 7, 8


@dataclass(frozen=True, slots=True)
class Step:
    """One span of a flow; `parent` is the number of another step, -1 for the root."""

    service: str
    name: str
    kind: int
    parent: int
    attributes: Attributes = field(default_factory=dict)


def served(service: str, route: str, parent: int, key: str) -> Step:
    """A request that a service answers."""
    attributes: Attributes = {
        "http.request.method": "POST",
        "http.route": route,
        "url.path": route.replace("{id}", "{order}"),
        "url.scheme": "https",
        "server.address": f"{service}.ulm.plant.example",
        "server.port": 8443,
        "http.response.status_code": 202,
        "network.protocol.version": "1.1",
        "client.address": "10.20.4.17",
        "user_agent.original": "python-requests/2.32.5",
        "thread.id": 0,
        key: "{order}",
    }
    return Step(service, f"POST {route}", SERVER, parent, attributes)


def called(service: str, host: str, path: str, parent: int) -> Step:
    """A request that a service makes."""
    attributes: Attributes = {
        "http.request.method": "POST",
        "url.full": f"https://{host}.ulm.plant.example:8443{path}/" + "{order}",
        "server.address": f"{host}.ulm.plant.example",
        "server.port": 8443,
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "peer.service": host,
        "http.response.body.size": 0,
        "thread.id": 0,
    }
    return Step(service, "POST", CLIENT, parent, attributes)


def queried(service: str, verb: str, table: str, parent: int) -> Step:
    """A database statement."""
    tail = {"SELECT": "* FROM {t} WHERE id = $1", "UPDATE": "{t} SET state = $1 WHERE id = $2"}
    attributes: Attributes = {
        "db.system.name": "postgresql",
        "db.namespace": "plant",
        "db.collection.name": table,
        "db.operation.name": verb,
        "db.query.text": f"{verb} " + tail.get(verb, "INTO {t} (id, state) VALUES ($1, $2)").replace("{t}", table),
        "server.address": "db-1.ulm.plant.example",
        "server.port": 5432,
        "db.response.returned_rows": 1,
        "thread.id": 0,
    }
    return Step(service, f"{verb} {table}", CLIENT, parent, attributes)


def sent(service: str, queue: str, parent: int) -> Step:
    """A message that goes out."""
    return Step(service, f"send {queue}", PRODUCER, parent, _message(queue, "send"))


def taken(service: str, queue: str, parent: int, key: str) -> Step:
    """A message that is worked on."""
    attributes: Attributes = {
        **_message(queue, "process"),
        "messaging.rabbitmq.message.delivery_tag": 0,
        key: "{order}",
    }
    return Step(service, f"process {queue}", CONSUMER, parent, attributes)


def worked(service: str, function: str, parent: int, key: str) -> Step:
    """A piece of the application's own work."""
    attributes: Attributes = {
        "code.function.name": f"plant.{service.replace('-', '_')}.{function}",
        "code.line.number": 118,
        "thread.name": "worker-3",
        "thread.id": 0,
        "plant.site": "ulm-werk-2",
        "plant.line": "L07",
        "step.outcome": "accepted",
        key: "{order}",
    }
    return Step(service, function, INTERNAL, parent, attributes)


def _message(queue: str, operation: str) -> Attributes:
    return {
        "messaging.system": "rabbitmq",
        "messaging.destination.name": queue,
        "messaging.operation.name": operation,
        "messaging.message.id": "{message}",
        "messaging.message.body.size": 0,
        "messaging.rabbitmq.destination.routing_key": queue,
        "server.address": "broker-1.ulm.plant.example",
    }


def _handed_on(entry: str, other: str, *, route: str, queue: str, table: str, key: str) -> tuple[Step, ...]:
    """A request is checked, written down and queued; another service takes it up and passes it on."""
    return (
        served(entry, route, -1, key),
        worked(entry, "validate", 0, key),
        queried(entry, "SELECT", table, 1),
        queried(entry, "UPDATE", table, 0),
        sent(entry, queue, 0),
        taken(other, queue, 4, key),
        worked(other, "translate", 5, key),
        called(other, "plc-gateway", f"/{table}", 5),
        worked(other, "confirm", 5, key),
        queried(other, "INSERT", f"{table}_log", 8),
        sent(other, f"{queue}.done", 5),
        queried(other, "UPDATE", "outbox", 10),
    )


def _consumed(entry: str, other: str, *, queue: str, route: str, table: str, key: str) -> tuple[Step, ...]:
    """A message starts it: looked up, posted to another service, which answers and writes it down."""
    return (
        taken(entry, queue, -1, key),
        worked(entry, "read", 0, key),
        queried(entry, "SELECT", table, 1),
        worked(entry, "map", 0, key),
        queried(entry, "SELECT", "material", 3),
        worked(entry, "price", 3, key),
        queried(entry, "UPDATE", table, 0),
        called(entry, other, route.replace("/{id}", ""), 0),
        served(other, route, 7, key),
        queried(other, "INSERT", f"{table}_posting", 8),
        worked(other, "post", 8, key),
        queried(other, "UPDATE", f"{table}_stock", 10),
    )


FLOWS: tuple[tuple[Step, ...], ...] = (
    _handed_on(
        "erp-bridge",
        "mes-gateway",
        route="/orders/{id}/release",
        queue="orders.release",
        table="production_order",
        key="order.id",
    ),
    _consumed(
        "wms-sync", "erp-bridge", route="/movements/{id}", queue="inventory.moves", table="inventory", key="movement.id"
    ),
    _handed_on("quality-api", "mes-gateway", route="/lots/{id}/hold", queue="lots.hold", table="lot", key="lot.id"),
    _handed_on("edi-gateway", "wms-sync", route="/asn/{id}", queue="asn.inbound", table="delivery", key="asn.id"),
    _consumed(
        "mes-gateway",
        "erp-bridge",
        route="/confirmations/{id}",
        queue="confirmations",
        table="operation",
        key="order.id",
    ),
)
