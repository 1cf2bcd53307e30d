"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "message",
        sa.Column("id", sa.String(66), primary_key=True),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("sender", sa.String(42), nullable=False),
        sa.Column("envelope", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("block", _BIG),
        sa.Column("transaction", sa.String(66)),
        sa.Column("refusal", sa.String(1000)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_block", _BIG),
        sa.Column("received_at", _BIG, nullable=False),
        sa.Column("number", _BIG, nullable=False),
    )
    op.create_index("message_by_state", "message", ["state", "number"])
    op.create_table(
        "journal",
        sa.Column("number", _BIG, primary_key=True, autoincrement=True),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(42)),
        sa.Column("data", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("journal_by_owner", "journal", ["owner", "number"])
    op.create_table(
        "nonce",
        sa.Column("value", sa.String(32), primary_key=True),
        sa.Column("expires", _BIG, nullable=False),
    )
    op.create_table(
        "token",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(42), nullable=False),
        sa.Column("expires", _BIG, nullable=False),
    )
    op.create_table(
        "access",
        sa.Column("number", _BIG, primary_key=True, autoincrement=True),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("reader", sa.String(42), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("resource", sa.String(16), nullable=False),
        sa.Column("participant", sa.Integer, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("purpose", sa.String(200), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("access_by_participant", "access", ["participant", "number"])


def downgrade() -> None:
    """Remove them."""
    for name in ("access", "token", "nonce", "journal", "message"):
        op.drop_table(name)
