"""The bytes of bodies that one worker holds as they came over the wire: small ones in one share, large in another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from monitoring.receive.share import Holding, Share

#: Bodies up to this size go by the large ones; an exporter's usual batch has a few dozen KiB.
_SMALL_BYTES = 1 << 20
#: The part of all room that is for small bodies alone.
_SMALL_PART = 3


class Hold:
    """What one request holds; nothing until it has entered a room."""

    def __init__(self) -> None:
        self.size = 0
        self._holding: Holding | None = None
        self._large: Holding | None = None

    def enter(self, small: Holding, large: Holding) -> None:
        """From here on, what is added counts."""
        self._holding, self._large = small, large

    def add(self, size: int) -> None:
        """Hold so many bytes more; raises Overloaded or OverShare where they can't be had."""
        self.size += size
        if self._holding is None or self._large is None:
            return
        if self._holding is not self._large and self.size > _SMALL_BYTES:
            self._holding.drop()
            self._holding = self._large
            self._large.add(self.size)
        else:
            self._holding.add(size)


class Room:
    """Two shares of the same room, so that bodies of ordinary size never wait for large ones."""

    def __init__(self, most: int) -> None:
        self.small = Share(most // _SMALL_PART)
        self.large = Share(most - most // _SMALL_PART)

    @property
    def held(self) -> int:
        """All bytes that are held."""
        return self.small.held + self.large.held

    @contextmanager
    def entered(self, tenant_id: int, announced: int, hold: Hold) -> Iterator[None]:
        """Let a body of the announced size (0: unknown) in, or raise Overloaded or OverShare before it is read."""
        with ExitStack() as stack:
            small = stack.enter_context(self.small.holding(tenant_id))
            large = stack.enter_context(self.large.holding(tenant_id))
            (self.large if announced > _SMALL_BYTES else self.small).check(tenant_id, announced)
            hold.enter(small, large)
            yield
