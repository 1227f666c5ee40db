"""Twilio: text messages over its HTTP API."""
