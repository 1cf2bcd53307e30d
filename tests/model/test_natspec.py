"""The check of the contracts' documentation finds what is missing."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "tools" / "natspec.py"


@pytest.fixture(scope="module")
def natspec():
    spec = importlib.util.spec_from_file_location("natspec", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_described_is_accepted(natspec):
    text = "/// Energy was shared.\n/// @param price units/Wh\nevent Shared(uint32 indexed id,\n    uint32 price);\n"
    assert natspec.problems_of("I.sol", text) == (1, 2, [])


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("event Shared(uint32 id);\n", "I.sol: event Shared has no line that says what it means"),
        ("error Late();\n", "I.sol: error Late has no line that says what it means"),
        ("/// Shared.\nevent Shared(uint32 price);\n", "I.sol: event Shared: parameter price is not described"),
        (
            "/// Late.\n/// @param when seconds\nerror Late(uint256 time);\n",
            "I.sol: error Late: @param when names no parameter",
        ),
    ],
)
def test_what_is_missing_is_named(natspec, text, missing):
    assert natspec.problems_of("I.sol", text)[2] == [missing]
