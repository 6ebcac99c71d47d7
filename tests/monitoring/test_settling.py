"""A settled projection depends on what happened alone: not on order, cut or repetition of the requests that told it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.models import Process
from tests.cast import Member
from tests.monitoring.line import take, take_events
from tests.monitoring.plant_stories import Request, Story, stories, tellings
from tests.monitoring.projection import Projection, projection, settle_all
from tests.rows import make_process, make_rule, make_sla


@pytest.fixture
def process(owner: Member) -> Process:
    """Two processes, one with a promise, and what no rule claims."""
    with owner.scope():
        made = make_process(name="Order release", slug="release", owner=owner.user)
        make_sla(made, target_s=60)
        make_rule(made, condition="resource['service.name'] == 'erp-bridge'")
        make_rule(make_process(name="Confirmation", slug="confirm"), condition="resource['service.name'] == 'mes'")
    return made


def send(member: Member, request: Request) -> None:
    if request.events:
        assert take_events(member.tenant.pk, *request.events).status == 200
    if request.spans:
        assert take(member.tenant.pk, body_of(request.spans)).status == 200


def body_of(spans: Sequence[tuple[str, dict[str, Any]]]) -> bytes:
    """An export in which each service stands as often as its spans do not lie together."""
    groups = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": [said for _, said in group]}],
        }
        for service, group in itertools.groupby(spans, key=lambda pair: pair[0])
    ]
    return json.dumps({"resourceSpans": groups}).encode()


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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_cut_and_repetition_settles_to_the_same(owner: Member, process: Process, data: st.DataObject) -> None:
    story = data.draw(stories())
    telling = data.draw(tellings(story))
    assert settled(owner, telling) == settled(owner, whole(story))
