"""Organisations, their staff, log-in, API tokens and the audit trail."""
