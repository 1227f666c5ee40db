"""Fixtures of the segments' tests: those of the campaigns', with segments at hand."""

from tests.campaigns.conftest import clock, stage

__all__ = ["clock", "stage"]
