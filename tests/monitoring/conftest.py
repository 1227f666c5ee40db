"""The stage of the campaigns' tests, for what admins and authors are told of them."""

from tests.campaigns.conftest import clock, stage

__all__ = ["clock", "stage"]
