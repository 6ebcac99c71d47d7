"""Names cut to the width of their column, so that two long ones that begin alike never become one."""

from __future__ import annotations

import hashlib

_MARK = 24


def fitted(name: str, width: int) -> str:
    """The name itself where it fits; else its beginning and a mark of the whole, `width` characters together."""
    if len(name) <= width:
        return name
    mark = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:_MARK]
    return f"{name[: width - _MARK - 1]}~{mark}"
