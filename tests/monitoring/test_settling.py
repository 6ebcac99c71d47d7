"""A settled projection depends on what happened alone: not on order, cut or repetition of the requests that told it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.models import Process
from tests.cast import Member
from tests.monitoring.plant_stories import Request, Story, plant_catalogue, send, stories, tellings
from tests.monitoring.projection import Projection, projection, settle_all


@pytest.fixture
def process(owner: Member) -> Process:
    """Two processes, one with a promise, and what no rule claims."""
    return plant_catalogue(owner)


def settled(member: Member, requests: Sequence[Request]) -> Projection:
    """What these requests come to, settled; everything they wrote is taken back afterwards."""
    with transaction.atomic():
        for request in requests:
            send(member, request)
        settle_all(member.tenant.pk)
        found = projection(member.tenant.pk)
        transaction.set_rollback(True)
    return found


def whole(story: Story) -> list[Request]:
    """The story in as few requests as there can be."""
    return [request for request in (Request(spans=story.spans), Request(events=story.events)) if any_of(request)]


def any_of(request: Request) -> bool:
    return bool(request.spans or request.events)


#: For the long form: ANDON_EXAMPLES=2000 python -m pytest tests/monitoring/test_settling.py
_EXAMPLES = int(os.environ.get("ANDON_EXAMPLES", "25"))


@settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_cut_and_repetition_settles_to_the_same(owner: Member, process: Process, data: st.DataObject) -> None:
    story = data.draw(stories())
    telling = data.draw(tellings(story))
    assert settled(owner, telling) == settled(owner, whole(story))
