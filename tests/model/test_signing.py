"""Signed messages against a digest built by hand from the type strings of the specification."""

from dataclasses import replace

import pytest
from eth_abi import encode
from eth_account import Account
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from dem.errors import InputError, RegisterDecreasedError, SignatureError
from dem.messages.contracts import Acceptance, Ending, Proposal, Revocation
from dem.messages.members import Application, Ballot, Commission, Mandate, Nomination, Opening, Withdrawal
from dem.messages.orders import (
    IntradayCancellation,
    IntradayFunding,
    IntradayOrder,
    IntradayRevocation,
    OrderSheet,
    WholesaleCommitment,
    WholesaleReport,
)
from dem.messages.readings import ReadingSheet, Register, net_consumption, pack_registers
from dem.messages.signing import Domain, compact, digest, message_hash, recover, sign, typed_data

KEY = bytes.fromhex("01" * 32)
SIGNER = Account.from_key(KEY).address
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
DOMAIN = Domain(chain_id=31337, contract="0x5FbDB2315678afecb367f032d93F642f64180aa3")
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

APPLICATION = Application(SIGNER, OTHER, 2, 4_000, 9_000, b"\x11" * 32, b"\x22" * 32)
ORDER_SHEET = OrderSheet(SIGNER, 3, 16, 5, (3 << 240 | 7, 0))
READING_SHEET = ReadingSheet(SIGNER, 3, 2, 9, bytes(range(112)), 5)
WITHDRAWAL = Withdrawal(SIGNER, 10**20, True, 1)
PROPOSAL = Proposal(SIGNER, OTHER, True, 20_000, 250, 96, 35_135, 2**96 - 1, 31, 2**40, b"\x33" * 32, b"\x44" * 32)
PROPOSAL_TYPE = (
    "Proposal(address proposer,address counterparty,bool isSale,int32 price,uint64 energy,uint32 firstPeriod,"
    "uint32 lastPeriod,uint96 slots,uint8 weekdays,uint64 expiry,bytes32 answers,bytes32 salt)"
)
INTRADAY_ORDER = IntradayOrder(SIGNER, 3, 7, True, 250, 1_000, 20, 2**40, 9)
INTRADAY_CANCELLATION = IntradayCancellation(SIGNER, 3, 7 << 45 | 5, 9)
INTRADAY_FUNDING = IntradayFunding(SIGNER, 3, 10**12, True, 9)
MANDATE = Mandate(SIGNER, OTHER, 2_500, 7, 3)
COMMISSION = Commission(SIGNER, 150, 8, 4)
REPORT = WholesaleReport(SIGNER, 3, (1, 2), (3, 4), (5, 6), b"\x55" * 32)
COMMITMENT = WholesaleCommitment(SIGNER, 3, b"\x66" * 32)


def words(*numbers):
    """What stands for a list of words in the encoding of a struct."""
    return keccak(b"".join(number.to_bytes(32, "big") for number in numbers))


