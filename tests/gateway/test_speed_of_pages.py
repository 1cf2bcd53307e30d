"""What is asked of one member is found by an index, however many others there are."""

import sqlite3
from pathlib import Path

import pytest

from dem.gateway.reads import _ENERGY_OF

PLACES = {"participant": 6, "first": 1, "last": 31, "most": 3_000}


@pytest.mark.parametrize(
    ("question", "values"),
    [
        (_ENERGY_OF, PLACES),
        ("SELECT * FROM settlements WHERE participant = :participant AND day BETWEEN :first AND :last", PLACES),
        ("SELECT * FROM orders WHERE participant = :participant AND day = :first", PLACES),
    ],
)
def test_no_table_of_everybody_is_walked(index: Path, question: str, values: dict[str, int]) -> None:
    with sqlite3.connect(index) as database:
        plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {question}", values)]
    tables = ("reading", "estimate", "scheduled", "order_lane", "settlement_settled")
    walked = [step for step in plan if step.startswith(tuple(f"SCAN {table}" for table in tables))]
    assert walked == [], plan
    assert any(step.startswith("SEARCH") for step in plan)
