import pytest

from dem.errors import (
    ArrearsError,
    CreditLimitError,
    DemError,
    InputError,
    InsufficientFreeError,
    InsufficientLockedError,
    RegisterDecreasedError,
    SignatureError,
    UnbalancedPostingsError,
    require_range,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError("tick", 4096, "must be 0..4095"), "tick: 4096 must be 0..4095"),
        (ArrearsError(4, 20), "account 4 is 20 in arrears"),
        (InsufficientFreeError(4, 61, 60), "account 4: asked for 61, free 60"),
        (InsufficientLockedError(4, 41, 40), "account 4: asked to release 41, locked 40"),
        (CreditLimitError(3, -11, 10), "account 3: free -11 is below -10"),
        (UnbalancedPostingsError(-1), "postings sum to -1 instead of 0"),
        (
            RegisterDecreasedError(3, 5, 4),
            "register 3: 4 Wh is below the preceding 5 Wh",
        ),
        (SignatureError("has 64 bytes"), "signature has 64 bytes"),
    ],
)
def test_messages_carry_the_numbers(error, text):
    assert isinstance(error, DemError)
    assert str(error) == text


def test_input_errors_are_value_errors():
    """So validators of configuration files may raise them."""
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize("value", [0, 7, 5])
def test_a_value_in_range_passes(value):
    require_range("value", value, 0, 7)
    require_range("value", value, 0)


@pytest.mark.parametrize(
    ("value", "high", "why"),
    [
        (-1, 7, r"-1 must be 0..7"),
        (8, 7, r"8 must be 0..7"),
        (-1, None, r"-1 must be 0..$"),
        (1.0, 7, "plain int, not float"),
        ("1", 7, "plain int, not str"),
    ],
)
def test_a_value_out_of_range_is_refused(value, high, why):
    with pytest.raises(InputError, match=why):
        require_range("value", value, 0, high)
