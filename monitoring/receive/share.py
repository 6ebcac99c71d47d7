"""Who may hold how much of something that all tenants share: bytes of bodies, places in the queue.

A tenant may take as long as it holds no more than twice what is still free. So one that is alone gets two thirds, two
get two fifths each, and whoever comes next always finds room: a noisy tenant meets its own limit first. (Choudhury and
Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_OF_THE_FREE = 2


class Overloaded(RuntimeError):
    """All that there is, is held: everybody is asked to come back."""


class OverShare(RuntimeError):
    """This tenant holds its share; others are still let in."""


class Share:
    """So many units for all tenants together. Used by one thread, the event loop's."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self._of: dict[int, int] = {}

    @contextmanager
    def holding(self, tenant_id: int) -> Iterator[Holding]:
        """Hold nothing at first; what is added is given back at the end."""
        holding = Holding(self, tenant_id)
        try:
            yield holding
        finally:
            self.hold(tenant_id, -holding.size)

    def check(self, tenant_id: int, size: int) -> None:
        """Raise Overloaded or OverShare where `size` more can't be had. What is alone is let in, whatever its size:
        the limit on one request is set elsewhere."""
        free = self.most - self.held
        if size > free and self.held:
            raise Overloaded
        if self._of.get(tenant_id, 0) + size > _OF_THE_FREE * free and self.held:
            raise OverShare

    def hold(self, tenant_id: int, size: int) -> None:
        """Count so much more as held, or, where it is negative, so much less."""
        self.held += size
        left = self._of.get(tenant_id, 0) + size
        if left > 0:
            self._of[tenant_id] = left
        else:
            self._of.pop(tenant_id, None)


class Holding:
    """What one request holds of a share."""

    def __init__(self, share: Share, tenant_id: int) -> None:
        self._share = share
        self._tenant_id = tenant_id
        self.size = 0

    def add(self, size: int) -> None:
        """Hold more. What this request itself holds already does not count as somebody else's."""
        if self._share.held > self.size:
            self._share.check(self._tenant_id, size)
        self._share.hold(self._tenant_id, size)
        self.size += size

    def drop(self) -> None:
        """Hold nothing any more."""
        self._share.hold(self._tenant_id, -self.size)
        self.size = 0
