"""Whatever two sign alike, endings among it, in one table."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_SIDES = ("proposer", "counterparty")


def upgrade() -> None:
    """Make the table, and put endings into it: what they are about is in their messages."""
    op.create_table(
        "joint",
        sa.Column("message", sa.String(66), sa.ForeignKey("message.id"), primary_key=True),
        sa.Column("expires", _BIG, nullable=False),
        sa.Column("proposer", sa.String(42), nullable=False),
        sa.Column("counterparty", sa.String(42), nullable=False),
        sa.Column("other", sa.String(42)),
        sa.Column("is_first", sa.Boolean, nullable=False),
        sa.Column("consent", sa.String(132)),
    )
    for side in (*_SIDES, "other"):
        op.create_index(f"joint_by_{side}", "joint", [side, "expires"])
    op.execute(
        "INSERT INTO joint (message, expires, proposer, counterparty, is_first, consent) "
        "SELECT message, expires, proposer, counterparty, is_buyer, consent FROM ending"
    )
    op.drop_table("ending")


def downgrade() -> None:
    """Endings have their table again. What else two have signed is forgotten; what is on the chain stays there."""
    made = op.create_table(
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
    for side in _SIDES:
        op.create_index(f"ending_by_{side}", "ending", [side, "expires"])
    question = sa.text(
        "SELECT j.message, j.expires, j.proposer, j.counterparty, j.is_first AS is_buyer, j.consent, m.envelope "
        "FROM joint AS j JOIN message AS m ON m.id = j.message WHERE m.type = 'Ending'"
    )
    for row in op.get_bind().execute(question).mappings().all():
        told = row["envelope"]
        about = (json.loads(told) if isinstance(told, str) else told)["message"]
        kept = {name: value for name, value in row.items() if name != "envelope"}
        of = {"contract": int(about["number"]), "last_day": int(about["lastDay"]), "is_buyer": bool(row["is_buyer"])}
        op.get_bind().execute(sa.insert(made).values(**kept | of))
    op.drop_table("joint")
