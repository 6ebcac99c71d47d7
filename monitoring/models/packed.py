"""A list of ids in a column of bytes: eight for each and one more, where an array of one takes 29."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from django.db import models


def packed(ids: Sequence[int]) -> bytes:
    """Return the ids as the column holds them: eight bytes each, the highest first."""
    return struct.pack(f">{len(ids)}q", *ids)


def unpacked(held: bytes) -> tuple[int, ...]:
    """Return the ids that a column holds."""
    return struct.unpack(f">{len(held) // 8}q", held)


class PackedIds(models.BinaryField):  # type: ignore[type-arg]  # Django's fields take no parameters at run time.
    """A list of 64-bit ids, in their order. It is read and written whole: no condition looks into it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"default": list, **kwargs})

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Pack it."""
        return super().get_db_prep_value(None if value is None else packed(value), connection, prepared)

    def from_db_value(self, value: Any, expression: object, connection: object) -> list[int] | None:
        """Unpack it."""
        return None if value is None else list(unpacked(bytes(value)))
