"""The five plants: whose they are, where they stand, how their shifts run and which flows keep them going."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from zoneinfo import ZoneInfo

from console.plant.shifts import Shifts


@dataclass(frozen=True)
class Plant:
    """One plant. `per_day` is the number of runs of each flow on a full working day."""

    slug: str
    site: str
    zone_name: str
    partner: str
    tenant: str
    tenant_slug: str
    currency: str
    per_day: dict[str, float]
    shifts: Shifts = field(default=Shifts())
    #: Whether its systems name the site themselves, as they must where a tenant has several.
    states_site: bool = False

    @property
    def domain(self) -> str:
        """Where its role addresses and event sources live."""
        return f"{self.slug}.example"

    def named(self, system: str) -> str:
        """What a system or automation is called here: where a tenant has several plants, each has its own."""
        return f"{self.slug}-{system}" if self.states_site else system

    @cached_property
    def zone(self) -> ZoneInfo:
        """The plant's time zone."""
        return ZoneInfo(self.zone_name)


_USUAL = {
    "order_release": 60.0,
    "production_confirmation": 90.0,
    "inventory_sync": 80.0,
    "quality_hold": 7.0,
    "supplier_asn": 30.0,
    "shipment_notice": 45.0,
    "service_escalation": 12.0,
}

_NORDWERK, _RHEIN = "Nordwerk Automation", "Rhein Systems"

PLANTS: tuple[Plant, ...] = (
    Plant(
        slug="ulm",
        site="Ulm",
        zone_name="Europe/Berlin",
        partner=_NORDWERK,
        tenant="Donauwehr Antriebe",
        tenant_slug="donauwehr-antriebe",
        currency="EUR",
        per_day={**_USUAL, "price_list_import": 10.0, "file_drop": 4.0},
        states_site=True,
    ),
    Plant(
        slug="wroclaw",
        site="Wrocław",
        zone_name="Europe/Warsaw",
        partner=_NORDWERK,
        tenant="Donauwehr Antriebe",
        tenant_slug="donauwehr-antriebe",
        currency="PLN",
        per_day={**_USUAL, "tool_calibration": 9.0},
        shifts=Shifts(night=0.6),
        states_site=True,
    ),
    Plant(
        slug="sabadell",
        site="Sabadell",
        zone_name="Europe/Madrid",
        partner=_NORDWERK,
        tenant="Valdecanto Envases",
        tenant_slug="valdecanto-envases",
        currency="EUR",
        per_day={
            **{name: rate for name, rate in _USUAL.items() if name != "order_release"},
            "order_release_n8n": 60.0,
            "label_reprint": 12.0,
        },
        shifts=Shifts(night=0.0, saturday=0.2, sunday=0.0),
    ),
    Plant(
        slug="rockford",
        site="Rockford",
        zone_name="America/Chicago",
        partner=_RHEIN,
        tenant="Lakebend Gear Works",
        tenant_slug="lakebend-gear-works",
        currency="USD",
        per_day={**_USUAL, "scrap_report": 8.0, "file_drop": 4.0},
        shifts=Shifts(late=0.6, night=0.15),
    ),
    Plant(
        slug="tuas",
        site="Tuas",
        zone_name="Asia/Singapore",
        partner=_RHEIN,
        tenant="Tuasbay Precision",
        tenant_slug="tuasbay-precision",
        currency="SGD",
        per_day={**_USUAL, "energy_meter_upload": 11.0},
        shifts=Shifts(night=0.9, saturday=0.9, sunday=0.5),
    ),
)

BY_SLUG = {plant.slug: plant for plant in PLANTS}


def plant_of_tenant(name: str) -> Plant | None:
    """The first plant of the tenant with this name or short name, if the tenant is one of the demo's."""
    wanted = name.strip().lower()
    return next((plant for plant in PLANTS if wanted in {plant.tenant.lower(), plant.tenant_slug}), None)
