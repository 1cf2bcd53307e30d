"""Software of institutions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "client",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("offices", sa.JSON, nullable=False),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("expires", _BIG, nullable=False),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("client")
