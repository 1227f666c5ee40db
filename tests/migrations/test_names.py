"""What the criteria of earlier campaigns and segments name becomes rows, whatever their text is."""

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask_migrate import upgrade

from rollcall.extensions import db
from tests.migrations.databases import opened
from tests.migrations.rows import insert

# The events are 1 show, 2 gala, 3 vip; the segments 1 vip, 2 regulars; the campaigns as here.
CAMPAIGNS: dict[int, Any] = {
    1: {"events": ["show", "gala", "gone"], "exclude_events": ["vip"], "sources": []},
    2: {"events": [], "segment": {"slug": "vip", "version": None}, "recent_message_hours": 72},
    3: {"events": ["gala"], "segment": {"slug": "vip", "version": 4}, "cities": ["show"]},
    4: {"events": ["show"], "exclude_segments": [{"slug": "regulars", "version": None}, "vip"]},
    5: {"events": ["gala"], "exclude_campaigns": [{"id": 1, "who": "sent"}, {"id": 2}, 3, 99]},
    6: None,
    7: '{"events": ["show", "ga',
    8: "[1, 2]",
    9: {"events": "show", "exclude_campaigns": 4, "segment": 5, "exclude_segments": {}},
}
OF_STRANGERS = 10, {"events": ["show"], "exclude_campaigns": [{"id": 1, "who": "planned"}]}
VERSIONS = {1: {"events": ["show"], "exclude_events": ["gala"]}, 2: None, 3: "{gala: show, }"}


def test_what_criteria_name_becomes_rows(bare_database: str, tmp_path: Path):
    with opened(bare_database, tmp_path):
        upgrade(revision="0006")
        with db.engine.begin() as connection:
            fill(connection)
        upgrade()
        with db.engine.connect() as connection:
            assert read(connection, "campaign_event", "campaign_id", "event_id", "excluded") == [
                (1, 1, False),
                (1, 2, False),
                (1, 3, True),
                (3, 2, False),
                (4, 1, False),
                (5, 2, False),
                (7, 1, False),  # damaged, and it names the event somewhere
                (10, 4, False),
            ]
            columns = ("campaign_id", "segment_id", "excluded", "pinned")
            assert read(connection, "campaign_segment", *columns) == [
                (2, 1, False, False),
                (3, 1, False, True),
                (4, 1, True, False),
                (4, 2, True, False),
            ]
            assert read(connection, "campaign_exclusion", "campaign_id", "excluded_id", "who") == [
                (5, 1, "sent"),
                (5, 2, "planned"),
                (5, 3, "planned"),
            ]
            columns = ("version_id", "event_id", "excluded")
            assert read(connection, "segment_version_event", *columns) == [
                (1, 1, False),
                (1, 2, True),
            ]


def fill(connection: sa.Connection) -> None:
    for number, slug in ((1, "acme"), (2, "strangers")):
        insert(connection, "organisation", id=number, slug=slug, name=slug, country="CA")
    for number, slug in ((1, "show"), (2, "gala"), (3, "vip")):
        insert(connection, "event", id=number, slug=slug)
    insert(connection, "event", id=4, slug="show", organisation_id=2)
    for number, slug in ((1, "vip"), (2, "regulars")):
        insert(connection, "segment", id=number, slug=slug)
    for number, criteria in CAMPAIGNS.items():
        insert(connection, "campaign", id=number, targeting_criteria=text(criteria))
    number, criteria = OF_STRANGERS
    insert(connection, "campaign", id=number, organisation_id=2, targeting_criteria=text(criteria))
    for number, definition in VERSIONS.items():
        insert(
            connection,
            "segment_version",
            id=number,
            segment_id=1,
            version=number,
            definition=text(definition),
        )


def text(criteria: Any) -> str | None:
    return json.dumps(criteria) if isinstance(criteria, dict) else criteria


def read(connection: sa.Connection, table: str, *columns: str) -> list[tuple[Any, ...]]:
    found = sa.Table(table, sa.MetaData(), autoload_with=connection, resolve_fks=False)
    names = [found.c[name] for name in columns]
    return [tuple(row) for row in connection.execute(sa.select(*names).order_by(*names))]
