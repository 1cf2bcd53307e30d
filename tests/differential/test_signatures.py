"""The fast signatures of these tests are those of the project."""

import pytest
from support.evm.keys import digest, key

from dem.messages import signing
from dem.messages.contracts import Acceptance, Ending, Proposal, Revocation
from dem.messages.members import Application, Withdrawal
from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet
from dem.messages.signing import Domain, Message

DOMAIN = Domain(1337, key(7).address)
ACCOUNT, METER = key(8).address, key(9).address


@pytest.mark.parametrize(
    "message",
    [
        Application(ACCOUNT, METER, 6, 1_000, 2_000, b"feeder".ljust(32, b"\0"), bytes(32)),
        OrderSheet(ACCOUNT, 3, 16, 9, (3 << 240, (3 << 240) + 5)),
        ReadingSheet(METER, 3, 1, 9, bytes(range(112))),
        Withdrawal(ACCOUNT, 10**9, True, 4),
        Proposal(ACCOUNT, METER, True, 5, 250, 96, 191, 3 << 94, 31, 10**9, bytes(32), b"salt".ljust(32, b"\0")),
        Acceptance(b"proposal".ljust(32, b"\0"), 10**9),
        Revocation(b"proposal".ljust(32, b"\0")),
        Ending(4, 9, 10**9),
    ],
    ids=lambda message: type(message).__name__,
)
def test_digest_and_signature_are_those_of_the_project(message: Message):
    assert digest(DOMAIN, message) == signing.digest(DOMAIN, message)
    assert key(8).sign(DOMAIN, message) == signing.sign(DOMAIN, message, (8).to_bytes(32, "big"))
