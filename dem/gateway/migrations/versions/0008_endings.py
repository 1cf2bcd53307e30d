"""Endings of contracts, which both sides sign."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "ending",
        sa.Column("message", sa.String(66), sa.ForeignKey("message.id"), primary_key=True),
        sa.Column("contract", _BIG, nullable=False),
        sa.Column("last_day", _BIG, nullable=False),
        sa.Column("expires", _BIG, nullable=False),
        sa.Column("proposer", sa.String(42), nullable=False),
        sa.Column("counterparty", sa.String(42), nullable=False),
        sa.Column("is_buyer", sa.Boolean, nullable=False),
        sa.Column("consent", sa.String(132)),
    )
    op.create_index("ending_by_proposer", "ending", ["proposer", "expires"])
    op.create_index("ending_by_counterparty", "ending", ["counterparty", "expires"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("ending")
