"""Runbooks as content: revisions, parameters, lint, test cases."""
