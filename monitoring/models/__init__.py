"""What monitoring keeps: one file for each group of nouns."""

from monitoring.models.alerts import Alert, AlertEvent
from monitoring.models.catalogue import CatalogueVersion, DetectorSetting, MappingRule, Process, Sla, Workflow
from monitoring.models.delivery import Channel, Notification, Timer
from monitoring.models.grants import ProcessUserPermission
from monitoring.models.intake import Intake, IntakeDay, LegalHold, Rebuild, TraceLog
from monitoring.models.rollups import IntakeOutcome, WorkflowMinute
from monitoring.models.telemetry import Attempt, BusinessKey, DeadLetter, Event, PlainTry, Run, RunKind

__all__ = [
    "Alert",
    "AlertEvent",
    "Attempt",
    "BusinessKey",
    "CatalogueVersion",
    "Channel",
    "DeadLetter",
    "DetectorSetting",
    "Event",
    "Intake",
    "IntakeDay",
    "IntakeOutcome",
    "LegalHold",
    "MappingRule",
    "Notification",
    "PlainTry",
    "Process",
    "ProcessUserPermission",
    "Rebuild",
    "Run",
    "RunKind",
    "Sla",
    "Timer",
    "TraceLog",
    "Workflow",
    "WorkflowMinute",
]
