"""The database connections of intake's threads: one each, kept, and replaced when it has broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, connections

_Found = TypeVar("_Found")

#: What intake asks, it asks by key: one plan serves, and making it anew would cost as much as what is asked. The plan
#: may be made while the tables are empty; one that reads an empty table from end to end would do so when it is full.
_BY_KEY = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
#: Nobody waits longer for what another request holds. A statement may take longer than its sender waits for: what is
#: committed meanwhile is known when it is sent again, and what is given up on a slow machine would never be. Said once
#: for each connection, since each word of a transaction's own costs all requests.
_PATIENCE = "-c lock_timeout=3s -c statement_timeout=20s"


def keep_own_connection() -> None:
    """Give this thread a connection that it keeps. A pool would take it away and test it for each request."""
    wrapper = connections["default"]
    options = {name: value for name, value in wrapper.settings_dict["OPTIONS"].items() if name != "pool"}
    wrapper.settings_dict = {
        **wrapper.settings_dict,
        "OPTIONS": {
            **options,
            "connect_timeout": 2,
            "options": f"{options.get('options', '')} {_BY_KEY} {_PATIENCE}".strip(),
        },
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False,
    }


def drop_broken_connection() -> bool:
    """Let go of this thread's connection if it has broken, and say whether it had: the next statement opens another."""
    found = connection.connection
    # Told that it is cut off, a connection does not count as closed before it is used again.
    if found is not None and not found.closed and connection.is_usable():
        return False
    connection.close()
    return True


def with_live_connection(call: Callable[[], _Found]) -> _Found:
    """Read once more where the connection turns out to have broken since it was last used."""
    try:
        return call()
    except (OperationalError, InterfaceError):
        if not drop_broken_connection():
            raise
        return call()
