"""Messages of one account are found by an index."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make it."""
    op.create_index("message_by_sender", "message", ["sender", "number"])


def downgrade() -> None:
    """Remove it."""
    op.drop_index("message_by_sender", "message")
