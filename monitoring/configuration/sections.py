"""What a configuration file may say: its sections, their fields, and what names an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitoring.configuration import readers as read
from monitoring.configuration.readers import Reader
from monitoring.findings import Kind, Severity
from monitoring.models.catalogue import Criticality, SlaKind
from monitoring.models.delivery import ChannelKind
from partners.roles import PARTNER_ROLES, Role


@dataclass(frozen=True, slots=True)
class Section:
    """One top-level list. `key` names an entry; `aliases` are fields kept under another name; `inner` are lists."""

    noun: str
    key: tuple[str, ...]
    fields: Mapping[str, Reader]
    required: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    inner: Mapping[str, Section] = field(default_factory=dict)


_SLAS = Section(
    noun="SLA",
    key=("name",),
    fields={
        "name": read.text(120, blank=False),
        "kind": read.choice(SlaKind.values),
        "target": read.duration,
        "target_s": read.optional(read.seconds),
        "due_attribute": read.text(120),
        "due_local": read.clock,
        "objective": read.amount("0", "100"),
    },
    aliases={"target": "target_s"},
)

SECTIONS: Mapping[str, Section] = {
    "sites": Section(
        noun="site",
        key=("slug",),
        fields={"slug": read.slug, "name": read.text(120, blank=False), "zone": read.zone},
        required=("name",),
    ),
    "members": Section(
        noun="member",
        key=("email", "role"),
        fields={
            "email": read.email,
            "role": read.choice(role for role in Role if role not in PARTNER_ROLES),
            "name": read.text(120),
        },
    ),
    "processes": Section(
        noun="process",
        key=("slug",),
        fields={
            "slug": read.slug,
            "name": read.text(120, blank=False),
            "description": read.text(10_000),
            "site": read.optional(read.slug),
            "owner": read.optional(read.email),
            "criticality": read.choice(Criticality.values),
            "regulated": read.flag,
            "cost_per_hour": read.optional(read.amount("0", "9999999999.99")),
        },
        required=("name",),
        inner={"slas": _SLAS},
    ),
    "mapping_rules": Section(
        noun="mapping rule",
        key=("name",),
        fields={
            "name": read.text(120, blank=False),
            "when": read.condition,
            "process": read.slug,
            "workflow_name": read.text(300),
            "keys": read.keys,
            "enabled": read.flag,
        },
        required=("when", "process"),
        aliases={"when": "condition"},
    ),
    "workflows": Section(
        noun="workflow",
        key=("source_system", "source_key"),
        fields={
            "source_system": read.text(40, blank=False),
            "source_key": read.text(300, blank=False),
            "name": read.text(300, blank=False),
            "process": read.slug,
        },
        required=("process",),
    ),
    "detectors": Section(
        noun="detector",
        key=("kind",),
        fields={"kind": read.choice(Kind), "enabled": read.flag, "thresholds": read.numbers},
    ),
    "channels": Section(
        noun="channel",
        key=("name",),
        fields={
            "name": read.text(120, blank=False),
            "kind": read.choice(ChannelKind.values),
            "target": read.text(500, blank=False),
            "min_severity": read.choice(Severity),
            "kinds": read.words(Kind),
            "enabled": read.flag,
        },
        required=("kind", "target"),
    ),
}
