"""Runs that kill processes in the middle of sending, and count what reached the gateway."""
