"""All flows by name. A new one is a file beside this one and a line here."""

from __future__ import annotations

from console.plant.flows import (
    inventory_sync,
    order_release,
    order_release_n8n,
    production_confirmation,
    quality_hold,
    redrive,
    service_escalation,
    shipment_notice,
    supplier_asn,
    unowned,
)
from console.plant.flows.contract import Flow

_FLOWS: tuple[Flow, ...] = (
    order_release.FLOW,
    order_release_n8n.FLOW,
    production_confirmation.FLOW,
    inventory_sync.FLOW,
    quality_hold.FLOW,
    quality_hold.DECISION,
    quality_hold.RELEASE,
    supplier_asn.FLOW,
    supplier_asn.RESPONSE,
    shipment_notice.FLOW,
    service_escalation.FLOW,
    service_escalation.ACCEPTANCE,
    redrive.FLOW,
    *unowned.FLOWS,
)
FLOWS: dict[str, Flow] = {flow.name: flow for flow in _FLOWS}