# message, type string of the specification, hand-made encoding of the members
CASES = [
    (
        Nomination(SIGNER, 4),
        "Nomination(address nominee,uint32 election)",
        encode(["address", "uint32"], [SIGNER, 4]),
    ),
    (
        Ballot(SIGNER, 4, b"\x66" * 32, 9),
        "Ballot(address voter,uint32 election,bytes32 commitment,uint40 sequence)",
        encode(["address", "uint32", "bytes32", "uint40"], [SIGNER, 4, b"\x66" * 32, 9]),
    ),
    (
        Opening(4, 6, OTHER, b"\x77" * 32, 9),
        "Opening(uint32 election,uint32 id,address nominee,bytes32 salt,uint40 sequence)",
        encode(["uint32", "uint32", "address", "bytes32", "uint40"], [4, 6, OTHER, b"\x77" * 32, 9]),
    ),
    (
        APPLICATION,
        (
            "Application(address account,address meter,uint8 kind,uint40 importCapacity,"
            "uint40 exportCapacity,bytes32 feeder,bytes32 documents)"
        ),
        encode(
            ["address", "address", "uint8", "uint40", "uint40", "bytes32", "bytes32"],
            [SIGNER, OTHER, 2, 4_000, 9_000, b"\x11" * 32, b"\x22" * 32],
        ),
    ),
    (
        ORDER_SHEET,
        ("OrderSheet(address participant,uint32 day,uint16 firstLine,uint40 sequence,bytes32[] lines)"),
        encode(
            ["address", "uint32", "uint16", "uint40", "bytes32"],
            [SIGNER, 3, 16, 5, keccak((3 << 240 | 7).to_bytes(32, "big") + bytes(32))],
        ),
    ),
    (
        READING_SHEET,
        "ReadingSheet(address meter,uint32 day,uint8 firstStrip,uint40 sequence,bytes registers,uint96 substituted)",
        encode(
            ["address", "uint32", "uint8", "uint40", "bytes32", "uint96"],
            [SIGNER, 3, 2, 9, keccak(bytes(range(112))), 5],
        ),
    ),
    (
        WITHDRAWAL,
        "Withdrawal(address account,uint128 amount,bool toBank,uint40 sequence)",
        encode(["address", "uint128", "bool", "uint40"], [SIGNER, 10**20, True, 1]),
    ),
    (
        PROPOSAL,
        PROPOSAL_TYPE,
        encode(
            ["address", "address", "bool", *["uint256"] * 7, "bytes32", "bytes32"],
            [SIGNER, OTHER, True, 20_000, 250, 96, 35_135, 2**96 - 1, 31, 2**40, b"\x33" * 32, b"\x44" * 32],
        ),
    ),
    (
        Acceptance(b"\x55" * 32, 2**40),
        "Acceptance(bytes32 proposal,uint64 expiry)",
        encode(["bytes32", "uint64"], [b"\x55" * 32, 2**40]),
    ),
    (Revocation(b"\x55" * 32), "Revocation(bytes32 message)", b"\x55" * 32),
    (
        Ending(7, 365, 2**40),
        "Ending(uint32 number,uint32 lastDay,uint64 expiry)",
        encode(["uint32", "uint32", "uint64"], [7, 365, 2**40]),
    ),
    (
        INTRADAY_ORDER,
        (
            "IntradayOrder(address participant,uint32 day,uint16 slot,bool isAsk,uint16 tick,uint32 energy,"
            "uint16 maxFills,uint64 expiry,uint40 sequence)"
        ),
        encode(
            ["address", "uint32", "uint16", "bool", "uint16", "uint32", "uint16", "uint64", "uint40"],
            [SIGNER, 3, 7, True, 250, 1_000, 20, 2**40, 9],
        ),
    ),
    (
        IntradayRevocation(SIGNER, 9),
        "IntradayRevocation(address participant,uint40 sequence)",
        encode(["address", "uint40"], [SIGNER, 9]),
    ),
    (
        INTRADAY_CANCELLATION,
        "IntradayCancellation(address participant,uint32 day,uint64 number,uint40 sequence)",
        encode(["address", "uint32", "uint64", "uint40"], [SIGNER, 3, 7 << 45 | 5, 9]),
    ),
    (
        INTRADAY_FUNDING,
        "IntradayFunding(address participant,uint32 day,uint128 amount,bool isReturn,uint40 sequence)",
        encode(["address", "uint32", "uint128", "bool", "uint40"], [SIGNER, 3, 10**12, True, 9]),
    ),
    (
        REPORT,
        ("WholesaleReport(address desk,uint32 day,bytes32[] prices,bytes32[] imports,bytes32[] exports,bytes32 salt)"),
        encode(
            ["address", "uint32", "bytes32", "bytes32", "bytes32", "bytes32"],
            [SIGNER, 3, words(1, 2), words(3, 4), words(5, 6), b"\x55" * 32],
        ),
    ),
    (
        COMMITMENT,
        "WholesaleCommitment(address desk,uint32 day,bytes32 report)",
        encode(["address", "uint32", "bytes32"], [SIGNER, 3, b"\x66" * 32]),
    ),
    (
        MANDATE,
        "Mandate(address client,address intermediary,uint16 share,uint32 firstDay,uint40 sequence)",
        encode(["address", "address", "uint16", "uint32", "uint40"], [SIGNER, OTHER, 2_500, 7, 3]),
    ),
    (
        COMMISSION,
        "Commission(address intermediary,uint32 perWh,uint32 firstDay,uint40 sequence)",
        encode(["address", "uint32", "uint32", "uint40"], [SIGNER, 150, 8, 4]),
    ),
]
MESSAGES = [message for message, _, _ in CASES]
by_name = {"ids": lambda value: type(value).__name__}


@pytest.mark.parametrize(("message", "type_string", "members"), CASES)
def test_digest_of_the_specification(message, type_string, members):
    domain_type = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    separator = keccak(
        keccak(text=domain_type)
        + keccak(text="DEM")
        + keccak(text="1")
        + encode(["uint256", "address"], [DOMAIN.chain_id, DOMAIN.contract])
    )
    struct = keccak(keccak(text=type_string) + members)
    assert digest(DOMAIN, message) == keccak(b"\x19\x01" + separator + struct)


@pytest.mark.parametrize(("message", "type_string", "members"), CASES)
def test_messages_refer_to_each_other_by_their_struct_hash(message, type_string, members):
    assert message_hash(message) == keccak(keccak(text=type_string) + members)


@pytest.mark.parametrize("message", MESSAGES, **by_name)
def test_who_signed_is_recovered(message):
    signature = sign(DOMAIN, message, KEY)
    assert len(signature) == 65
    assert recover(DOMAIN, message, signature) == SIGNER


