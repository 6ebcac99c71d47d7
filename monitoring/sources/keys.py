"""Business keys: the exact attribute and field names under which sources carry an order, a lot, a shipment.

Exact names only. Guessing from parts of a name would tie runs to the wrong order, which is worse than to none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from monitoring.facts import BusinessKey
from monitoring.records import Attributes, SpanRecord, Value
from monitoring.sources.by_names import ByNames, Names
from monitoring.sources.values import text

MAX_VALUE_CHARS = 128
#: More keys than this in one trace or event are a list of contents, not what the work was about.
MAX_KEYS = 64
#: Names of attributes that hold business keys, each with the type of key.
KeyNames: TypeAlias = tuple[tuple[str, str], ...]

_NAMES_BY_TYPE: dict[str, tuple[str, ...]] = {
    "order": (
        "order", "order.id", "order_id", "orderId", "orderid", "order.number", "order_number", "order_no",
        "erp.order_id", "erp.order.id", "mes.order_id", "mes.order.id", "manufacturing.order.id",
        "manufacturing.order_id", "production.order.id", "production_order", "production_order_id", "sales.order.id",
        "sales_order", "sales_order_id", "app.order.id", "order_ids",
    ),
    "customer_po": ("customer_po", "customer.po", "customer_po_id"),
    "lot": (
        "lot", "lot.id", "lot_id", "lotId", "lot_number", "batch", "batch.id", "batch_id", "batch_number",
        "manufacturing.lot.id", "manufacturing.batch.id", "material.lot.id", "mes.lot_id", "lot_ids",
    ),
    "serial": ("serial", "serial.number", "serial_number", "serial_no", "product.serial_number", "serials"),
    "hold": ("hold", "hold.id", "hold_id", "holdId", "quality.hold.id", "quality.hold_id", "hold_ids"),
    "ncr": ("ncr", "ncr.id", "ncr_id", "nc_id", "quality.ncr.id"),
    "capa": ("capa.id", "capa_id", "quality.capa.id"),
    "po": (
        "po", "po.id", "po_id", "po.number", "po_number", "purchase_order", "purchase.order.id", "purchase_order_id",
        "supplier.po.id", "po_ids",
    ),
    "asn": ("asn", "asn.id", "asn_id", "asn.number", "asn_number", "supplier.asn.id"),
    "shipment": ("shipment", "shipment.id", "shipment_id", "shipmentId", "shipment_number", "logistics.shipment.id"),
    "sscc": ("sscc", "logistics.sscc"),
    "bol": ("bol", "bill_of_lading", "bol_number"),
    "case": ("case.id", "case_id", "caseId", "case_number", "service.case.id", "ticket_id"),
    "rma": ("rma", "rma.id", "rma_id"),
    "workorder": ("wo_id", "work_order", "work.order.id", "work_order_id", "workorder_id", "maintenance.order.id"),
    "joborder": ("job_order_id", "job.order.id", "operations_request_id"),
    "asset": ("asset.id", "asset_id", "equipment_id", "equipment.id"),
    "item": ("item", "item.id", "item_id", "material", "material.id", "material_id", "material_number", "sku"),
    "movement": ("movement_ref", "movement.id", "movement_id", "goods_movement_id", "inventory.movement.id"),
    "recon": ("recon_id", "reconciliation_id"),
    "notice": ("notice_id", "notice.id"),
    "invoice": ("invoice.id", "invoice_id", "invoice_number"),
    "message": ("message_ref", "message.ref"),
}  # fmt: skip
TYPE_BY_NAME = {name: kind for kind, names in _NAMES_BY_TYPE.items() for name in names}
_OWN_PREFIX = "andon.key."
_OWN_TYPE = re.compile(r"[a-z][a-z0-9_]{0,31}")
#: n8n lets the author of a workflow put fields of their own under these; what follows is looked up as a name.
_CUSTOM_PREFIXES = ("n8n.workflow.custom.", "n8n.project.custom.", "n8n.node.custom.")


class _TypeOf(dict[str, str]):
    """The key type of an attribute name, `""` for none; remembers names, since a plant has few of them.

    A sender that invents names without end empties the memory, it does not fill it.
    """

    def __missing__(self, name: str) -> str:
        if len(self) > 8192:
            self.clear()
        found = self[name] = _type_of(name)
        return found


def _type_of(name: str) -> str:
    if name.startswith(_OWN_PREFIX):
        own = name.removeprefix(_OWN_PREFIX)
        return own if _OWN_TYPE.fullmatch(own) else ""
    for prefix in _CUSTOM_PREFIXES:
        if name.startswith(prefix):
            return TYPE_BY_NAME.get(name.removeprefix(prefix), "")
    return TYPE_BY_NAME.get(name, "")


_type_by_seen_name = _TypeOf()


def keys_of(kind: str, value: Value) -> Iterator[BusinessKey]:
    """The keys that one value holds: each item of a list, nothing for emptiness; values stripped and bounded."""
    if isinstance(value, list):
        for item in value[:MAX_KEYS]:
            if not isinstance(item, list):
                yield from keys_of(kind, item)
        return
    found = text(value)[:MAX_VALUE_CHARS]
    if found:
        yield BusinessKey(kind, found)


def key_type(name: str) -> str:
    """The type of the business keys that an attribute of this name holds, `""` for none."""
    return _type_by_seen_name[name]


def key_names(names: Names) -> KeyNames:
    """Which of these names hold business keys, and of which type; by name, whatever their order."""
    return _key_names[names]


def _found_key_names(names: Names) -> KeyNames:
    return tuple([(name, kind) for name in sorted(names) if (kind := _type_by_seen_name[name])])


_key_names = ByNames(_found_key_names)


def keys_of_span(span: SpanRecord) -> tuple[BusinessKey, ...]:
    """The business keys that one span carries."""
    return span_keys([(span.attributes, key_names(tuple(span.attributes)))])


def span_keys(keyed: Iterable[tuple[Attributes, KeyNames]]) -> tuple[BusinessKey, ...]:
    """The business keys that spans carry, each once, span by span, under the names that are given with each."""
    found: dict[BusinessKey, None] = {}
    for attributes, names in keyed:
        for name, kind in names:
            add_keys(found, kind, attributes[name])
    return tuple(found)[:MAX_KEYS]


def add_keys(found: dict[BusinessKey, None], kind: str, value: Value) -> None:
    """Put the keys that one value holds behind those that are found."""
    if type(value) is not str:
        found.update(dict.fromkeys(keys_of(kind, value)))
    elif (kind, value) not in found:  # The spans of a trace mostly repeat one key; a key equals a pair of texts.
        stripped = value.strip()[:MAX_VALUE_CHARS]
        if stripped:
            found[BusinessKey(kind, stripped)] = None


def data_keys(data: Value) -> tuple[BusinessKey, ...]:
    """The business keys in an event's data: by field name, and one level down by dotted name (`order.id`)."""
    if not isinstance(data, dict):
        return ()
    found: dict[BusinessKey, None] = {}
    for name, value in _flat(data):
        if kind := _type_by_seen_name[name]:
            found.update(dict.fromkeys(keys_of(kind, value)))
    return tuple(found)[:MAX_KEYS]


def _flat(data: dict[str, Value]) -> Iterator[tuple[str, Value]]:
    for name, value in data.items():
        if isinstance(value, dict):
            for inner, below in value.items():
                yield f"{name}.{inner}", below
        else:
            yield name, value


def united(groups: Iterable[tuple[BusinessKey, ...]]) -> tuple[BusinessKey, ...]:
    """Several readings' keys as one tuple, each key once, in the order met."""
    parts = [group for group in groups if group]
    if len(parts) <= 1:
        return parts[0] if parts else ()
    return tuple(dict.fromkeys(key for group in parts for key in group))[:MAX_KEYS]
