"""Decisions made again: explained, replayed as fixtures, and held to a runbook's test cases."""