@pytest.mark.parametrize("message", MESSAGES, **by_name)
def test_wallets_sign_the_typed_data_alike(message):
    signed = Account.sign_typed_data(KEY, full_message=typed_data(DOMAIN, message))
    assert bytes(signed.signature) == sign(DOMAIN, message, KEY)


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (replace(DOMAIN, chain_id=1), ORDER_SHEET),
        (replace(DOMAIN, contract=OTHER), ORDER_SHEET),
        (DOMAIN, replace(ORDER_SHEET, sequence=6)),
        (DOMAIN, replace(ORDER_SHEET, lines=ORDER_SHEET.lines[:1])),
        (DOMAIN, replace(ORDER_SHEET, lines=())),
    ],
    ids=["chain", "contract", "sequence", "lines", "no lines"],
)
def test_a_signature_holds_for_one_message_only(domain, message):
    assert recover(domain, message, sign(DOMAIN, ORDER_SHEET, KEY)) != SIGNER


@pytest.mark.parametrize(("v", "top_bit"), [(27, 0), (28, 1)])
def test_a_compact_signature_has_v_in_the_top_bit_of_s(v, top_bit):
    r, s = bytes(range(32)), bytes(range(0x40, 0x60))
    assert compact(r + s + bytes([v])) == (r, bytes([s[0] + 0x80 * top_bit]) + s[1:])


def test_malleable_or_malformed_signatures_are_refused():
    r, s, v = (lambda x: (x[:32], x[32:64], x[64]))(sign(DOMAIN, WITHDRAWAL, KEY))
    high_s = (CURVE_ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    for signature, why in [
        (r + high_s + bytes([55 - v]), "upper half"),
        (r + s + bytes([v - 27]), "v = "),
        (r + s, "64 bytes"),
        (r + s + bytes([v]) + b"\0", "66 bytes"),
        (bytes(32) + s + bytes([v]), "recovers no key"),
        (r + bytes(32) + bytes([v]), "recovers no key"),
    ]:
        with pytest.raises(SignatureError, match=why):
            recover(DOMAIN, WITHDRAWAL, signature)


@pytest.mark.parametrize(
    ("message", "where"),
    [
        (replace(APPLICATION, account="0x12"), "Application.account"),
        (replace(APPLICATION, kind=256), "Application.kind"),
        (replace(APPLICATION, export_capacity=2**40), "Application.exportCapacity"),
        (replace(APPLICATION, feeder=b"\x11" * 31), "Application.feeder"),
        (replace(ORDER_SHEET, first_line=2**16), "OrderSheet.firstLine"),
        (replace(ORDER_SHEET, lines=(0, 2**256)), r"OrderSheet.lines\[1\]"),
        (replace(READING_SHEET, first_strip=-1), "ReadingSheet.firstStrip"),
        (replace(WITHDRAWAL, amount=2**128), "Withdrawal.amount"),
        (replace(WITHDRAWAL, amount=1.0), "Withdrawal.amount"),
        (replace(WITHDRAWAL, to_bank="no"), "Withdrawal.toBank"),
        (replace(PROPOSAL, slots=2**96), "Proposal.slots"),
        (replace(PROPOSAL, salt=b"short"), "Proposal.salt"),
        (Ending(-1, 365, 2**40), "Ending.number"),
        (replace(INTRADAY_ORDER, is_ask=1), "IntradayOrder.isAsk"),
        (replace(INTRADAY_ORDER, energy=2**32), "IntradayOrder.energy"),
        (replace(INTRADAY_CANCELLATION, number=2**64), "IntradayCancellation.number"),
        (replace(INTRADAY_FUNDING, amount=2**128), "IntradayFunding.amount"),
    ],
)
def test_fields_that_do_not_fit_are_refused_by_name(message, where):
    with pytest.raises(InputError, match=where):
        sign(DOMAIN, message, KEY)


# Registers

steps = st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)), min_size=6, max_size=6)


@settings(max_examples=50)
@given(st.tuples(st.integers(0, 2**60), st.integers(0, 2**60)), steps)
def test_registers_give_net_consumption(opening, steps):
    registers = [Register(*opening)]
    for imported, exported in steps:
        last = registers[-1]
        registers.append(Register(last.imported + imported, last.exported + exported))
    data = pack_registers(registers)
    assert len(data) == 16 * 7
    assert net_consumption(data).tolist() == [imported - exported for imported, exported in steps]


def test_register_layout_of_the_specification():
    """Import uint64 | export uint64, big endian."""
    assert pack_registers([Register(1, 258)]) == bytes(7) + b"\1" + bytes(6) + b"\1\2"


@pytest.mark.parametrize("size", [0, 16, 96, 97, 111, 113, 128])
def test_registers_cover_whole_strips(size):
    with pytest.raises(InputError, match="16 and a multiple of 96"):
        net_consumption(bytes(size))


@pytest.mark.parametrize("low", [Register(4, 9), Register(9, 4)])
def test_a_register_running_backwards_is_refused(low):
    data = pack_registers([Register(5, 5)] * 3 + [low] * 4)
    with pytest.raises(RegisterDecreasedError) as caught:
        net_consumption(data)
    assert (caught.value.index, caught.value.before, caught.value.after) == (3, 5, 4)


@pytest.mark.parametrize("register", [Register(2**64, 0), Register(0, -1)])
def test_a_register_beyond_64_bits_is_refused(register):
    with pytest.raises(InputError, match="register 0"):
        pack_registers([register])
