"""Tests of monitoring; the tree mirrors the app."""
