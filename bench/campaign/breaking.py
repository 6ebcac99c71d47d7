"""Breaks the console of this process in one of the ways that `controls.py` names."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from django.db import transaction

from bench.campaign.controls import ANSWER_FIRST, KEY_WITHOUT_TENANT, SECOND_TRANSACTION
from monitoring.decode.answers import content_type
from monitoring.failpoints import reach
from monitoring.project.rollups import Figures
from monitoring.receive import accept as accepting
from monitoring.receive import door
from monitoring.receive.accept import After
from monitoring.receive.arrival import Answer, Arrival
from monitoring.receive.log import Packed
from partners.database.statements import Asked, ask, execute
from partners.scope import tenant_scope


def apply(control: str) -> None:
    """Break this process's console."""
    if control == SECOND_TRANSACTION:
        _count_later()
    elif control == ANSWER_FIRST:
        _answer_first()
    elif control == KEY_WITHOUT_TENANT:
        _forget_the_tenant()


def _count_later() -> None:
    figures: Any = Figures
    write = figures.write

    def write_later(counted: Figures, tenant_id: int) -> None:
        def write_now() -> None:
            reach("intake.committed")
            with tenant_scope(tenant_id, actor=accepting.ACTOR):
                write(counted, tenant_id)

        transaction.on_commit(write_now)

    figures.write = write_later


def _answer_first() -> None:
    endpoint: Any = door
    accept_together = endpoint.accept_together
    workers = ThreadPoolExecutor(4)

    def at_once(arrivals: Sequence[Arrival], after: After) -> list[Answer]:
        workers.submit(accept_together, [replace(arrival, room=None) for arrival in arrivals], after)
        return [Answer(200, b"", content_type(arrival.encoding)) for arrival in arrivals]

    endpoint.accept_together = at_once


def _forget_the_tenant() -> None:
    stage: Any = accepting
    ask_to_keep = stage.ask_to_keep

    def keep_once(arrival: Arrival, payload: Any, decoded: Any, mark: bytes, stored: Packed) -> Asked:
        seen = execute("INSERT INTO campaign_seen VALUES (%s::bytea) ON CONFLICT DO NOTHING RETURNING 1", [mark])
        asked: Asked = ask_to_keep(arrival, payload, decoded, mark, stored) if seen else ask("SELECT 0, true", [])
        return asked

    stage.ask_to_keep = keep_once
