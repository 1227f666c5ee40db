"""The stage of the campaigns' tests, for what happens on the way to the wire."""

from tests.campaigns.conftest import clock, stage

__all__ = ["clock", "stage"]
