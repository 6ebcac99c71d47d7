"""Alerts: findings with one fingerprint meet in one alert, which fires, is acknowledged and resolves."""
