"""Campaigns with their audiences, with time that stands still."""

from tests.campaigns.conftest import clock, stage

__all__ = ["clock", "stage"]
