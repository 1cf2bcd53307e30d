"""The fast signatures of these tests are those of the project."""

import pytest
from harness.keys import digest, key

from dem import signing
from dem.signing import Application, Domain, Message, OrderSheet, ReadingSheet, Withdrawal

DOMAIN = Domain(1337, key(7).address)
ACCOUNT, METER = key(8).address, key(9).address


@pytest.mark.parametrize(
    "message",
    [
        Application(ACCOUNT, METER, 6, 1_000, 2_000, b"feeder".ljust(32, b"\0"), bytes(32)),
        OrderSheet(ACCOUNT, 3, 16, 9, (3 << 240, (3 << 240) + 5)),
        ReadingSheet(METER, 3, 1, 9, bytes(range(112))),
        Withdrawal(ACCOUNT, 10**9, True, 4),
    ],
    ids=lambda message: type(message).__name__,
)
def test_digest_and_signature_are_those_of_the_project(message: Message):
    assert digest(DOMAIN, message) == signing.digest(DOMAIN, message)
    assert key(8).sign(DOMAIN, message) == signing.sign(DOMAIN, message, (8).to_bytes(32, "big"))
