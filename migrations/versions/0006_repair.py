"""repair

Three of the migrations before this one were changed after they had landed: 0001 (once), 0002
(twice) and 0005 (three times). A database that was made or updated in between lacks what the
change brought, and no update brings it any more. This adds to any of them what it lacks, and
changes nothing in a database that lacks nothing.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-30 03:00:00.000000

"""
from alembic import op
import sqlalchemy as sa

from rollcall.messages.quiet import phone_zones

# revision identifiers, used by Alembic.
revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

UNDECIDED = sa.text("meaning = 'unclear' AND decision IS NULL")


def upgrade():
    repair_0001()
    repair_0002()
    repair_0005()


def downgrade():
    """Leave all of it: it is what 0001, 0002 and 0005 bring as they stand now."""


def repair_0001():
    if 'review_decision' not in columns('campaign'):
        op.add_column('campaign', sa.Column('review_decision', sa.String(length=10), nullable=True))


def repair_0002():
    if 'ix_inbound_message_undecided' not in indexes('inbound_message'):
        op.create_index('ix_inbound_message_undecided', 'inbound_message', ['organisation_id', 'id'], unique=False, sqlite_where=UNDECIDED, postgresql_where=UNDECIDED)
    fill_phone_zones()


def repair_0005():
    staff_member = columns('staff_member')
    if 'mail_notices' not in staff_member:
        op.add_column('staff_member', sa.Column('mail_notices', sa.Boolean(), server_default=sa.true(), nullable=False))
    # Sessions have rows of their own: no staff member could be added beside a key that is needed.
    if 'session_key' in staff_member:
        with op.batch_alter_table('staff_member', schema=None) as batch_op:
            batch_op.drop_column('session_key')
    if not columns('trial_message')['campaign_id']['nullable']:
        with op.batch_alter_table('trial_message', schema=None) as batch_op:
            batch_op.alter_column('campaign_id', existing_type=sa.Integer(), nullable=True)
    if 'ix_trial_message_staff_id' not in indexes('trial_message'):
        op.create_index('ix_trial_message_staff_id', 'trial_message', ['staff_id', 'started_at'], unique=False)
    keep_audit_entries()


def columns(table):
    return {column['name']: column for column in sa.inspect(op.get_bind()).get_columns(table)}


def indexes(table):
    return {index['name'] for index in sa.inspect(op.get_bind()).get_indexes(table)}


def fill_phone_zones():
    """Say where the phones are of people of whom it was never worked out, for quiet hours.

    A batch at a time, and one UPDATE for all of a batch who are in the same place.
    """
    connection = op.get_bind()
    person = sa.table('person', sa.column('id'), sa.column('phone'), sa.column('timezone'))
    facts = sa.table('person_facts', sa.column('person_id'), sa.column('phone_zones'))
    after = 0
    while True:
        rows = connection.execute(
            sa.select(person.c.id, person.c.phone, person.c.timezone)
            .join(facts, facts.c.person_id == person.c.id)
            .where(person.c.id > after, person.c.phone.is_not(None), facts.c.phone_zones == '')
            .order_by(person.c.id)
            .limit(5000)
        ).all()
        if not rows:
            return
        after = rows[-1].id
        alike = {}
        for row in rows:
            alike.setdefault(phone_zones(row.phone, row.timezone), []).append(row.id)
        for zones, ids in alike.items():
            connection.execute(
                sa.update(facts).where(facts.c.person_id.in_(ids)).values(phone_zones=zones)
            )


def keep_audit_entries():
    """Let the database itself refuse to change or remove what is in the audit trail."""
    said = "what is in the audit trail can not be changed"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER IF NOT EXISTS audit_entry_unchanged BEFORE UPDATE ON audit_entry "
            f"WHEN OLD.seal IS NOT NULL BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
        op.execute(
            "CREATE TRIGGER IF NOT EXISTS audit_entry_kept BEFORE DELETE ON audit_entry "
            f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{said}'; END $$"
    )
    op.execute(
        "CREATE OR REPLACE TRIGGER audit_entry_unchanged BEFORE UPDATE ON audit_entry FOR EACH ROW "
        "WHEN (OLD.seal IS NOT NULL) EXECUTE FUNCTION refuse_audit_change()"
    )
    op.execute(
        "CREATE OR REPLACE TRIGGER audit_entry_kept BEFORE DELETE ON audit_entry FOR EACH ROW "
        "EXECUTE FUNCTION refuse_audit_change()"
    )
