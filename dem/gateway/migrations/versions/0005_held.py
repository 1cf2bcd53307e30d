"""Messages that wait for their day."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add until when, and what they fill."""
    op.add_column("message", sa.Column("due", _BIG))
    op.add_column("message", sa.Column("place", sa.String(80)))
    op.create_index("message_by_place", "message", ["sender", "place"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("message_by_place", "message")
    op.drop_column("message", "place")
    op.drop_column("message", "due")
