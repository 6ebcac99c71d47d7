"""Faults of the database that pass by themselves: whoever asked is told to come back, not that something broke."""

from __future__ import annotations

from django.db import DatabaseError, InterfaceError, OperationalError

#: What the database says when it is the one in trouble: connection, resources, operator's intervention, read-only.
TRANSIENT_CLASSES = ("08", "53", "57", "58", "25", "40", "55")


def sqlstate(error: BaseException) -> str:
    """The five characters by which PostgreSQL names an error of Django's; empty where it named none."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def will_pass(error: BaseException | None) -> bool:
    """Whether the same request may succeed a moment later."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    state = sqlstate(error)
    if not state:
        # A connection that broke, or never came about, has none; nor has a mistake of ours that Django noticed.
        return isinstance(error, OperationalError | InterfaceError)
    return state.startswith(TRANSIENT_CLASSES)
