"""Monitoring's routes below /api/v1/."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from monitoring.api.alerts import AlertsViewSet
from monitoring.api.channels import ChannelsViewSet
from monitoring.api.dead_letters import DeadLettersViewSet
from monitoring.api.events import EventsViewSet
from monitoring.api.legal_holds import LegalHoldsViewSet
from monitoring.api.mapping_rules import MappingRulesViewSet
from monitoring.api.processes import ProcessesViewSet
from monitoring.api.runs import RunsViewSet
from monitoring.api.slas import SlasViewSet
from monitoring.api.usage import UsageViewSet
from monitoring.api.workflows import WorkflowsViewSet

router = SimpleRouter(use_regex_path=False)
router.register("runs", RunsViewSet, basename="run")
router.register("events", EventsViewSet, basename="event")
router.register("alerts", AlertsViewSet, basename="alert")
router.register("dead-letters", DeadLettersViewSet, basename="dead-letter")
router.register("processes", ProcessesViewSet, basename="process")
router.register("workflows", WorkflowsViewSet, basename="workflow")
router.register("slas", SlasViewSet, basename="sla")
router.register("mapping-rules", MappingRulesViewSet, basename="mapping-rule")
router.register("channels", ChannelsViewSet, basename="channel")
router.register("legal-holds", LegalHoldsViewSet, basename="legal-hold")
router.register("usage", UsageViewSet, basename="usage")

urlpatterns = router.urls
