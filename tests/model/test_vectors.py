"""The vectors in the repository are what the model says today, and they cover what they should."""

import pytest
from support.model import vectors


@pytest.fixture(scope="module")
def written():
    return vectors.files()


def test_vectors_are_those_of_the_model(written):
    for path, text in written.items():
        assert path.read_text(encoding="ascii") == text, f"{path.name}: run `make vectors`"


def test_vectors_stay_small(written):
    assert all(len(text) < 300_000 for text in written.values())


def test_books_of_every_kind():
    cases = vectors.clearing_cases()
    assert len(cases) == 1_000
    for rationed in range(3):
        assert sum(case["rationed"] == rationed and case["volume"] > 0 for case in cases) >= 50
    assert sum(case["volume"] == 0 for case in cases) >= 100
    assert any(0 < case["share"] < case["marginal"] for case in cases)
    assert any(case["rationed"] and case["share"] == 0 for case in cases)
    assert any(case["pivot"] < case["price"] for case in cases)


def test_settlements_of_every_kind():
    cases = vectors.settlement_cases()
    assert len(cases) == 300
    for pricing in range(3):
        areas = [sum(case["metered"]) for case in cases if case["pricing"] == pricing]
        assert {(area > 0) - (area < 0) for area in areas} == {-1, 0, 1}
    assert any(case["surplus"] > 0 for case in cases)
    assert sum(any(case["deviation"]) for case in cases) >= 50
    assert {case["isTraded"] for case in cases} == {True, False}
