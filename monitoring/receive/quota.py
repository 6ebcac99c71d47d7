"""A hard limit for each tenant, where the operator sets one: requests and bytes a second, as two leaky buckets."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic

#: What a tenant that was quiet may send at once, in seconds of its quota: exporters send in bursts.
_BURST_S = 2.0
_MOST_TENANTS = 10_000


class OverQuota(RuntimeError):
    """The tenant has sent more than it may for now."""


@dataclass(slots=True)
class _Level:
    """What a tenant may still send; the bytes of a body are known once it is read, so they may go below nought."""

    at: float
    requests: float
    size: float


class Quota:
    """The same quota for every tenant, counted in this process. Nought means: no limit."""

    def __init__(self, requests_per_s: float, bytes_per_s: float) -> None:
        self._requests_per_s = requests_per_s
        self._bytes_per_s = bytes_per_s
        self._levels: OrderedDict[int, _Level] = OrderedDict()

    def enter(self, tenant_id: int) -> None:
        """Count a request, or raise OverQuota: before its body is read. A request that is refused costs nothing."""
        if not self._requests_per_s and not self._bytes_per_s:
            return
        level = self._now(tenant_id)
        if (self._requests_per_s and level.requests < 1) or (self._bytes_per_s and level.size <= 0):
            raise OverQuota
        level.requests -= 1

    def spend(self, tenant_id: int, size: int) -> None:
        """Count the bytes of a body as they came over the wire."""
        if self._bytes_per_s:
            self._now(tenant_id).size -= size

    def _now(self, tenant_id: int) -> _Level:
        now = monotonic()
        full = _Level(now, max(1.0, self._requests_per_s * _BURST_S), self._bytes_per_s * _BURST_S)
        level = self._levels.pop(tenant_id, full)
        passed = now - level.at
        level.at = now
        level.requests = min(full.requests, level.requests + passed * self._requests_per_s)
        level.size = min(full.size, level.size + passed * self._bytes_per_s)
        self._levels[tenant_id] = level
        if len(self._levels) > _MOST_TENANTS:
            self._levels.popitem(last=False)
        return level
