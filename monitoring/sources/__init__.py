"""How each source of telemetry says which automation ran, for which order, and how its attempts ended."""
