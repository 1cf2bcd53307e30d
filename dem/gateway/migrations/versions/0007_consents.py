"""What members have agreed to."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "consent",
        sa.Column("number", _BIG, primary_key=True, autoincrement=True),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("account", sa.String(42), nullable=False),
        sa.Column("participant", sa.Integer, nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("withdrawn", _BIG),
        sqlite_autoincrement=True,
    )
    op.create_index("consent_by_participant", "consent", ["participant", "purpose"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("consent")
