"""Files of metering operators, and the values in them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "delivery",
        sa.Column("number", _BIG, primary_key=True, autoincrement=True),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("account", sa.String(42), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("format", sa.String(40), nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("new", sa.Integer, nullable=False),
        sa.Column("corrected", sa.Integer, nullable=False),
        sa.Column("left_alone", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "value",
        sa.Column("meter", sa.String(64), primary_key=True),
        sa.Column("direction", sa.String(8), primary_key=True),
        sa.Column("start", _BIG, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seconds", sa.Integer, nullable=False),
        sa.Column("energy", _BIG, nullable=False),
        sa.Column("quality", sa.String(12), nullable=False),
        sa.Column("issued", _BIG),
        sa.Column("delivery", _BIG, sa.ForeignKey("delivery.number"), nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("value")
    op.drop_table("delivery")
