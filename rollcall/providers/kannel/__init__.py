"""Kannel: a gateway of one's own, asked over HTTP."""
