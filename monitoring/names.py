"""Names as columns hold them: cut to their width, or as a number that stands for them in an index."""

from __future__ import annotations

import hashlib

#: What the columns hold for ids of units and messages, keys of automations, queues and topics.
ID_CHARS = 300
_MARK = 24


def fitted(name: str, width: int = ID_CHARS) -> str:
    """The name itself where it fits; else its beginning and a mark of the whole, `width` characters together.

    So two long ones that begin alike never become one. The mark looks like no hash that stands for one run or order
    (`sources/entry.py`), which is left out of names.
    """
    if len(name) <= width:
        return name
    mark = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:_MARK]
    return f"{name[: width - _MARK - 2]}~x{mark}"


def unit_digest(unit_id: str) -> int:
    """64 bits, signed, that stand for the id of a unit of work as it is stored. Migration 0010 spells it again."""
    digest = hashlib.blake2b(unit_id.encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
