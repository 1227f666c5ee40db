"""What criteria name, as rows: events, segments and earlier campaigns

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-30 03:00:00.000000

"""
import json
import re

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

BATCH = 500
DAMAGED_EVENT = re.compile(r'"([a-z0-9-]{1,80})"')


def upgrade():
    op.create_table('campaign_event',
    sa.Column('campaign_id', sa.Integer(), nullable=False),
    sa.Column('event_id', sa.Integer(), nullable=False),
    sa.Column('excluded', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaign.id'], name=op.f('fk_campaign_event_campaign_id_campaign'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['event_id'], ['event.id'], name=op.f('fk_campaign_event_event_id_event'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('campaign_id', 'event_id', 'excluded', name=op.f('pk_campaign_event'))
    )
    op.create_index('ix_campaign_event_event_id', 'campaign_event', ['event_id'])
    op.create_table('campaign_segment',
    sa.Column('campaign_id', sa.Integer(), nullable=False),
    sa.Column('segment_id', sa.Integer(), nullable=False),
    sa.Column('excluded', sa.Boolean(), nullable=False),
    sa.Column('pinned', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaign.id'], name=op.f('fk_campaign_segment_campaign_id_campaign'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['segment_id'], ['segment.id'], name=op.f('fk_campaign_segment_segment_id_segment'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('campaign_id', 'segment_id', 'excluded', name=op.f('pk_campaign_segment'))
    )
    op.create_index('ix_campaign_segment_segment_id', 'campaign_segment', ['segment_id'])
    op.create_table('campaign_exclusion',
    sa.Column('campaign_id', sa.Integer(), nullable=False),
    sa.Column('excluded_id', sa.Integer(), nullable=False),
    sa.Column('who', sa.String(length=10), nullable=False),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaign.id'], name=op.f('fk_campaign_exclusion_campaign_id_campaign'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['excluded_id'], ['campaign.id'], name=op.f('fk_campaign_exclusion_excluded_id_campaign'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('campaign_id', 'excluded_id', 'who', name=op.f('pk_campaign_exclusion'))
    )
    op.create_index('ix_campaign_exclusion_excluded_id', 'campaign_exclusion', ['excluded_id'])
    op.create_table('segment_version_event',
    sa.Column('version_id', sa.Integer(), nullable=False),
    sa.Column('event_id', sa.Integer(), nullable=False),
    sa.Column('excluded', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['event_id'], ['event.id'], name=op.f('fk_segment_version_event_event_id_event'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['version_id'], ['segment_version.id'], name=op.f('fk_segment_version_event_version_id_segment_version'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('version_id', 'event_id', 'excluded', name=op.f('pk_segment_version_event'))
    )
    op.create_index('ix_segment_version_event_event_id', 'segment_version_event', ['event_id'])
    connection = op.get_bind()
    fill_campaigns(connection)
    fill_versions(connection)


def downgrade():
    for table, column in (
        ('segment_version_event', 'event_id'), ('campaign_exclusion', 'excluded_id'),
        ('campaign_segment', 'segment_id'), ('campaign_event', 'event_id'),
    ):
        op.drop_index(f'ix_{table}_{column}', table_name=table)
        op.drop_table(table)


def fill_campaigns(connection):
    """Store what the criteria of every campaign name."""
    rows = 'SELECT id, organisation_id, targeting_criteria FROM campaign WHERE id > :after ORDER BY id LIMIT :batch'
    for campaign_id, organisation_id, text in in_batches(connection, rows):
        criteria = read(text)
        store(connection, 'campaign_event', 'campaign_id', campaign_id,
              events_of(connection, organisation_id, criteria))
        store(connection, 'campaign_segment', 'campaign_id', campaign_id,
              segments_of(connection, organisation_id, criteria))
        store(connection, 'campaign_exclusion', 'campaign_id', campaign_id,
              exclusions_of(connection, organisation_id, criteria))


def fill_versions(connection):
    """Store which events the definition of every version of a segment names."""
    rows = (
        'SELECT version.id, segment.organisation_id, version.definition FROM segment_version AS version '
        'JOIN segment ON segment.id = version.segment_id '
        'WHERE version.id > :after ORDER BY version.id LIMIT :batch'
    )
    for version_id, organisation_id, text in in_batches(connection, rows):
        store(connection, 'segment_version_event', 'version_id', version_id,
              events_of(connection, organisation_id, read(text)))


def in_batches(connection, query):
    after = 0
    while rows := connection.execute(sa.text(query), {'after': after, 'batch': BATCH}).all():
        yield from rows
        after = rows[-1][0]


def read(text):
    """Return the criteria; of what is damaged, every word that could be an event's slug.

    An event that is named there somewhere has its campaigns held when it is moved: to ask is
    the safe side.
    """
    if not text:
        return {}
    try:
        criteria = json.loads(text)
    except (ValueError, RecursionError):
        criteria = None
    if isinstance(criteria, dict):
        return criteria
    return {'events': DAMAGED_EVENT.findall(text)}


def events_of(connection, organisation_id, criteria):
    return {
        (('event_id', ids[slug]), ('excluded', excluded))
        for excluded, key in ((False, 'events'), (True, 'exclude_events'))
        for ids in [ids_by_slug(connection, 'event', organisation_id, texts(criteria.get(key)))]
        for slug in ids
    }


def segments_of(connection, organisation_id, criteria):
    rows = {}
    for excluded, key in ((False, 'segment'), (True, 'exclude_segments')):
        given = criteria.get(key) or []
        choices = given if isinstance(given, list) else [given]
        pinned = {}
        for choice in choices:
            if isinstance(choice, str):
                pinned.setdefault(choice, False)
            elif isinstance(choice, dict) and isinstance(choice.get('slug'), str):
                pinned.setdefault(choice['slug'], choice.get('version') is not None)
        for slug, row_id in ids_by_slug(connection, 'segment', organisation_id, list(pinned)).items():
            rows[row_id, excluded] = pinned[slug]
    return {
        (('segment_id', row_id), ('excluded', excluded), ('pinned', is_pinned))
        for (row_id, excluded), is_pinned in rows.items()
    }


def exclusions_of(connection, organisation_id, criteria):
    given = criteria.get('exclude_campaigns')
    wanted = set()
    for choice in given if isinstance(given, list) else []:
        if type(choice) is int:
            wanted.add((choice, 'planned'))
        elif isinstance(choice, dict) and type(choice.get('id')) is int:
            wanted.add((choice['id'], choice.get('who') or 'planned'))
    known = connection.execute(
        sa.text('SELECT id FROM campaign WHERE organisation_id = :organisation_id AND id IN :ids')
        .bindparams(sa.bindparam('ids', expanding=True)),
        {'organisation_id': organisation_id, 'ids': [one for one, _ in wanted]},
    ).scalars().all() if wanted else []
    return {(('excluded_id', one), ('who', who)) for one, who in wanted if one in set(known)}


def ids_by_slug(connection, table, organisation_id, slugs):
    if not slugs:
        return {}
    rows = connection.execute(
        sa.text(f'SELECT slug, id FROM {table} WHERE organisation_id = :organisation_id AND slug IN :slugs')
        .bindparams(sa.bindparam('slugs', expanding=True)),
        {'organisation_id': organisation_id, 'slugs': slugs},
    )
    return {slug: row_id for slug, row_id in rows}


def texts(value):
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def store(connection, table, owner, owner_id, rows):
    for row in rows:
        values = {owner: owner_id, **dict(row)}
        columns = ', '.join(values)
        given = ', '.join(f':{name}' for name in values)
        connection.execute(sa.text(f'INSERT INTO {table} ({columns}) VALUES ({given})'), values)
