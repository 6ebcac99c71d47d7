"""Governance's REST API, one noun a file."""
