"""Segments: named sets of people with versions, and which campaigns use which."""
