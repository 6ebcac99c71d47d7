"""Telling people: the outbox, and one file for each way a notification travels."""
