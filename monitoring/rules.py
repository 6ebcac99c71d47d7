"""The tenant's catalogue as mapping and detection see it: a frozen snapshot, taken once for each change of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from monitoring.findings import ProcessFacts


@dataclass(frozen=True, slots=True)
class KeyRule:
    """Where a business key is found: `type` order, `expression` a CEL expression or an attribute name."""

    type: str
    expression: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One mapping rule. `condition` is CEL over `resource`, `span` and `event`; the first that holds decides."""

    id: int
    position: int
    name: str
    condition: str
    process_id: int
    workflow_name: str = ""
    site_id: int | None = None
    keys: tuple[KeyRule, ...] = ()


@dataclass(frozen=True, slots=True)
class SlaRule:
    """A promise: `duration` (`target_s` from start to end) or `due_time` (`due_attribute`, else daily `due_local`)."""

    id: int
    process_id: int
    name: str
    kind: str
    target_s: int | None
    due_attribute: str = ""
    due_local: str = ""  # "HH:MM" in the site's zone
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """Which alerts a channel carries: at least `min_severity`, of `kinds` (empty: all)."""

    id: int
    min_severity: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything the pure stages need to know about one tenant. `version` changes whenever anything here does."""

    tenant_id: int
    version: int
    rules: tuple[Rule, ...] = ()
    processes: Mapping[int, ProcessFacts] = field(default_factory=lambda: MappingProxyType({}))
    slas: Mapping[int, tuple[SlaRule, ...]] = field(default_factory=lambda: MappingProxyType({}))  # by process id
    #: Process given to an automation by a person, by (source_system, source_key); used where no rule matches.
    assigned: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    sites: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # id by short name
    #: Thresholds by detector kind; a missing name means the detector's own default.
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))
    #: Detector kinds that the tenant has switched off.
    disabled: frozenset[str] = frozenset()
    #: The channels that are switched on.
    channels: tuple[ChannelRule, ...] = ()
