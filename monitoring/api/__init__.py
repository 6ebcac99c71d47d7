"""Monitoring's REST API, one noun a file: what a row looks like, and the actions on it."""
