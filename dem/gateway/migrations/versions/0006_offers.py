"""Contracts that members offer each other."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "offer",
        sa.Column("hash", sa.String(66), primary_key=True),
        sa.Column("message", sa.String(66), sa.ForeignKey("message.id"), nullable=False),
        sa.Column("proposer", sa.String(42), nullable=False),
        sa.Column("counterparty", sa.String(42)),
        sa.Column("expires", _BIG, nullable=False),
        sa.Column("answer", sa.String(66), sa.ForeignKey("message.id")),
    )
    op.create_index("offer_by_proposer", "offer", ["proposer", "expires"])
    op.create_index("offer_by_counterparty", "offer", ["counterparty", "expires"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("offer")
