"""How findings name things: counts in business words, durations, workflows and their processes."""

from __future__ import annotations

from collections.abc import Iterable

from monitoring.facts import BusinessKey
from monitoring.findings import ProcessFacts, WorkflowFacts

_PLURALS = {
    "order": "orders", "lot": "lots", "hold": "quality holds", "ncr": "non-conformances", "capa": "CAPAs",
    "po": "purchase orders", "customer_po": "customer orders", "asn": "ASNs", "shipment": "shipments",
    "sscc": "pallets", "case": "service cases", "serial": "serial numbers", "workorder": "work orders",
    "joborder": "job orders", "asset": "assets", "item": "items", "movement": "goods movements", "invoice": "invoices",
    "notice": "notices", "message": "messages",
}  # fmt: skip
_SINGULARS = {
    "hold": "quality hold", "ncr": "non-conformance", "capa": "CAPA", "po": "purchase order",
    "customer_po": "customer order", "asn": "ASN", "sscc": "pallet", "case": "service case", "serial": "serial number",
    "workorder": "work order", "joborder": "job order", "movement": "goods movement",
}  # fmt: skip
#: What a finding is about, most business-like first: an order says more than the message that carried it.
_SAYS_MOST = ("order", "po", "shipment", "asn", "hold", "lot", "case", "workorder", "movement", "serial")


def subject(workflow: WorkflowFacts, process: ProcessFacts) -> str:
    """What a title begins with: the business process, or the automation where nobody has said which it serves."""
    return process.name if process.id is not None and process.name else workflow.name


def counted(number: int, kind: str) -> str:
    """`3 orders`, `1 purchase order`; a type of the tenant's own is taken as it is spelled."""
    if number == 1:
        return f"1 {_SINGULARS.get(kind, kind.replace('_', ' '))}"
    return f"{number} {_PLURALS.get(kind, kind.replace('_', ' ') + 's')}"


def business_units(keys: Iterable[BusinessKey]) -> tuple[str, int]:
    """The type of key that says most about the business, and how many different ones of it there are."""
    by_type: dict[str, set[str]] = {}
    for key in keys:
        by_type.setdefault(key.type, set()).add(key.value)
    by_type.pop("message", None)
    if not by_type:
        return "message", 0
    kind = next((known for known in _SAYS_MOST if known in by_type), min(by_type))
    return kind, len(by_type[kind])


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`: two units at most."""
    whole = round(abs(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min"
    if whole < 86_400:
        hours, minutes = whole // 3_600, whole % 3_600 // 60
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = whole // 86_400, whole % 86_400 // 3_600
    return f"{days} d {hours} h" if hours else f"{days} d"
