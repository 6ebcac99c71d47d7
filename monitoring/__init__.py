"""Telemetry in, alerts out: intake, mapping, projection, detection, notification."""

from monitoring.native import modules

#: Why the main line runs in Python; empty where its compiled modules are in use. Before any of them is imported.
INTERPRETED = modules.use()
