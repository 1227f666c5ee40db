"""receipts by the provider's id, whichever provider it is

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-30 03:00:00.000000

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

OF_ONE_PROVIDER = sa.text("provider = 'smpp'")
WITH_AN_ID = sa.text("provider_message_id IS NOT NULL")


def upgrade():
    op.drop_index('ix_attempt_smpp', table_name='attempt')
    op.create_index('ix_attempt_provider_message_id', 'attempt', ['provider_message_id'], unique=False, sqlite_where=WITH_AN_ID, postgresql_where=WITH_AN_ID)
    with op.batch_alter_table('early_receipt', schema=None) as batch_op:
        batch_op.add_column(sa.Column('opted_out', sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade():
    with op.batch_alter_table('early_receipt', schema=None) as batch_op:
        batch_op.drop_column('opted_out')
    op.drop_index('ix_attempt_provider_message_id', table_name='attempt')
    op.create_index('ix_attempt_smpp', 'attempt', ['provider_message_id'], unique=False, sqlite_where=OF_ONE_PROVIDER, postgresql_where=OF_ONE_PROVIDER)
